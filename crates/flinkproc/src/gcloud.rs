//! The active gcloud configuration: project, region and zone that the user has chosen there.
//!
//! The files are those that `gcloud config configurations` keeps: `active_config` names one of `configurations/config_*`,
//! an INI file with the sections `core`, `dataproc` and `compute`.

use std::fs;
use std::path::PathBuf;

use crate::environment::Environment;

/// What gcloud's active configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GcloudConfiguration {
    /// `core/project`.
    pub(crate) project: Option<String>,
    /// `dataproc/region`, else `compute/region`.
    pub(crate) region: Option<String>,
    /// `compute/zone`.
    pub(crate) zone: Option<String>,
}

/// The directory in which gcloud keeps everything.
pub(crate) fn directory(environment: &Environment) -> PathBuf {
    let own = environment.path("CLOUDSDK_CONFIG");
    own.unwrap_or_else(|| environment.home().join(".config/gcloud"))
}

impl GcloudConfiguration {
    /// Reads the active configuration; empty where gcloud was never set up.
    #[must_use]
    pub(crate) fn read(environment: &Environment) -> Self {
        let directory = directory(environment);
        let active = environment
            .text("CLOUDSDK_ACTIVE_CONFIG_NAME")
            .map(str::to_owned);
        let active = active
            .or_else(|| fs::read_to_string(directory.join("active_config")).ok())
            .map_or_else(|| "default".to_owned(), |name| name.trim().to_owned());
        let file = directory
            .join("configurations")
            .join(format!("config_{active}"));
        Self::parse(&fs::read_to_string(file).unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let mut section = "";
        let (mut found, mut compute_region) = (Self::default(), None);
        for line in text.lines().map(str::trim) {
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                section = name.trim();
            } else if let Some((key, value)) = line.split_once('=') {
                let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
                match (section, key.trim()) {
                    ("core", "project") => found.project = value,
                    ("dataproc", "region") => found.region = value,
                    ("compute", "region") => compute_region = value,
                    ("compute", "zone") => found.zone = value,
                    _ => {}
                }
            }
        }
        found.region = found.region.or(compute_region);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::GcloudConfiguration;
    use crate::environment::Environment;

    #[test]
    fn dataproc_region_goes_before_compute_region() {
        let found = GcloudConfiguration::parse(
            "[core]\naccount = a@example.com\nproject = my-project\n\n[compute]\nregion = us-central1\nzone = us-central1-b\n[dataproc]\nregion = europe-west4\n",
        );
        assert_eq!(found.project.as_deref(), Some("my-project"));
        assert_eq!(found.region.as_deref(), Some("europe-west4"));
        assert_eq!(found.zone.as_deref(), Some("us-central1-b"));
        let found = GcloudConfiguration::parse("[compute]\nregion=us-central1\n");
        assert_eq!(found.region.as_deref(), Some("us-central1"));
    }

    #[test]
    fn the_active_configuration_is_the_one_that_is_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let configurations = directory.path().join("configurations");
        std::fs::create_dir(&configurations).expect("made");
        std::fs::write(directory.path().join("active_config"), "work\n").expect("written");
        std::fs::write(
            configurations.join("config_work"),
            "[core]\nproject = work-project\n",
        )
        .expect("written");
        std::fs::write(
            configurations.join("config_home"),
            "[core]\nproject = home-project\n",
        )
        .expect("written");
        let root = directory.path().to_str().expect("UTF-8");
        let read = |values: &[(&'static str, &str)]| {
            GcloudConfiguration::read(&Environment::of(values)).project
        };
        assert_eq!(
            read(&[("CLOUDSDK_CONFIG", root)]).as_deref(),
            Some("work-project")
        );
        let other = [
            ("CLOUDSDK_CONFIG", root),
            ("CLOUDSDK_ACTIVE_CONFIG_NAME", "home"),
        ];
        assert_eq!(read(&other).as_deref(), Some("home-project"));
        assert_eq!(read(&[("CLOUDSDK_CONFIG", "/nonexistent")]), None);
    }
}
