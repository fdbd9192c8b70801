//! [`Carrier`]: one kind of Dataproc job that can bring a script to the master and run it there.

use std::fmt::Debug;

use bytes::Bytes;
use flinkproc_core::GcsUri;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::SubmitError;

/// One kind of Dataproc job, as a way for a `bash` script to get to the master.
///
/// What comes out must run the script in the foreground on the master as the driver's user, hand on what it says, and end it
/// (SIGTERM) when the driver is ended. No part of the job itself passes through the job type's own syntax: only names.
pub trait Carrier: Debug + Send + Sync + 'static {
    /// The method's name in specs and on the command line, such as `pig`.
    fn name(&self) -> &'static str;

    /// Packs a script that is to lie, with all that goes with it, in this folder of the bucket. Pure.
    ///
    /// # Errors
    /// [`SubmitError::UnsafeName`] when the folder's name does not pass through the job type's syntax.
    fn pack(&self, script: &str, folder: &GcsUri) -> Result<Parcel, SubmitError>;
}

/// A script on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Parcel {
    /// The objects that have to be in the bucket before the job is submitted.
    pub objects: Vec<(GcsUri, Bytes)>,
    /// The Dataproc v1 `Job` resource, but for reference, placement and labels.
    pub resource: Value,
}

/// The first 16 digits of a text's SHA-256, for names that nobody else has.
pub(crate) fn fingerprint(text: &[u8]) -> String {
    let digest = Sha256::digest(text);
    let digits = digest.iter().take(8).map(|byte| format!("{byte:02x}"));
    digits.collect()
}

/// A name below a folder.
pub(crate) fn below(folder: &GcsUri, name: &str) -> Result<GcsUri, SubmitError> {
    folder.join(name).map_err(|_| SubmitError::place(folder))
}

/// An address that no shell, URL parser or Pig reads as anything else: letters, digits and `._/-=,@:+`, and nothing that
/// opens one of Pig's comments.
///
/// # Errors
/// [`SubmitError::UnsafeName`], naming the syntax that it would `through`.
pub(crate) fn plain<'a>(name: &'a str, through: &'static str) -> Result<&'a str, SubmitError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._/-=,@:+".contains(c);
    let path = name.strip_prefix("gs://").unwrap_or(name);
    let problem = if !name.chars().all(is_plain) {
        "it holds something else than letters, digits and `._/-=,@:+`"
    } else if path.contains("--") || path.contains("//") {
        "it holds `--` or `//`, which begin a comment or an empty name"
    } else {
        return Ok(name);
    };
    Err(SubmitError::UnsafeName {
        name: name.to_owned(),
        through,
        problem,
    })
}

#[cfg(test)]
mod tests {
    use super::{fingerprint, plain};

    #[test]
    fn only_plain_names_pass() {
        let check = |name: &str, passes: bool| {
            assert_eq!(plain(name, "Pig").is_ok(), passes, "{name}");
        };
        check("gs://buc-ket/flinkproc/deployments/etl-1/runs/1/a.sh", true);
        check("gs://b/a=1,c@d:e+f_g", true);
        for bad in ["a b", "a'b", "a;b", "$x", "a`b", "é", "a%20b", "a*", "a\\b"] {
            check(&format!("gs://b/{bad}"), false);
        }
        check("gs://b/a--b", false);
        check("gs://b//a", false);
    }

    #[test]
    fn fingerprints_are_sixteen_digits() {
        assert_eq!(fingerprint(b""), "e3b0c44298fc1c14");
    }
}
