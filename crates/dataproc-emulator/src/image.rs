//! Image versions and optional components: which there are, and which go together.

use crate::failure::ApiFailure;

/// Dataproc's images and the operating system of each when none is named.
const IMAGES: &[(&str, &str)] = &[
    ("2.0", "debian10"),
    ("2.1", "debian11"),
    ("2.2", "debian12"),
    ("2.3", "debian12"),
    ("3.0", "debian12"),
];
const SYSTEMS: &[&str] = &[
    "debian10",
    "debian11",
    "debian12",
    "rocky8",
    "rocky9",
    "ubuntu18",
    "ubuntu20",
    "ubuntu22",
    "ubuntu24",
    "ml-ubuntu22",
];
/// The default since 2024-09-13.
pub(crate) const DEFAULT_IMAGE: &str = "2.2";

/// The image version as the service answers it: with its operating system.
pub(crate) fn checked_image(asked: &str, of_runtime: &[String]) -> Result<String, ApiFailure> {
    if of_runtime.iter().any(|image| image == asked) {
        return Ok(asked.to_owned());
    }
    let (version, system) = asked.split_once('-').unwrap_or((asked, ""));
    let known = IMAGES.iter().find(|(minor, _)| {
        version.strip_prefix(minor).is_some_and(|patch| {
            let digits = patch.strip_prefix('.').unwrap_or_default();
            patch.is_empty() || !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
        })
    });
    match known {
        Some((_, default)) if system.is_empty() => Ok(format!("{version}-{default}")),
        Some(_) if SYSTEMS.contains(&system) => Ok(asked.to_owned()),
        _ => Err(ApiFailure::invalid_field(
            "cluster.config.software_config.image_version",
            format!("Selected software image version '{asked}' can not be found."),
        )),
    }
}

/// Refuses components that an image does not have, as Google's table of optional components and its release pages tell.
///
/// Images of a runtime's own take all. PIG is part of the images up to 2.2; whether naming it there is refused is not
/// documented, so it is let through.
pub(crate) fn check_components(image: &str, components: &[String]) -> Result<(), ApiFailure> {
    let refuse = |message: String| {
        let field = "cluster.config.software_config.optional_components";
        Err(ApiFailure::invalid_field(field, message))
    };
    let line = IMAGES.iter().map(|(minor, _)| *minor);
    let line = line.into_iter().find(|minor| {
        let rest = image.strip_prefix(minor);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
    });
    for (at, component) in components.iter().enumerate() {
        if component == "COMPONENT_UNSPECIFIED" {
            return refuse("Optional component must be specified".to_owned());
        }
        if components.iter().take(at).any(|other| other == component) {
            return refuse(format!("Optional component {component} is named twice"));
        }
        let has = |line: &str| match component.as_str() {
            "ANACONDA" => false,
            "DRUID" | "HBASE" | "PRESTO" => line == "2.0",
            "TRINO" => line != "2.0",
            "ICEBERG" | "DELTA" => !matches!(line, "2.0" | "2.1"),
            _ => true,
        };
        if line.is_some_and(|line| !has(line)) {
            return refuse(format!(
                "Component {component} is not supported on image version '{image}'"
            ));
        }
    }
    let named = |name: &str| components.iter().any(|component| component == name);
    if named("RANGER") && !named("SOLR") {
        return refuse("Component RANGER requires the component SOLR".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{check_components, checked_image};

    #[test]
    fn images_are_dataprocs_or_the_runtimes() {
        let of_runtime = ["sandbox-1.20".to_owned()];
        let check = |asked: &str, expected: Option<&str>| {
            let got = checked_image(asked, &of_runtime).ok();
            assert_eq!(got.as_deref(), expected, "{asked}");
        };
        check("sandbox-1.20", Some("sandbox-1.20"));
        check("2.2", Some("2.2-debian12"));
        check("2.2.70-ubuntu22", Some("2.2.70-ubuntu22"));
        check("2.20", None);
        check("2.2.x", None);
        check("2.2-windows", None);
    }

    #[test]
    fn images_have_some_components() {
        let check = |image: &str, components: &[&str], expected: bool| {
            let components: Vec<String> = components.iter().map(|&c| c.to_owned()).collect();
            let got = check_components(image, &components).is_ok();
            assert_eq!(got, expected, "{image} {components:?}");
        };
        for image in [
            "2.0-debian10",
            "2.1-debian11",
            "2.2-debian12",
            "2.3-debian12",
            "3.0-debian12",
        ] {
            check(
                image,
                &["FLINK", "JUPYTER", "DOCKER", "ZOOKEEPER", "PIG"],
                true,
            );
            check(image, &["ANACONDA"], false);
            check(image, &["COMPONENT_UNSPECIFIED"], false);
            check(image, &["FLINK", "FLINK"], false);
            check(image, &["RANGER"], false);
            check(image, &["RANGER", "SOLR"], true);
        }
        check("2.0.5-debian10", &["PRESTO", "HBASE", "DRUID"], true);
        check("2.1.5-debian11", &["PRESTO"], false);
        check("2.0", &["TRINO"], false);
        check("2.1", &["TRINO"], true);
        check("2.1", &["ICEBERG"], false);
        check("3.0", &["DELTA", "ICEBERG"], true);
        check("sandbox-1.20", &["ANACONDA"], true);
    }
}
