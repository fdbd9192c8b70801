//! Pins and hashes as text: what goes into a lock, and whether one that was given can be used.

use std::fmt::Write as _;

use flinkproc_core::FlinkVersion;

use crate::error::EnvError;
use crate::request::{EnvironmentRequest, Lock};

/// The Java part of PyFlink, an sdist of 230 MB: whoever starts a job has it from Flink itself, and workers never load it.
pub const JAVA_PART: &str = "apache-flink-libraries";

/// Packages that PyFlink needs and that exist as source only, all pure Python; nothing else is ever built from source.
pub const SOURCE_ONLY: [&str; 6] = ["avro-python3", "crcmod", "dill", "docopt", "future", "hdfs"];

/// One package of a lock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// Normalised: lower case, hyphens.
    pub name: String,
    /// The exact version.
    pub version: String,
    /// The environment marker, when it has one.
    pub marker: Option<String>,
    /// SHA-256 of each file that will do, in lower-case hexadecimal.
    pub hashes: Vec<String>,
}

/// The name as the index compares it: lower case, runs of `-_.` as one hyphen.
#[must_use]
pub fn normal_name(name: &str) -> String {
    let mut normal = String::new();
    for character in name.trim().chars() {
        if matches!(character, '-' | '_' | '.') {
            if !normal.ends_with('-') {
                normal.push('-');
            }
        } else {
            normal.extend(character.to_lowercase());
        }
    }
    normal
}

/// The requirements that a resolver gets: the user's, and PyFlink in exactly the cluster's version.
///
/// # Errors
/// [`EnvError::InvalidRequirement`] for what means something on this machine only.
pub fn wanted(request: &EnvironmentRequest) -> Result<Vec<String>, EnvError> {
    // Beam imports `pkg_resources` without saying so until Flink 1.20 did; setuptools 82 has it no more.
    let mut wanted = vec![
        format!("apache-flink=={}", request.flink),
        "setuptools<82".to_owned(),
    ];
    for (index, line) in request.requirements.lines().enumerate() {
        let text = line.split(" #").next().unwrap_or_default().trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let why = if text.starts_with("-e") || text.starts_with("--editable") {
            Some("installs from a folder of this machine")
        } else if text.starts_with('-') {
            Some("is an option of pip, not a package")
        } else if text.ends_with('\\') {
            Some("goes on in the next line: give a text with hashes as the lock instead")
        } else if text.contains("--hash") {
            Some("has hashes: give the text as the lock instead")
        } else if text.contains("://") {
            Some("names an address instead of a version in the index")
        } else if text.starts_with(['.', '/']) || text.ends_with(".whl") {
            Some("names a file of this machine")
        } else if !text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            Some("does not begin with a package's name")
        } else {
            None
        };
        if let Some(why) = why {
            return Err(EnvError::InvalidRequirement {
                line: index + 1,
                text: text.to_owned(),
                why,
            });
        }
        wanted.push(text.to_owned());
    }
    Ok(wanted)
}

/// Reads a lock: comments, and requirements with `==` and hashes, which may go on after a backslash.
///
/// # Errors
/// [`EnvError::InvalidLock`] with the line.
pub fn read(text: &str) -> Result<Vec<Pin>, EnvError> {
    let mut pins = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, first)) = lines.next() {
        let mut whole = String::new();
        let mut line = Some(first);
        while let Some(part) = line.take() {
            let part = part.trim();
            let (part, goes_on) = part
                .strip_suffix('\\')
                .map_or((part, false), |it| (it, true));
            whole.push_str(part);
            whole.push(' ');
            if goes_on {
                line = lines.next().map(|(_, next)| next);
            }
        }
        let whole = whole.split(" #").next().unwrap_or_default().trim();
        if whole.is_empty() || whole.starts_with('#') {
            continue;
        }
        pins.push(pin(whole).map_err(|why| EnvError::InvalidLock {
            line: index + 1,
            why,
        })?);
    }
    Ok(pins)
}

