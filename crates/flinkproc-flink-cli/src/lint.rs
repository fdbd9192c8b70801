//! Reads a hand-written `flink run` as Flink's own parser would, and says what would get lost.
//!
//! All of Flink's parsers contribute options, only the active one contributes values, and the first word that is no
//! option ends the parsing: what follows silently becomes the program's arguments. Observed with the parsers of 1.15.4, 1.17.0, 2.1.0 and 2.2.0.

use flinkproc_core::FlinkVersion;

use crate::error::FlinkCliError;
use crate::options::{Family, RunOption, find};

/// Checks the free-form arguments of `flink run`, with or without `flink` and `run` in front.
///
/// # Errors
/// On the first option that this version lacks, misreads or silently drops.
pub fn lint<S: AsRef<str>>(version: FlinkVersion, arguments: &[S]) -> Result<(), FlinkCliError> {
    let words: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    let mut words = words.as_slice();
    for front in ["flink", "run"] {
        words = words.strip_prefix(&[front]).unwrap_or(words);
    }
    let seen = read(version, words)?;
    mixed(&seen)
}

/// One option as it was written, and its value.
struct Seen<'a> {
    written: &'a str,
    value: Option<&'a str>,
    option: &'static RunOption,
}

fn read<'a>(version: FlinkVersion, words: &[&'a str]) -> Result<Vec<Seen<'a>>, FlinkCliError> {
    let mut seen: Vec<Seen<'_>> = Vec::new();
    let mut words = words.iter().copied();
    while let Some(written) = words.next() {
        if !written.starts_with('-') || written == "-" || written == "--" {
            break;
        }
        let (option, inline) = match recognise(version, written) {
            Ok(known) => known,
            // Behind the program an unknown option is the program's own.
            Err(_)
                if seen
                    .iter()
                    .any(|seen| matches!(seen.option.short, "py" | "pym")) =>
            {
                break;
            }
            Err(error) => return Err(error),
        };
        let value = match inline {
            None if option.value => Some(words.next().ok_or_else(|| {
                let option = written.to_owned();
                FlinkCliError::MissingValue { option }
            })?),
            inline => inline,
        };
        if let Some(path) = value.filter(|path| option.short == "py" && path.contains("://")) {
            let path = path.to_owned();
            return Err(FlinkCliError::RemoteScript { path });
        }
        seen.push(Seen {
            written,
            value,
            option,
        });
    }
    Ok(seen)
}

/// The option, and its value where that stands in the same word.
fn recognise(
    version: FlinkVersion,
    written: &str,
) -> Result<(&'static RunOption, Option<&str>), FlinkCliError> {
    let refuse = |reason: String| {
        let option = written.to_owned();
        Err(FlinkCliError::UnsupportedOption {
            version,
            option,
            reason,
        })
    };
    for prefix in ["-D", "-yD"] {
        let inline = written.strip_prefix(prefix).filter(|rest| !rest.is_empty());
        if let (Some(inline), Some(option)) = (inline, find(prefix)) {
            return Ok((option, Some(inline)));
        }
    }
    let (name, inline) = match written.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (written, None),
    };
    let Some(option) = find(name) else {
        return refuse(misread(name));
    };
    if option.is_in(version) {
        return Ok((option, inline));
    }
    match option.until.filter(|until| version.minor() >= *until) {
        Some((major, minor)) => refuse(format!("it was removed in Flink {major}.{minor}")),
        None => {
            let (major, minor) = option.since;
            refuse(format!(
                "it came with Flink {major}.{minor}; {}",
                misread(name)
            ))
        }
    }
}

/// What the parser makes of an option that it does not know.
fn misread(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("-p").filter(|rest| !rest.is_empty()) {
        return format!("it is read as `-p` with the value `{rest}`");
    }
    if let Some(rest) = name.strip_prefix("-c").filter(|rest| !rest.is_empty()) {
        return format!("it is read as `-c` with the value `{rest}`");
    }
    "it ends the parsing, and everything from it on silently becomes the program's arguments"
        .to_owned()
}

fn mixed(seen: &[Seen<'_>]) -> Result<(), FlinkCliError> {
    let of = |family: Family| seen.iter().find(|seen| seen.option.family == family);
    let target = seen
        .iter()
        .find(|seen| matches!(seen.option.short, "t" | "e"));
    let yarn_cluster = seen
        .iter()
        .find(|seen| seen.option.short == "m" && seen.value == Some("yarn-cluster"));
    let clash = match (target, yarn_cluster) {
        (Some(target), _) => of(Family::Yarn).or(yarn_cluster).map(|lost| (target, lost)),
        (None, Some(chosen)) => of(Family::Generic).map(|lost| (chosen, lost)),
        // `-D` alone is read by nobody: without `-t` the generic parser sleeps.
        (None, None) => of(Family::Yarn).zip(of(Family::Generic)),
    };
    match clash {
        None => Ok(()),
        Some((chosen, dropped)) => {
            let text = |seen: &Seen<'_>| match (seen.option.short, seen.value) {
                ("m", Some(value)) | ("t", Some(value)) => format!("{} {value}", seen.written),
                _ => seen.written.to_owned(),
            };
            let (chosen, dropped) = (text(chosen), text(dropped));
            Err(FlinkCliError::MixedOptions { chosen, dropped })
        }
    }
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
            "-m yarn-cluster -yjm 1024m -yDa=b -ynm x a.jar",
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
            "Flink 1.17 has no option `-pypath`: it came with Flink 1.18; it is read as `-p` with the value `ypath`",
        );
        check(
            "1.19",
            "-cm claim",
            "Flink 1.19 has no option `-cm`: it came with Flink 1.20; it is read as `-c` with the value `m`",
        );
        check(
            "1.17",
            "-py-files x",
            "Flink 1.17 has no option `-py-files`: it is read as `-p` with the value `y-files`",
        );
        check(
            "2.1",
            "-yd a.jar",
            "Flink 2.1 has no option `-yd`: it was removed in Flink 2.0",
        );
        check(
            "1.17",
            "--jars x.jar",
            "Flink 1.17 has no option `--jars`: it ends the parsing, and everything from it on silently becomes the program's arguments",
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
