//! The file behind `cluster.from`: a Cluster resource in YAML, as `gcloud dataproc clusters export` writes it.

use flinkproc_core::ImageVersion;
use serde_json::{Map, Value};

use super::Draft;
use crate::files::{LocalFact, in_folder};
use crate::plan_error::PlanError;

/// What Dataproc writes and does not take back.
const OUTPUT_ONLY: [&str; 6] = [
    "clusterUuid",
    "status",
    "statusHistory",
    "metrics",
    "projectId",
    "clusterName",
];

/// Maps whose values Dataproc's API takes as text only.
const TEXT_MAPS: [&[&str]; 3] = [
    &["labels"],
    &["config", "softwareConfig", "properties"],
    &["config", "gceClusterConfig", "metadata"],
];

/// The resource that typed keys go over; empty without a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClusterFile {
    path: String,
    pub(crate) resource: Value,
}

/// Reads the file, if the spec names one.
pub(super) fn read(draft: &Draft<'_>) -> Result<ClusterFile, PlanError> {
    let Some(from) = &draft.spec().cluster.from else {
        return Ok(ClusterFile {
            path: String::new(),
            resource: Value::Object(Map::new()),
        });
    };
    let path = in_folder(&draft.request.folder, from);
    let Some(text) = draft.request.files.texts.get(&path) else {
        let at = draft.at("cluster.from");
        return Err(match draft.request.files.files.get(&path) {
            Some(LocalFact::Directory) => PlanError::FileIsDirectory { at, path },
            Some(LocalFact::Unreadable(reason)) => PlanError::FileUnreadable {
                at,
                path,
                reason: reason.clone(),
            },
            _ => PlanError::FileMissing { at, path },
        });
    };
    ClusterFile::parse(path, text)
}

impl ClusterFile {
    fn parse(path: String, text: &str) -> Result<Self, PlanError> {
        let wrong = |problem: String| PlanError::ClusterFile {
            path: path.clone(),
            problem,
        };
        // Only true and false are truth values: `no` is a text, as in YAML 1.2.
        let options = serde_saphyr::options! { strict_booleans: true };
        let mut resource: Value = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| wrong(error.without_snippet().to_string()))?;
        let Some(map) = resource.as_object_mut() else {
            return Err(wrong("it holds no map at its top".to_owned()));
        };
        for key in OUTPUT_ONLY {
            map.remove(key);
        }
        if map.contains_key("virtualClusterConfig") {
            return Err(wrong("it describes a cluster on GKE".to_owned()));
        }
        if !map.get("config").is_some_and(Value::is_object) {
            return Err(wrong("it has no `config`".to_owned()));
        }
        for keys in TEXT_MAPS {
            let entries = keys
                .iter()
                .try_fold(&resource, |value, key| value.get(key))
                .and_then(Value::as_object);
            let bare = entries
                .into_iter()
                .flatten()
                .find(|(_, value)| !value.is_string());
            if let Some((key, _)) = bare {
                let keys = keys.join(".");
                return Err(wrong(format!(
                    "put the value of `{key}` in `{keys}` in quotes"
                )));
            }
        }
        Ok(Self { path, resource })
    }

    /// The text at a path of keys.
    pub(super) fn text(&self, keys: &[&str]) -> Option<&str> {
        keys.iter()
            .try_fold(&self.resource, |value, key| value.get(key))?
            .as_str()
    }

    /// The image that the file names.
    pub(super) fn image(&self) -> Result<Option<ImageVersion>, PlanError> {
        self.text(&["config", "softwareConfig", "imageVersion"])
            .map(|text| {
                text.parse()
                    .map_err(|error: flinkproc_core::image::UnknownVersion| {
                        PlanError::ClusterFile {
                            path: self.path.clone(),
                            problem: error.to_string(),
                        }
                    })
            })
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::ClusterFile;

    fn check(text: &str) -> String {
        match ClusterFile::parse("cluster.yaml".to_owned(), text) {
            Ok(file) => file.resource.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_dataproc_wrote_goes_and_all_else_stays() {
        let text = "clusterName: old\nclusterUuid: x\nstatus: {state: RUNNING}\nconfig:\n  gceClusterConfig:\n    \
                    zoneUri: no\n    shieldedInstanceConfig: {enableSecureBoot: true}\n  unknownThing: [1, 2]\n";
        insta::assert_snapshot!(check(text), @r#"{"config":{"gceClusterConfig":{"zoneUri":"no","shieldedInstanceConfig":{"enableSecureBoot":true}},"unknownThing":[1,2]}}"#);
    }

    #[test]
    fn what_is_no_cluster_is_refused() {
        insta::assert_snapshot!(check("- a\n"), @"`cluster.yaml` is no cluster as `gcloud dataproc clusters export` writes it: it holds no map at its top");
        insta::assert_snapshot!(check("a: 1\n"), @"`cluster.yaml` is no cluster as `gcloud dataproc clusters export` writes it: it has no `config`");
        insta::assert_snapshot!(check("a: [1\nb: 2\n"), @"`cluster.yaml` is no cluster as `gcloud dataproc clusters export` writes it: illegal placement of ':' indicator at line 2, column 2");
        insta::assert_snapshot!(check("config: {}\nvirtualClusterConfig: {}\n"), @"`cluster.yaml` is no cluster as `gcloud dataproc clusters export` writes it: it describes a cluster on GKE");
        insta::assert_snapshot!(check("config: {softwareConfig: {properties: {'a:b': 1.50}}}\n"), @"`cluster.yaml` is no cluster as `gcloud dataproc clusters export` writes it: put the value of `a:b` in `config.softwareConfig.properties` in quotes");
    }
}
