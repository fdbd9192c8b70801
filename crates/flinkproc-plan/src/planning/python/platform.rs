//! The machines' platform, for which wheels are chosen: the processor, and the C library where the image tells it.

use flinkproc_core::ImageVersion;

use crate::plan_error::PlanError;
use crate::planning::{BUILT_IN, Draft};

/// What was linked against a newer C library than the image's does not start there.
const DISTRIBUTIONS: [(&str, &str); 8] = [
    ("debian10", "2.28"),
    ("debian11", "2.31"),
    ("debian12", "2.36"),
    ("rocky8", "2.28"),
    ("rocky9", "2.34"),
    ("ubuntu18", "2.27"),
    ("ubuntu20", "2.31"),
    ("ubuntu22", "2.35"),
];

/// The distribution of an image line when none is named, where it is known: Debian's.
const DEFAULTS: [(&str, &str); 4] = [
    ("2.0", "debian10"),
    ("2.1", "debian11"),
    ("2.2", "debian12"),
    ("2.3", "debian12"),
];

/// The platform that is written, or else the cluster's.
pub(super) fn choose(draft: &mut Draft<'_>, image: &ImageVersion) -> Result<String, PlanError> {
    let cluster = &draft.spec().cluster;
    if let Some(written) = draft.spec().python.platform.clone() {
        if is_platform(&written) {
            return Ok(written);
        }
        return Err(PlanError::Invalid {
            at: draft.at("python.platform"),
            value: written,
            problem: "the platforms are `x86_64-linux-gnu` and `aarch64-linux-gnu`, also with the version of the C library: `x86_64-linux-gnu.2.36`".to_owned(),
        });
    }
    let arm = [&cluster.master.machine_type, &cluster.workers.machine_type]
        .into_iter()
        .flatten()
        .any(|machine| machine.starts_with("t2a-") || machine.starts_with("c4a-"));
    let processor = if arm { "aarch64" } else { "x86_64" };
    let (library, source) = match library(image) {
        None => (String::new(), BUILT_IN.to_owned()),
        Some(version) => (format!(".{version}"), format!("image {image}")),
    };
    let platform = format!("{processor}-linux-gnu{library}");
    draft.note("python.platform", &platform, source);
    Ok(platform)
}

/// The version of the image's C library, where the image tells.
fn library(image: &ImageVersion) -> Option<&'static str> {
    let named = image.as_str().strip_prefix(image.line())?;
    let named = named.split_once('-').map(|(_, name)| name);
    let default = || DEFAULTS.iter().find(|(line, _)| *line == image.line());
    let name = match named {
        Some(name) => name,
        None => default()?.1,
    };
    let known = DISTRIBUTIONS
        .iter()
        .find(|(known, _)| name.starts_with(known));
    known.map(|(_, version)| *version)
}

fn is_platform(text: &str) -> bool {
    let rest = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
        .iter()
        .find_map(|platform| text.strip_prefix(platform));
    match rest.map(|rest| rest.strip_prefix('.').unwrap_or(rest)) {
        None => false,
        Some("") => !text.ends_with('.'),
        Some(version) => {
            version.split('.').count() == 2
                && version.split('.').all(|part| part.parse::<u16>().is_ok())
                && rest.is_some_and(|rest| rest.starts_with('.'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{is_platform, library};

    #[test]
    fn the_image_tells_the_c_library() {
        let check = |image: &str, expected: Option<&str>| {
            assert_eq!(library(&image.parse().expect("known")), expected, "{image}");
        };
        check("2.2", Some("2.36"));
        check("2.2.31-ubuntu22", Some("2.35"));
        check("2.1-rocky8", Some("2.28"));
        check("2.1.15-debian11", Some("2.31"));
        check("3.0", None);
        check("3.0-debian12", Some("2.36"));
        check("2.2-alpine", None);
        check("sandbox-1.20", None);
    }

    #[test]
    fn a_platform_may_name_its_c_library() {
        let check = |text: &str, fits| assert_eq!(is_platform(text), fits, "{text}");
        check("x86_64-linux-gnu", true);
        check("aarch64-linux-gnu.2.36", true);
        check("x86_64-linux-gnu.", false);
        check("x86_64-linux-gnu.2", false);
        check("x86_64-linux-gnu2.36", false);
        check("x86_64-linux-gnu.2.x", false);
        check("x86_64-linux-musl", false);
        check("windows", false);
    }
}
