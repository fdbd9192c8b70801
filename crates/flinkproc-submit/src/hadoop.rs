//! The Hadoop method: a Dataproc Hadoop job whose main class runs the launcher.

use flinkproc_core::GcsUri;
use serde_json::json;

use crate::carrier::{Carrier, Parcel, below, fingerprint, plain};
use crate::error::SubmitError;

/// Our main class, built from `launcher-jar/src` (a test rebuilds it and compares).
const JAR: &[u8] = include_bytes!("../launcher-jar/launcher.jar");

/// Brings the launcher to the master as a Hadoop job: a small Java main runs it in the foreground.
///
/// The lightest of the three that Dataproc runs: Hadoop's own `RunJar` passes exit status and SIGTERM on, and no component
/// beyond Hadoop is needed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hadoop;

impl Hadoop {
    /// The method's name.
    pub const NAME: &'static str = "hadoop";
}

impl Carrier for Hadoop {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn pack(&self, script: &str, folder: &GcsUri) -> Result<Parcel, SubmitError> {
        let name = format!("bootstrap-{}.sh", fingerprint(script.as_bytes()));
        let (object, jar) = (below(folder, &name)?, below(folder, "launcher.jar")?);
        let (uri, main) = (object.to_string(), jar.to_string());
        plain(&uri, "Hadoop's command line")?;
        Ok(Parcel {
            objects: vec![(object, script.to_owned().into()), (jar, JAR.into())],
            // Files of the job lie in the driver's working directory.
            resource: json!({"hadoopJob": {"mainJarFileUri": main, "fileUris": [uri], "args": [name]}}),
        })
    }
}

#[cfg(test)]
mod tests {
    use flinkproc_core::GcsUri;

    use super::Hadoop;
    use crate::carrier::Carrier as _;

    #[test]
    fn the_main_class_is_told_no_more_than_the_scripts_name() {
        let folder: GcsUri = "gs://buc-ket/runs/1/start/".parse().expect("address");
        let parcel = Hadoop.pack("true", &folder).expect("packed");
        insta::assert_json_snapshot!(parcel.resource, @r#"
        {
          "hadoopJob": {
            "mainJarFileUri": "gs://buc-ket/runs/1/start/launcher.jar",
            "fileUris": [
              "gs://buc-ket/runs/1/start/bootstrap-b5bea41b6c623f7c.sh"
            ],
            "args": [
              "bootstrap-b5bea41b6c623f7c.sh"
            ]
          }
        }
        "#);
    }
}
