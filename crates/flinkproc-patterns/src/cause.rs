//! Why a job failed: the Python traceback or Flink's root exception, picked out of what was saved.

use serde::{Deserialize, Serialize};

/// What Python writes before a stack.
const TRACEBACK: &str = "Traceback (most recent call last):";
/// The longest text that is kept of a cause, in bytes; stacks of Flink run to hundreds of lines.
const LONGEST: usize = 8 * 1024;

/// Why a job failed, as far as its output tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// What kind of text it is.
    pub kind: CauseKind,
    /// The one line that says it: `ZeroDivisionError: division by zero`.
    pub headline: String,
    /// The traceback or the exception with its stack; the middle is left out where it is long.
    pub text: String,
    /// Where it was found.
    pub source: String,
}

/// What kind of text a cause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CauseKind {
    /// Python's own traceback.
    PythonTraceback,
    /// Java's exception, from Flink.
    FlinkException,
    /// The program's own exit status, as Flink's client reports it: `sys.exit(3)`.
    ProgramExit,
    /// The last words of a program that raised nothing.
    LastWords,
}

impl Cause {
    /// Whether the user's program raised it, so that the job failed and not its submission.
    #[must_use]
    pub fn is_the_programs_own(&self) -> bool {
        match self.kind {
            CauseKind::PythonTraceback => !self.headline.starts_with(GATEWAY),
            CauseKind::ProgramExit => true,
            CauseKind::FlinkException | CauseKind::LastWords => false,
        }
    }
}

/// The exception by which py4j passes one of Java's on: the true cause is in its text.
const GATEWAY: &str = "py4j.protocol.Py4JJavaError";

/// What Flink's client says of a Python program that ended with another status than 0: `… code: 3`. It is never the cause itself.
const PROGRAM_EXIT: &str = "Python process exits with code: ";

/// What a logging library says at each start.
const CHATTER: &str = "SLF4J: ";

/// Looks for the cause in texts, the most telling one first; each with the name of where it came from.
///
/// A Python traceback of the user's own code comes first, wherever it is: a Python function's traceback is found inside Java's
/// stack. Then the deepest `Caused by:` of a Java exception. Then the program's exit status. Then the last words of the first text
/// that has any.
#[must_use]
pub fn find_cause(texts: &[(&str, &str)]) -> Option<Cause> {
    let finders = [python, java, program_exit, last_words];
    finders
        .into_iter()
        .find_map(|find| texts.iter().find_map(|(source, text)| find(source, text)))
}

fn cause(kind: CauseKind, source: &str, headline: &str, text: &str) -> Cause {
    Cause {
        kind,
        headline: headline.trim().to_owned(),
        text: shorten(text.trim_end()),
        source: source.to_owned(),
    }
}

/// The last traceback that is not only py4j's envelope.
fn python(source: &str, text: &str) -> Option<Cause> {
    let lines: Vec<&str> = text.lines().collect();
    let starts =
        (0..lines.len()).filter(|at| lines.get(*at).is_some_and(|line| line.contains(TRACEBACK)));
    let mut found = None;
    for start in starts {
        let Some((headline, end)) = exception_line(&lines, start) else {
            continue;
        };
        if headline.trim_start().starts_with(GATEWAY) {
            continue;
        }
        let mut block = vec![TRACEBACK];
        block.extend(lines.get(start + 1..=end).unwrap_or_default());
        found = Some(cause(
            CauseKind::PythonTraceback,
            source,
            headline,
            &block.join("\n"),
        ));
    }
    found
}

/// The first line after a traceback's frames, and where it stands.
fn exception_line<'a>(lines: &[&'a str], start: usize) -> Option<(&'a str, usize)> {
    let margin = indent(lines.get(start)?);
    for (at, line) in lines.iter().enumerate().skip(start + 1) {
        if line.trim().is_empty() || indent(line) > margin {
            continue;
        }
        let name = line
            .trim_start()
            .split([':', ' '])
            .next()
            .unwrap_or_default();
        let looks_right = !name.is_empty()
            && name.split('.').all(|part| {
                !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_')
            });
        return looks_right.then_some((*line, at));
    }
    None
}

fn indent(line: &str) -> usize {
    // A traceback that begins inside a line (`Error received from SDK harness: Traceback …`) has its frames at the margin + 2.
    line.len() - line.trim_start().len()
}

