//! A command to be run on a host, built like `std::process::Command`.

use std::fmt;

use bytes::Bytes;

use crate::error::ShellError;
use crate::quote::{quote, quote_line};

/// The longest line that can be run, in bytes: Linux hands a shell's `-c` text over as one argument, and one argument
/// holds at most 128 KiB with its closing NUL (`MAX_ARG_STRLEN`).
pub const LINE_LIMIT: usize = (128 << 10) - 1;

/// A program with its arguments, environment and standard input.
///
/// Arguments arrive as they were given: nothing is expanded, split or dropped. The arguments and the environment can be
/// seen by every user of the host (`ps`): secrets go through [`stdin`](RemoteCommand::stdin).
///
/// ```
/// # use flinkproc_ssh::RemoteCommand;
/// let command = RemoteCommand::new("flink")
///     .args(["run", "-py", "./jobs/my etl.py"])
///     .arg("it's $5")
///     .env("LC_ALL", "C.UTF-8");
/// assert_eq!(command.line()?, r"LC_ALL=C.UTF-8 flink run -py './jobs/my etl.py' 'it'\''s $5'");
/// # Ok::<(), flinkproc_ssh::ShellError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteCommand {
    body: Body,
    environment: Vec<(String, String)>,
    stdin: Bytes,
}

#[derive(Clone, PartialEq, Eq)]
enum Body {
    Program {
        program: String,
        arguments: Vec<String>,
    },
    Raw(String),
}

impl RemoteCommand {
    /// A program, looked up in the host's `PATH` unless it holds a slash.
    #[must_use]
    pub fn new(program: impl Into<String>) -> Self {
        Self::from_body(Body::Program {
            program: program.into(),
            arguments: Vec::new(),
        })
    }

    /// A line that the host's shell reads as it stands. **Nothing is quoted**: whatever is put into it from outside must have
    /// gone through [`quote`], or better, be an argument of a command made by [`RemoteCommand::new`].
    ///
    /// Arguments added to a raw line are quoted and put at its end.
    #[must_use]
    pub fn raw(line: impl Into<String>) -> Self {
        Self::from_body(Body::Raw(line.into()))
    }

    const fn from_body(body: Body) -> Self {
        Self {
            body,
            environment: Vec::new(),
            stdin: Bytes::new(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        let argument = argument.into();
        match &mut self.body {
            Body::Program { arguments, .. } => arguments.push(argument),
            Body::Raw(line) => {
                line.push(' ');
                line.push_str(&quote(&argument));
            }
        }
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: Into<String>>(self, arguments: impl IntoIterator<Item = S>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Sets a variable of the command's environment. Every user of the host can read it while the command runs.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Gives bytes to the command's standard input, which ends after them. Without this it is empty.
    #[must_use]
    pub fn stdin(mut self, content: impl Into<Bytes>) -> Self {
        self.stdin = content.into();
        self
    }

    /// The program, or `None` for a raw line.
    #[must_use]
    pub fn program(&self) -> Option<&str> {
        match &self.body {
            Body::Program { program, .. } => Some(program),
            Body::Raw(_) => None,
        }
    }

    /// The arguments; empty for a raw line, which is not taken apart.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        match &self.body {
            Body::Program { arguments, .. } => arguments,
            Body::Raw(_) => &[],
        }
    }

    /// The bytes for standard input.
    #[must_use]
    pub const fn input(&self) -> &Bytes {
        &self.stdin
    }

    /// The line that is handed to the host's shell.
    ///
    /// # Errors
    /// [`ShellError::InvalidCommand`] when no shell can run it: a NUL character, a name that no variable can have, an empty
    /// program, or more than [`LINE_LIMIT`] bytes.
    pub fn line(&self) -> Result<String, ShellError> {
        let mut line = String::new();
        let raw = matches!(self.body, Body::Raw(_));
        if raw && !self.environment.is_empty() {
            line.push_str("export ");
        }
        for (name, value) in &self.environment {
            if !is_variable(name) {
                return Err(invalid(
                    "has a variable whose name is not letters, digits and `_`",
                ));
            }
            line.push_str(&format!("{name}={} ", quote(value)));
        }
        match &self.body {
            Body::Program { program, .. } if program.is_empty() => {
                return Err(invalid("names no program"));
            }
            Body::Program { program, arguments } => {
                let arguments = arguments.iter().map(String::as_str);
                line.push_str(&quote_line(program, arguments));
            }
            Body::Raw(text) => {
                if !line.is_empty() {
                    line.push_str("; ");
                }
                line.push_str(text);
            }
        }
        if line.contains('\0') {
            return Err(invalid(
                "holds a NUL character, which no program can receive",
            ));
        }
        if line.len() > LINE_LIMIT {
            return Err(invalid(
                "is longer than the 128 KiB that a shell line can have",
            ));
        }
        Ok(line)
    }
}

/// Shows the line; of the environment and of standard input only that they are there.
impl fmt::Debug for RemoteCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self
            .environment
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        let line = match &self.body {
            Body::Program { program, arguments } => {
                quote_line(program, arguments.iter().map(String::as_str))
            }
            Body::Raw(line) => line.clone(),
        };
        f.debug_struct("RemoteCommand")
            .field("line", &line)
            .field("environment", &names)
            .field("stdin_bytes", &self.stdin.len())
            .finish()
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

const fn invalid(problem: &'static str) -> ShellError {
    ShellError::InvalidCommand { problem }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{LINE_LIMIT, RemoteCommand};

    #[test]
    fn lines_read_well_and_keep_arguments_whole() {
        let flink = RemoteCommand::new("flink")
            .args(["run", "-D", "a=b c"])
            .env("A", "x y")
            .env("B", "z");
        assert_snapshot!(flink.line().expect("valid"), @"A='x y' B=z flink run -D 'a=b c'");
        let raw = RemoteCommand::raw("set -eu; cd /tmp")
            .env("A", "$B")
            .arg("$C");
        assert_snapshot!(raw.line().expect("valid"), @"export A='$B' ; set -eu; cd /tmp '$C'");
    }

    #[test]
    fn what_no_shell_can_run_is_refused_before_it_is_sent() {
        let check = |command: RemoteCommand, expected: &str| {
            let problem = command.line().expect_err("invalid").to_string();
            assert!(problem.contains(expected), "{problem}");
        };
        check(RemoteCommand::new(""), "names no program");
        check(RemoteCommand::new("a").arg("b\0c"), "NUL");
        check(RemoteCommand::raw("a\0"), "NUL");
        check(RemoteCommand::new("a").env("B-C", "d"), "variable");
        check(RemoteCommand::new("a").env("", "d"), "variable");
        check(RemoteCommand::new("a").env("1A", "d"), "variable");
        check(RemoteCommand::new("a".repeat(LINE_LIMIT + 1)), "128 KiB");
        assert!(RemoteCommand::new("a".repeat(LINE_LIMIT)).line().is_ok());
    }

    #[test]
    fn debug_hides_values_that_may_be_secret() {
        let command = RemoteCommand::new("login")
            .env("TOKEN", "hunter2")
            .stdin("hunter3");
        assert_snapshot!(
            format!("{command:?}"),
            @r#"RemoteCommand { line: "login", environment: ["TOKEN"], stdin_bytes: 7 }"#
        );
    }
}