fn pin(line: &str) -> Result<Pin, String> {
    if line.starts_with('-') {
        return Err(format!(
            "has the option `{line}`, which belongs to the tool"
        ));
    }
    let mut parts = line.split(" --hash");
    let requirement = parts.next().unwrap_or_default().trim();
    let (spec, marker) = requirement
        .split_once(';')
        .map_or((requirement, None), |(spec, marker)| {
            (spec, Some(marker.trim().to_owned()))
        });
    let (name, version) = spec
        .split_once("==")
        .filter(|(_, version)| !version.contains(['*', ',', '=']))
        .ok_or_else(|| format!("`{requirement}` has no exact version (`==`)"))?;
    let name = name.split('[').next().unwrap_or_default();
    let mut hashes = Vec::new();
    for hash in parts {
        let hash = hash.trim_start_matches(['=', ' ']).trim();
        let digits = hash
            .strip_prefix("sha256:")
            .ok_or_else(|| format!("has the hash `{hash}`, which is no SHA-256"))?;
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("has the hash `{hash}`, which is no SHA-256"));
        }
        hashes.push(digits.to_ascii_lowercase());
    }
    if hashes.is_empty() {
        return Err(format!("`{requirement}` has no `--hash=sha256:…`"));
    }
    hashes.sort();
    hashes.dedup();
    Ok(Pin {
        name: normal_name(name),
        version: version.trim().to_owned(),
        marker,
        hashes,
    })
}

/// Makes the lock of a request from its packages: sorted, without PyFlink's Java part, headed by what it is for.
///
/// # Errors
/// [`EnvError::InvalidLock`] when PyFlink is missing or of another version.
pub fn compose(request: &EnvironmentRequest, mut pins: Vec<Pin>) -> Result<Lock, EnvError> {
    let invalid = |why: String| EnvError::InvalidLock { line: 0, why };
    pins.retain(|pin| pin.name != JAVA_PART);
    pins.sort();
    pins.dedup();
    let flink: FlinkVersion = request.flink;
    let pyflink = pins
        .iter()
        .find(|pin| pin.name == "apache-flink")
        .ok_or_else(|| invalid(format!("does not hold apache-flink=={flink}")))?;
    if pyflink.version != flink.to_string() {
        return Err(invalid(format!(
            "holds apache-flink=={}, and the cluster has {flink}",
            pyflink.version
        )));
    }
    let mut text = format!(
        "# Python {}, apache-flink {flink}, {}\n",
        request.python, request.platform
    );
    for pin in &pins {
        let _ = write!(text, "{}=={}", pin.name, pin.version);
        if let Some(marker) = &pin.marker {
            let _ = write!(text, " ; {marker}");
        }
        for hash in &pin.hashes {
            let _ = write!(text, " \\\n    --hash=sha256:{hash}");
        }
        text.push('\n');
    }
    Ok(Lock::new(text))
}

/// The lock that came with a request, checked.
///
/// # Errors
/// [`EnvError::InvalidLock`].
pub fn given(request: &EnvironmentRequest) -> Option<Result<Lock, EnvError>> {
    let text = request.lock.as_deref()?;
    Some(read(text).and_then(|pins| compose(request, pins)))
}

