//! The PySpark method: a Dataproc PySpark job whose program is a wrapper around the launcher.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flinkproc_core::GcsUri;
use serde_json::json;

use crate::carrier::{Carrier, Parcel, below, fingerprint, plain};
use crate::error::SubmitError;

/// The wrapper, whole but for the script; Python 3.6 and later.
const WRAPPER: &str = include_str!("pyspark/wrapper.py");
const PLACE: &str = "@SCRIPT@";

/// Brings the launcher to the master as a Python program that Spark starts.
///
/// No Spark session is opened, so that no YARN application is made for Spark; its driver still takes memory of the master
/// (about 650 MB beside Flink's client and the wrapper).
#[derive(Clone, Copy, Debug, Default)]
pub struct PySpark;

impl PySpark {
    /// The method's name.
    pub const NAME: &'static str = "pyspark";
}

impl Carrier for PySpark {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn pack(&self, script: &str, folder: &GcsUri) -> Result<Parcel, SubmitError> {
        let wrapper = WRAPPER.replace(PLACE, &STANDARD.encode(script));
        let name = format!("flinkproc_{}.py", fingerprint(wrapper.as_bytes()));
        let object = below(folder, &name)?;
        let main = object.to_string();
        plain(&main, "Spark's command line")?;
        Ok(Parcel {
            objects: vec![(object, wrapper.into())],
            resource: json!({"pysparkJob": {"mainPythonFileUri": main}}),
        })
    }
}

#[cfg(test)]
mod tests {
    use flinkproc_core::GcsUri;

    use super::{PLACE, PySpark, WRAPPER};
    use crate::carrier::Carrier as _;

    #[test]
    fn the_script_is_data_of_the_wrapper() {
        assert_eq!(WRAPPER.matches(PLACE).count(), 1);
        let folder: GcsUri = "gs://buc-ket/runs/1/start/".parse().expect("address");
        let parcel = PySpark.pack("echo \"\"\" \\", &folder).expect("packed");
        insta::assert_json_snapshot!(parcel.resource, @r#"
        {
          "pysparkJob": {
            "mainPythonFileUri": "gs://buc-ket/runs/1/start/flinkproc_24453c4b239f44ab.py"
          }
        }
        "#);
        let (_, wrapper) = parcel.objects.first().expect("one object");
        let wrapper = String::from_utf8_lossy(wrapper);
        assert!(
            wrapper.contains("\nSCRIPT = \"ZWNobyAiIiIgXA==\"\n"),
            "{wrapper}"
        );
    }
}
