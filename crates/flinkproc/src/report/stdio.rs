//! The two streams of this program; the only place that writes to them.

use std::io::{self, IsTerminal, Write};

use crate::args::{Common, OutputForm};
use crate::environment::Environment;

/// How and how much this run talks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stdio {
    form: OutputForm,
    quiet: bool,
    bars: bool,
    colour: bool,
}

impl Stdio {
    /// Decides by flags, environment and whether standard error is a terminal.
    pub(crate) fn new(common: &Common, environment: &Environment) -> Self {
        let terminal = io::stderr().is_terminal();
        Self {
            form: common.output,
            quiet: common.quiet,
            bars: terminal && !common.quiet && !environment.is_set("CI"),
            colour: terminal && !environment.is_set("NO_COLOR"),
        }
    }

    /// Whether results are wanted as JSON.
    pub(crate) fn json(self) -> bool {
        self.form == OutputForm::Json
    }

    /// Whether progress may be drawn instead of written line by line.
    pub(crate) const fn bars(self) -> bool {
        self.bars
    }

    /// Text in a colour, where colours are wanted; `code` is an SGR number such as `31;1`.
    pub(crate) fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Writes a result to standard output. A reader that has gone away is no error.
    pub(crate) fn result(self, text: &str) {
        let _ = writeln!(io::stdout().lock(), "{}", text.trim_end_matches('\n'));
    }

    /// Writes a result as JSON.
    pub(crate) fn json_result(self, value: &impl serde::Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.result(&text),
            Err(error) => self.error(&format!(
                "error: the result cannot be written as JSON: {error}"
            )),
        }
    }

    /// Tells something on standard error, unless it is to be quiet.
    pub(crate) fn tell(self, text: &str) {
        if !self.quiet {
            self.error(text);
        }
    }

    /// Tells something on standard error in any case.
    pub(crate) fn error(self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}