/// The deepest cause of the last Java exception.
fn java(source: &str, text: &str) -> Option<Cause> {
    let lines: Vec<&str> = text.lines().collect();
    let is_frame = |line: &str| {
        let line = line.trim_start();
        line.starts_with("at ") || (line.starts_with("... ") && line.ends_with(" more"))
    };
    let named = |line: &str| {
        let line = line.trim_start_matches("Caused by: ").trim_start();
        let line = line.strip_prefix(": ").unwrap_or(line);
        let name = line.split([':', ' ']).next().unwrap_or_default();
        name.contains('.') && (name.ends_with("Exception") || name.ends_with("Error"))
    };
    let heads: Vec<usize> = (0..lines.len())
        .filter(|at| {
            let Some(line) = lines.get(*at) else {
                return false;
            };
            if line.contains(PROGRAM_EXIT) {
                return false;
            }
            let frame_follows = lines.get(at + 1).is_some_and(|next| is_frame(next));
            line.starts_with("Caused by: ") || (frame_follows && named(line))
        })
        .collect();
    let last = *heads.last()?;
    let end = (last + 1..lines.len())
        .find(|at| !lines.get(*at).is_some_and(|line| is_frame(line)))
        .unwrap_or(lines.len());
    let block = lines.get(last..end)?.join("\n");
    let headline = lines.get(last)?.trim_start_matches("Caused by: ");
    let headline = headline.strip_prefix(": ").unwrap_or(headline);
    Some(cause(CauseKind::FlinkException, source, headline, &block))
}

fn program_exit(source: &str, text: &str) -> Option<Cause> {
    let line = text.lines().find(|line| line.contains(PROGRAM_EXIT))?;
    let (_, status) = line.split_once(PROGRAM_EXIT)?;
    let headline = format!("the program ended with status {}", status.trim());
    Some(cause(CauseKind::ProgramExit, source, &headline, line))
}

fn last_words(source: &str, text: &str) -> Option<Cause> {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with(CHATTER))
        .collect();
    let headline = lines.last()?;
    let tail = lines.get(lines.len().saturating_sub(20)..)?.join("\n");
    Some(cause(CauseKind::LastWords, source, headline, &tail))
}

