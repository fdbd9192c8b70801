//! The Pig method: a Dataproc Pig job whose script fetches the launcher and runs it.

use flinkproc_core::GcsUri;
use serde_json::json;

use crate::carrier::{Carrier, Parcel, below, fingerprint, plain};
use crate::error::SubmitError;

const THROUGH: &str = "Pig's syntax";

/// Brings the launcher to the master as a Pig job of two lines.
///
/// Pig strips quotes, cuts lines at `;` and ` --`, and substitutes `$x` even in single quotes: nothing passes through it but
/// two names. It makes every failure a 5, so that the exit status is the launcher's own word in the bucket. When Pig is
/// ended its children live on: `setpriv` (util-linux 2.33) ties the launcher to it. From image 2.3 on the cluster needs the
/// component `PIG`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pig;

impl Pig {
    /// The method's name.
    pub const NAME: &'static str = "pig";
}

impl Carrier for Pig {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn pack(&self, script: &str, folder: &GcsUri) -> Result<Parcel, SubmitError> {
        // Other users of the master could read what lies in its temporary folder.
        let script = format!("rm -f -- \"$0\"\n{script}");
        let name = format!("bootstrap-{}.sh", fingerprint(script.as_bytes()));
        let object = below(folder, &name)?;
        let from = object.to_string();
        let from = plain(&from, THROUGH)?;
        // Two scripts with the same content are never in two folders: the attempt is part of it.
        let local = format!("/tmp/flinkproc-{name}");
        // Only a file that Pig's own user has just written there runs: the copy fails where something lies already.
        let queries = [
            format!("fs -copyToLocal {from} {local};"),
            format!("sh exec setpriv \"--pdeathsig\" TERM bash {local};"),
        ];
        Ok(Parcel {
            objects: vec![(object, script.into())],
            resource: json!({"pigJob": {"queryList": {"queries": queries}}}),
        })
    }
}

#[cfg(test)]
mod tests {
    use flinkproc_core::GcsUri;

    use super::Pig;
    use crate::carrier::Carrier as _;

    #[test]
    fn nothing_but_two_names_passes_through_pig() {
        let folder: GcsUri = "gs://buc-ket/runs/1/start/".parse().expect("address");
        let parcel = Pig.pack("echo 'it''s $5'", &folder).expect("packed");
        insta::assert_json_snapshot!(parcel.resource, @r#"
        {
          "pigJob": {
            "queryList": {
              "queries": [
                "fs -copyToLocal gs://buc-ket/runs/1/start/bootstrap-4b97899a43f51b98.sh /tmp/flinkproc-bootstrap-4b97899a43f51b98.sh;",
                "sh exec setpriv \"--pdeathsig\" TERM bash /tmp/flinkproc-bootstrap-4b97899a43f51b98.sh;"
              ]
            }
          }
        }
        "#);
        let (object, script) = parcel.objects.first().expect("one object");
        assert!(
            object
                .to_string()
                .starts_with("gs://buc-ket/runs/1/start/bootstrap-")
        );
        assert_eq!(script.as_ref(), b"rm -f -- \"$0\"\necho 'it''s $5'");
    }

    #[test]
    fn a_folder_that_pig_would_read_is_refused() {
        let folder: GcsUri = "gs://buc-ket/my $x/".parse().expect("address");
        let refused = Pig.pack("true", &folder).expect_err("refused");
        assert!(
            refused
                .to_string()
                .contains("does not pass through Pig's syntax"),
            "{refused}"
        );
    }
}
