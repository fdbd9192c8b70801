//! A failure on the screen: `error[CODE]: …`, its causes, help.

use flinkproc_core::{Explain, FailureKind, messages};
use serde::{Deserialize, Serialize};

use super::Stdio;

/// A failure that ends a verb, in the words that are shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Problem {
    pub(crate) code: String,
    pub(crate) kind: FailureKind,
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) help: Option<String>,
}

impl<E: Explain> From<E> for Problem {
    fn from(error: E) -> Self {
        Self::of(&error)
    }
}

impl Problem {
    pub(crate) fn of(error: &dyn Explain) -> Self {
        let mut causes = messages(error);
        let message = causes.remove(0);
        Self {
            code: error.code().to_string(),
            kind: error.kind(),
            message,
            causes,
            help: error.help(),
        }
    }

    /// The lines for standard error.
    pub(crate) fn render(&self, stdio: Stdio) -> String {
        let head = stdio.paint("31;1", &format!("error[{}]", self.code));
        let mut text = format!("{head}: {}", self.message);
        for cause in &self.causes {
            text.push_str(&format!("\n  caused by: {}", indented(cause)));
        }
        if let Some(help) = &self.help {
            text.push_str(&format!(
                "\n  {}: {}",
                stdio.paint("36", "help"),
                indented(help)
            ));
        }
        text
    }
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}