/// Leaves out the middle: a stack's beginning and end tell most.
fn shorten(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let floor = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (head, tail) = (floor(LONGEST / 2), floor(text.len() - LONGEST / 2));
    let left_out = tail - head;
    format!(
        "{}\n… {left_out} bytes left out …\n{}",
        text.get(..head).unwrap_or_default(),
        text.get(tail..).unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(texts: &[(&str, &str)]) -> String {
        find_cause(texts).map_or_else(
            || "nothing".to_owned(),
            |cause| {
                format!(
                    "{:?} in {}\n{}\n--\n{}",
                    cause.kind, cause.source, cause.headline, cause.text
                )
            },
        )
    }

    #[test]
    fn a_script_that_raises() {
        let err = "WARNING: illegal access\nTraceback (most recent call last):\n  File \"wc.py\", line 7, in <module>\n    main()\n  File \"wc.py\", line 3, in main\n    1 / 0\nZeroDivisionError: division by zero\n";
        insta::assert_snapshot!(found(&[("err", err)]), @r#"
        PythonTraceback in err
        ZeroDivisionError: division by zero
        --
        Traceback (most recent call last):
          File "wc.py", line 7, in <module>
            main()
          File "wc.py", line 3, in main
            1 / 0
        ZeroDivisionError: division by zero
        "#);
    }

    const ABORT: &str = "org.apache.flink.client.program.ProgramAbortException: java.lang.RuntimeException: Python process exits with code: 3\n\tat org.apache.flink.client.python.PythonDriver.main(PythonDriver.java:136)\nCaused by: java.lang.RuntimeException: Python process exits with code: 3\n\tat org.apache.flink.client.python.PythonDriver.main(PythonDriver.java:126)\n\t... 17 more\n";

    #[test]
    fn a_script_that_leaves_with_a_status() {
        let texts = [("out", "leaving\n"), ("err", ABORT)];
        insta::assert_snapshot!(found(&texts), @"
        ProgramExit in err
        the program ended with status 3
        --
        org.apache.flink.client.program.ProgramAbortException: java.lang.RuntimeException: Python process exits with code: 3
        ");
        assert!(find_cause(&texts).is_some_and(|cause| cause.is_the_programs_own()));
    }

    #[test]
    fn the_clients_own_abort_does_not_hide_what_flink_refused() {
        let out = "Traceback (most recent call last):\n  File \"job.py\", line 4, in <module>\n    t.execute_sql(\"SELECT 1\")\npy4j.protocol.Py4JJavaError: An error occurred while calling o8.executeSql.\n: org.apache.flink.table.api.ValidationException: Unable to create a source.\n\nTable options are:\n\tat org.apache.flink.table.factories.FactoryUtil.create(FactoryUtil.java:235)\nCaused by: org.apache.flink.table.api.ValidationException: Cannot discover a connector using option: 'connector'='kafka2'\n\tat org.apache.flink.table.factories.FactoryUtil.discover(FactoryUtil.java:788)\n\t... 32 more\n";
        let texts = [("err", ABORT), ("out", out)];
        let cause = find_cause(&texts).expect("found");
        insta::assert_snapshot!(cause.headline, @"org.apache.flink.table.api.ValidationException: Cannot discover a connector using option: 'connector'='kafka2'");
        assert_eq!(cause.source, "out");
    }

    #[test]
    fn what_a_logging_library_says_at_each_start_is_no_cause() {
        let chatter = "SLF4J: Class path contains multiple SLF4J bindings.\n";
        assert_eq!(found(&[("err", chatter)]), "nothing");
    }

    #[test]
    fn a_python_function_that_raises_inside_flink() {
        let err = "Traceback (most recent call last):\n  File \"wc.py\", line 30, in <module>\n    table.execute().wait()\n  File \"java_gateway.py\", line 1322, in __call__\npy4j.protocol.Py4JJavaError: An error occurred while calling o94.await.\n: java.util.concurrent.ExecutionException: failed\n\tat java.base/java.util.concurrent.CompletableFuture.reportGet(CompletableFuture.java:396)\nCaused by: java.lang.RuntimeException: Error received from SDK harness for instruction 1: Traceback (most recent call last):\n  File \"sdk_worker.py\", line 289, in _execute\n    response = task()\n  File \"wc.py\", line 12, in bad\n    return int(word)\nValueError: invalid literal for int() with base 10: 'x'\n\n\tat org.apache.beam.runners.fnexecution.control.FnApiControlClient.handle(FnApiControlClient.java:180)\n";
        insta::assert_snapshot!(found(&[("err", err)]), @r#"
        PythonTraceback in err
        ValueError: invalid literal for int() with base 10: 'x'
        --
        Traceback (most recent call last):
          File "sdk_worker.py", line 289, in _execute
            response = task()
          File "wc.py", line 12, in bad
            return int(word)
        ValueError: invalid literal for int() with base 10: 'x'
        "#);
    }

    #[test]
    fn an_exception_of_flinks_own() {
        let err = "Traceback (most recent call last):\n  File \"wc.py\", line 30, in <module>\n    env.execute()\npy4j.protocol.Py4JJavaError: An error occurred while calling o1.execute.\n: org.apache.flink.runtime.client.JobExecutionException: Job execution failed.\n\tat org.apache.flink.runtime.jobmaster.JobResult.toJobExecutionResult(JobResult.java:144)\nCaused by: org.apache.flink.runtime.JobException: Recovery is suppressed by NoRestartBackoffTimeStrategy\n\tat org.apache.flink.runtime.X.y(X.java:1)\n\t... 4 more\nCaused by: java.io.IOException: No FileSystem for scheme: gs\n\tat org.apache.hadoop.fs.FileSystem.get(FileSystem.java:3)\n";
        insta::assert_snapshot!(found(&[("out", ""), ("err", err)]), @r"
        FlinkException in err
        java.io.IOException: No FileSystem for scheme: gs
        --
        Caused by: java.io.IOException: No FileSystem for scheme: gs
        	at org.apache.hadoop.fs.FileSystem.get(FileSystem.java:3)
        ");
    }

    #[test]
    fn the_users_traceback_wins_wherever_it_is() {
        let logs = "2026-11-22 14:52:39,104 WARN x [] - Source: file (1/1) switched from RUNNING to FAILED\njava.lang.RuntimeException: Error received from SDK harness for instruction 4: Traceback (most recent call last):\n  File \"wc.py\", line 2, in f\nKeyError: 'a'\n\tat org.apache.beam.X.y(X.java:1)\n";
        let err = "Caused by: java.io.IOException: broken\n\tat a.b(C.java:1)\n";
        assert!(
            found(&[("err", err), ("yarn", logs)])
                .starts_with("PythonTraceback in yarn\nKeyError: 'a'")
        );
    }

    #[test]
    fn without_any_exception_the_last_words_stand() {
        assert_eq!(
            found(&[("err", "\n"), ("out", "a\nCould not parse option -x\n\n")]),
            "LastWords in out\nCould not parse option -x\n--\na\nCould not parse option -x"
        );
        assert_eq!(found(&[("err", "")]), "nothing");
    }

    #[test]
    fn long_stacks_lose_their_middle() {
        let long = format!(
            "x.y.FooException: é\n{}",
            "\tat a.b(C.java:1)\n".repeat(2000)
        );
        let cause = find_cause(&[("err", &long)]).expect("found");
        assert!(cause.text.len() < LONGEST + 100 && cause.text.contains("bytes left out"));
    }
}
