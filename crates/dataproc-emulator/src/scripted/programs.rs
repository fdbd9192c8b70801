//! The programs of a scripted machine: `flink`, `yarn`, `hadoop` and `python3` as small shell scripts.

use std::fmt::Write;
use std::time::Duration;

/// What the fake `flink run` does, from its next start on.
///
/// It writes its arguments down, tells a YARN application and a Flink job by the lines of a real client, waits, and ends;
/// YARN and Flink answer accordingly. It runs no Python and reads no file that it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlinkScript {
    /// How long the job runs, to a tenth of a second.
    pub runs_for: Duration,
    /// The exit status of the client.
    pub exit_status: u8,
    /// What YARN says at the end.
    pub end: YarnEnd,
    /// What the program says on standard output.
    pub output: String,
    /// What the program says on standard error.
    pub errors: String,
    /// The root exception, as Flink's REST interface and YARN's diagnostics tell it.
    pub exception: String,
    /// Whether a YARN application and a Flink job are told at all; without, the client fails before that.
    pub submits: bool,
    /// Shell text that runs before the job ends, with the machine's environment and the client's arguments.
    pub body: String,
}

impl Default for FlinkScript {
    fn default() -> Self {
        Self {
            runs_for: Duration::ZERO,
            exit_status: 0,
            end: YarnEnd::Succeeded,
            output: String::new(),
            errors: String::new(),
            exception: String::new(),
            submits: true,
            body: String::new(),
        }
    }
}

impl FlinkScript {
    /// A job that runs so long and succeeds.
    #[must_use]
    pub fn running_for(span: Duration) -> Self {
        Self {
            runs_for: span,
            ..Self::default()
        }
    }

    /// A job that fails at its end with this exception.
    #[must_use]
    pub fn failing(exception: &str) -> Self {
        Self {
            exit_status: 1,
            end: YarnEnd::Failed,
            errors: exception.to_owned(),
            exception: exception.to_owned(),
            ..Self::default()
        }
    }

    /// A client that fails before it submits anything.
    #[must_use]
    pub fn refusing(errors: &str) -> Self {
        Self {
            exit_status: 1,
            errors: errors.to_owned(),
            submits: false,
            ..Self::default()
        }
    }

    /// The variables of `flink.conf`, which the fake `flink` reads.
    pub(crate) fn conf(&self) -> String {
        let tenths = self.runs_for.as_millis().div_ceil(100);
        let mut conf = String::new();
        for (name, value) in [
            ("tenths", tenths.to_string().as_str()),
            ("exit_status", self.exit_status.to_string().as_str()),
            ("end", self.end.words()),
            ("output", &self.output),
            ("errors", &self.errors),
            ("exception", &self.exception),
            ("submits", if self.submits { "yes" } else { "" }),
        ] {
            // Writing to a string does not fail.
            writeln!(conf, "{name}={}", quoted(value)).ok();
        }
        writeln!(conf, "body() {{ :\n{}\n}}", self.body).ok();
        conf
    }
}

/// What YARN says at an application's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YarnEnd {
    /// State FINISHED, final status SUCCEEDED.
    Succeeded,
    /// State FINISHED, final status FAILED: what Flink reports of a job that failed.
    Failed,
    /// State FAILED, final status FAILED: the application's own first process died.
    Crashed,
    /// State KILLED, final status KILLED.
    Killed,
    /// The application goes on after the client has ended.
    Running,
}

impl YarnEnd {
    const fn words(self) -> &'static str {
        match self {
            Self::Succeeded => "FINISHED SUCCEEDED",
            Self::Failed => "FINISHED FAILED",
            Self::Crashed => "FAILED FAILED",
            Self::Killed => "KILLED KILLED",
            Self::Running => "",
        }
    }
}

/// Single quotes for the fixtures written here; what travels to a real machine is quoted in `flinkproc-ssh`.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// What the programs have to know of their machine.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// The machine's directory.
    pub(crate) root: &'a str,
    /// The first number of every application id: the machine's start in milliseconds.
    pub(crate) stamp: i64,
    /// 24 hexadecimal digits that begin every job id.
    pub(crate) job_prefix: &'a str,
    /// Where Flink's REST interface is, as `host:port`.
    pub(crate) flink: &'a str,
}

/// Each program's name and text.
pub(crate) fn programs(place: &Place<'_>) -> [(&'static str, String); 4] {
    let head = format!(
        "#!/bin/sh\n# Stands in for a program of a Dataproc machine; written by dataproc-emulator.\nhere={}\nstamp={}\njob_prefix={}\nflink={}\n",
        quoted(place.root),
        place.stamp,
        quoted(place.job_prefix),
        quoted(place.flink)
    );
    [
        ("flink", format!("{head}{FLINK}")),
        ("yarn", format!("{head}{YARN}")),
        ("hadoop", format!("{head}{HADOOP}")),
        ("python3", format!("{head}{PYTHON}")),
    ]
}

const FLINK: &str = include_str!("flink.sh");
const YARN: &str = include_str!("yarn.sh");
const HADOOP: &str = r#"
case $1 in
  classpath) printf '%s\n' "$here/hadoop:$here/lib/*" ;;
  version) echo 'Hadoop 3.3.6' ;;
  *) echo "hadoop $1 is not emulated" >&2; exit 1 ;;
esac
"#;
const PYTHON: &str = r#"
# The next python3 on the path, with a package `pyflink` that can be found and does nothing.
IFS=:
for directory in $PATH; do
  if [ "$directory" != "$here/bin" ] && [ -x "$directory/python3" ]; then
    PYTHONPATH=$here/python${PYTHONPATH:+:$PYTHONPATH} exec "$directory/python3" "$@"
  fi
done
echo 'there is no python3 on this machine' >&2
exit 127
"#;