/// Refuses a PyFlink that does not exist for that Python, before anything is asked of an index.
///
/// # Errors
/// [`EnvError::NoPyFlink`].
pub fn check_wheels(request: &EnvironmentRequest) -> Result<(), EnvError> {
    let (lowest, highest) = request.flink.python_wheels();
    if (lowest..=highest).contains(&request.python) {
        return Ok(());
    }
    Err(EnvError::NoPyFlink {
        flink: request.flink,
        python: request.python,
        lowest,
        highest,
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{check_wheels, given, normal_name, read, wanted};
    use crate::request::EnvironmentRequest;

    fn request(requirements: &str, lock: Option<&str>) -> EnvironmentRequest {
        EnvironmentRequest {
            python: "3.10".parse().expect("python"),
            flink: "1.17.0".parse().expect("flink"),
            platform: "x86_64-linux-gnu".to_owned(),
            requirements: requirements.to_owned(),
            lock: lock.map(str::to_owned),
            index_url: None,
        }
    }

    #[test]
    fn requirements_name_packages_and_nothing_else() {
        let good = wanted(&request(
            "# ours\nrequests>=2 # why\n\nscipy[x]==1.0 ; python_version>'3'\n",
            None,
        ));
        assert_eq!(
            good.expect("good"),
            [
                "apache-flink==1.17.0",
                "setuptools<82",
                "requests>=2",
                "scipy[x]==1.0 ; python_version>'3'"
            ]
        );
        let told = |line: &str| wanted(&request(line, None)).expect_err(line).to_string();
        let all: Vec<_> = [
            "-r other.txt",
            "-e .",
            "./mine",
            "a.whl",
            "a @ git+ssh://x/y",
            "a==1 --hash=sha256:0",
            "a==1 \\",
            "==3",
        ]
        .map(told)
        .into();
        assert_snapshot!(all.join("\n"), @r#"
        line 1 of the requirements, `-r other.txt`, is an option of pip, not a package
        line 1 of the requirements, `-e .`, installs from a folder of this machine
        line 1 of the requirements, `./mine`, names a file of this machine
        line 1 of the requirements, `a.whl`, names a file of this machine
        line 1 of the requirements, `a @ git+ssh://x/y`, names an address instead of a version in the index
        line 1 of the requirements, `a==1 --hash=sha256:0`, has hashes: give the text as the lock instead
        line 1 of the requirements, `a==1 \`, goes on in the next line: give a text with hashes as the lock instead
        line 1 of the requirements, `==3`, does not begin with a package's name
        "#);
    }

    #[test]
    fn a_lock_that_was_given_is_taken_without_the_java_part() {
        let hash = "0".repeat(64);
        let text = format!(
            "# mine\napache_flink==1.17.0 \\\n  --hash=sha256:{hash} \\\n  --hash=sha256:{hash}\n    # via x\napache-flink-libraries==1.17.0 --hash=sha256:{hash}\nPy4J==1 ; sys_platform == 'linux' --hash=sha256:{hash}\n"
        );
        let lock = given(&request("", Some(&text)))
            .expect("given")
            .expect("good");
        let shown = lock.text.replace(&hash, "0…0");
        assert_snapshot!(shown, @r#"
        # Python 3.10, apache-flink 1.17.0, x86_64-linux-gnu
        apache-flink==1.17.0 \
            --hash=sha256:0…0
        py4j==1 ; sys_platform == 'linux' \
            --hash=sha256:0…0
        "#);
        let again = given(&request("", Some(&lock.text)))
            .expect("given")
            .expect("good");
        assert_eq!(again, lock, "a lock is its own lock");
    }

    #[test]
    fn a_lock_that_leaves_something_open_is_refused() {
        let hash = "0".repeat(64);
        let told = |text: &str| {
            let answer = given(&request("", Some(text))).expect("given");
            answer.expect_err(text).to_string().replace(&hash, "0…0")
        };
        let all: Vec<_> = [
            "a>=1".to_owned(),
            "\na==1".to_owned(),
            format!("a==1.* --hash=sha256:{hash}"),
            "a==1 --hash=md5:00".to_owned(),
            "--index-url x".to_owned(),
            format!("a==1 --hash=sha256:{hash}"),
            format!("apache-flink==1.16.0 --hash=sha256:{hash}"),
        ]
        .iter()
        .map(|text| told(text))
        .collect();
        assert_snapshot!(all.join("\n"), @r#"
        the lock cannot be used: line 1 `a>=1` has no exact version (`==`)
        the lock cannot be used: line 2 `a==1` has no `--hash=sha256:…`
        the lock cannot be used: line 1 `a==1.*` has no exact version (`==`)
        the lock cannot be used: line 1 has the hash `md5:00`, which is no SHA-256
        the lock cannot be used: line 1 has the option `--index-url x`, which belongs to the tool
        the lock cannot be used: line 0 does not hold apache-flink==1.17.0
        the lock cannot be used: line 0 holds apache-flink==1.16.0, and the cluster has 1.17.0
        "#);
    }

    #[test]
    fn names_are_compared_as_the_index_does() {
        assert_eq!(normal_name("Ruamel.YAML__clib"), "ruamel-yaml-clib");
        assert_eq!(read("").expect("empty"), []);
        let mut request = request("", None);
        assert!(check_wheels(&request).is_ok());
        request.python = "3.11".parse().expect("python");
        let error = check_wheels(&request).expect_err("no wheel");
        assert_snapshot!(error, @"apache-flink 1.17.0 has wheels for Python 3.7 to 3.10, not 3.11");
    }
}
