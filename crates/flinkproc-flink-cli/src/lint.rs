//! Reads free-form arguments of `flink run` as Flink's own parser would, and refuses what would get lost.
//!
//! The first of [`crate::diagnosis`]'s findings that breaks a line, as an error: for callers that build on the line instead of
//! showing what is wrong with it.

use flinkproc_core::FlinkVersion;

use crate::diagnosis::{Finding, Rule, diagnose};
use crate::error::FlinkCliError;

/// Checks the free-form arguments of `flink run`, with or without `flink` and `run` in front.
///
/// # Errors
/// On the first option that this version lacks, misreads or silently drops.
pub fn lint<S: AsRef<str>>(version: FlinkVersion, arguments: &[S]) -> Result<(), FlinkCliError> {
    let given = arguments.iter().map(AsRef::as_ref);
    let front = ["flink", "run"];
    let mut words: Vec<&str> = front.to_vec();
    words.extend(given);
    if words.get(2) == Some(&"flink") {
        words.remove(2);
    }
    if words.get(2) == Some(&"run") {
        words.remove(2);
    }
    let said = diagnose(version, &words);
    let refused = said
        .findings
        .iter()
        .find_map(|finding| refusal(version, &words, finding));
    refused.map_or(Ok(()), Err)
}

fn refusal(version: FlinkVersion, words: &[&str], finding: &Finding) -> Option<FlinkCliError> {
    let word = words
        .get(finding.words.start)
        .copied()
        .unwrap_or_default()
        .to_owned();
    let name = word.split('=').next().unwrap_or_default().to_owned();
    Some(match finding.rule {
        Rule::Dropped => {
            // `-m yarn-cluster` is only whole with its value.
            let dropped = match words.get(finding.words.start + 1) {
                Some(value) if matches!(name.as_str(), "-m" | "--jobmanager") => {
                    format!("{word} {value}")
                }
                _ => word,
            };
            let target = words
                .windows(2)
                .find(|pair| matches!(pair[0], "-t" | "--target" | "-e" | "--executor"));
            let manager = words.windows(2).find(|pair| pair[0] == "-m");
            let chosen = match (target, manager) {
                (Some([option, value]), _) => format!("{option} {value}"),
                (None, Some([option, value])) if *value == "yarn-cluster" => {
                    format!("{option} {value}")
                }
                _ => match words.iter().find(|word| **word == "-yid") {
                    Some(word) => (*word).to_owned(),
                    // Alone, they go with what is put before them.
                    None => return None,
                },
            };
            FlinkCliError::MixedOptions { chosen, dropped }
        }
        Rule::Misread | Rule::EndsParsing => FlinkCliError::UnsupportedOption {
            version,
            option: name,
            reason: format!("{}; {}", finding.happens, finding.why),
        },
        Rule::RemoteScript => FlinkCliError::RemoteScript {
            path: words
                .get(finding.words.start + 1)
                .copied()
                .unwrap_or_default()
                .to_owned(),
        },
        Rule::Refused => FlinkCliError::MissingValue { option: name },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::lint;

    fn check(version: &str, line: &str, expected: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let said = lint(version.parse().expect("version"), &words);
        let said = said.map_or_else(|error| error.to_string(), |()| "fine".to_owned());
        assert_eq!(said, expected, "{line}");
    }

    #[test]
    fn what_flink_reads_whole_passes() {
        check(
            "1.17",
            "flink run -t yarn-per-job -Da=b -p 4 -py a.py --any -ynm x",
            "fine",
        );
        check(
            "1.17",
            "-m yarn-cluster -yjm 1024m -yD a=b -ynm x a.jar",
            "fine",
        );
        check("1.17", "run -t yarn-per-job -D a=b -py a.py", "fine");
        check(
            "1.17",
            "--target=yarn-session -Dyarn.application.id=x -py a.py",
            "fine",
        );
        check("1.18", "-t yarn-per-job -pypath /x -py a.py", "fine");
    }

    #[test]
    fn mixed_families_are_refused() {
        check(
            "1.17",
            "-t yarn-per-job -ynm x -py a.py",
            "Flink drops `-ynm` silently beside `-t yarn-per-job`",
        );
        check(
            "1.17",
            "-m yarn-cluster -Dk=v -py a.py",
            "Flink drops `-Dk=v` silently beside `-m yarn-cluster`",
        );
        check(
            "1.17",
            "-t yarn-per-job -m yarn-cluster -py a.py",
            "Flink drops `-m yarn-cluster` silently beside `-t yarn-per-job`",
        );
        check(
            "1.17",
            "-yid application_1_1 -Dk=v a.jar",
            "Flink drops `-Dk=v` silently beside `-yid`",
        );
    }

    #[test]
    fn what_a_version_lacks_is_refused_with_what_it_would_be_read_as() {
        check(
            "1.17",
            "-t yarn-per-job -pypath /x -py a.py",
            "Flink 1.17 has no option `-pypath`: Flink 1.17 reads `-pypath` as `-p` with the value `ypath`; it came with Flink 1.18",
        );
        check(
            "1.19",
            "-cm claim",
            "Flink 1.19 has no option `-cm`: Flink 1.19 reads `-cm` as `-c` with the value `m`; it came with Flink 1.20",
        );
        check(
            "1.17",
            "-py-files x",
            "Flink 1.17 has no option `-py-files`: Flink 1.17 reads `-py-files` as `-p` with the value `y-files`; no version has an option of that name",
        );
        check(
            "2.1",
            "-yd a.jar",
            "Flink 2.1 has no option `-yd`: Flink 2.1 does not know `-yd`: it ends the parsing, and everything from there on becomes arguments of the program, without a word; Flink 2.0 took it away",
        );
        check(
            "1.17",
            "--jars x.jar",
            "Flink 1.17 has no option `--jars`: Flink 1.17 does not know `--jars`: it ends the parsing, and everything from there on becomes arguments of the program, without a word; no version has it",
        );
    }

    #[test]
    fn a_script_in_a_bucket_is_refused() {
        check(
            "1.17",
            "-t yarn-per-job -py gs://bucket/a.py",
            "`-py` takes a path on the master and cannot read `gs://bucket/a.py`",
        );
        check(
            "1.17",
            "-t yarn-per-job -py",
            "the option `-py` needs a value",
        );
    }
}
