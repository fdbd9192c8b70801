//! The launcher's mirror: one attempt's folder in the bucket, by which a run is seen and bound without a way to the master.
//!
//! | object | written by | meaning |
//! |---|---|---|
//! | `job.json` | `submit` | the job, for actions on it |
//! | `gate` | whoever is first, the launcher (`started`) or `fence` (`fenced`) | whether the attempt starts |
//! | `cancel` | `cancel` | the wish to end it, for an attempt that has not started |
//! | `ids`, `sighting` | the launcher | as they stand |
//! | `out/<offset>`, `err/<offset>` | the launcher | pieces of output, named by twelve digits |
//! | `exit` | the launcher, last | how its program ended |
//! | `claims/<n>` | `act` | the action of this number is somebody's |
//! | `acts/<n>` | the launcher of an action | what came of it |

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use flinkproc_core::GcsUri;
use flinkproc_staging::{Content, Put, Staging, StagingError};

use crate::error::SubmitError;

/// No object that is read whole is larger.
const WHOLE: u64 = 16 << 20;
/// After so many bytes of one stream a look is full.
const FULL: usize = 1 << 20;

/// Who went through an attempt's gate first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    Started,
    Fenced,
}

/// One attempt's folder.
#[derive(Clone, Debug)]
pub(crate) struct Mirror<'a> {
    pub(crate) staging: &'a Arc<dyn Staging>,
    /// Ends with a slash.
    pub(crate) folder: GcsUri,
    pub(crate) action: &'static str,
}

impl Mirror<'_> {
    pub(crate) fn object(&self, name: &str) -> Result<GcsUri, SubmitError> {
        let object = self.folder.join(name);
        object.map_err(|_| SubmitError::place(&self.folder))
    }

    fn failed(&self, source: StagingError) -> SubmitError {
        let action = self.action;
        SubmitError::Mirror { action, source }
    }

    /// Writes an object unless another stands there; `false` when one with other content does.
    pub(crate) async fn put(
        &self,
        name: &str,
        content: impl Into<Bytes> + Send,
    ) -> Result<bool, SubmitError> {
        self.put_at(&self.object(name)?, content).await
    }

    /// The same for an object anywhere.
    pub(crate) async fn put_at(
        &self,
        to: &GcsUri,
        content: impl Into<Bytes> + Send,
    ) -> Result<bool, SubmitError> {
        let content = Content::Bytes(content.into());
        match self.staging.put_if_absent(to, &content).await {
            Ok(_) => Ok(true),
            Err(StagingError::Conflict { .. }) => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Writes an object that was not there; `false` when one was, or when the answer to our own writing was lost.
    pub(crate) async fn claim(&self, name: &str) -> Result<bool, SubmitError> {
        let content = Content::Bytes(Bytes::from_static(b"claimed"));
        match self
            .staging
            .put_if_absent(&self.object(name)?, &content)
            .await
        {
            Ok(put) => Ok(put == Put::Written),
            Err(StagingError::Conflict { .. }) => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// An object's whole content, if there is one.
    pub(crate) async fn read(&self, name: &str) -> Result<Option<Bytes>, SubmitError> {
        match self.staging.read_range(&self.object(name)?, 0, WHOLE).await {
            Ok(content) => Ok(Some(content)),
            Err(StagingError::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The names of the objects below a name, in order, and their sizes.
    pub(crate) async fn list(&self, name: &str) -> Result<Vec<(String, u64)>, SubmitError> {
        let listed = self.staging.list(&self.object(name)?).await;
        let listed = listed.map_err(|error| self.failed(error))?;
        let start = self.folder.object().len();
        let named = listed.into_iter().filter_map(|meta| {
            let name = meta.uri.object().get(start..)?.to_owned();
            Some((name, meta.size))
        });
        Ok(named.collect())
    }

    pub(crate) async fn gate(&self) -> Result<Gate, SubmitError> {
        Ok(match self.read("gate").await?.as_deref() {
            None => Gate::Open,
            Some(word) if word.starts_with(b"fenced") => Gate::Fenced,
            Some(_) => Gate::Started,
        })
    }

    /// Closes the gate, unless the launcher is through; `false` then.
    pub(crate) async fn fence(&self) -> Result<bool, SubmitError> {
        self.put("gate", "fenced").await
    }

    /// One stream's bytes from an offset on, up to about a mebibyte.
    ///
    /// While more is to come, an offset at which nothing begins is taken for the end of what there is. The launcher may have
    /// sent its last piece again, longer: at the end of a run, all pieces are looked at.
    pub(crate) async fn said(
        &self,
        stream: &str,
        from: u64,
        edges: &Edges,
        more: bool,
    ) -> Result<Bytes, SubmitError> {
        let mut said = BytesMut::new();
        let mut at = from;
        while said.len() < FULL {
            let piece = self.read(&format!("{stream}/{at:012}")).await?;
            let Some(piece) = piece.filter(|piece| !piece.is_empty()) else {
                break;
            };
            at += piece.len() as u64;
            said.extend_from_slice(&piece);
        }
        let key = format!("{}{stream}", self.folder);
        if said.is_empty() && !(more && edges.is_edge(&key, at)) {
            // Somebody asks for the middle of a piece.
            if let Some(rest) = self.middle(stream, at).await? {
                at += rest.len() as u64;
                said.extend_from_slice(&rest);
            }
        }
        edges.note(key, at);
        Ok(said.freeze())
    }

    /// The rest of the piece that covers an offset.
    async fn middle(&self, stream: &str, from: u64) -> Result<Option<Bytes>, SubmitError> {
        for (name, size) in self.list(&format!("{stream}/")).await? {
            let start = name.rsplit('/').next().and_then(|text| text.parse().ok());
            let Some(start) = start.filter(|start| (*start..*start + size).contains(&from)) else {
                continue;
            };
            let object = self.object(&name)?;
            let rest = self.staging.read_range(&object, from - start, WHOLE).await;
            return rest.map(Some).map_err(|error| self.failed(error));
        }
        Ok(None)
    }
}

/// Where the pieces read so far end, so that a look without news asks for one object and lists nothing.
#[derive(Debug, Default)]
pub(crate) struct Edges(Mutex<HashMap<String, u64>>);

impl Edges {
    fn is_edge(&self, key: &str, at: u64) -> bool {
        let edges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        at == 0 || edges.get(key) == Some(&at)
    }

    fn note(&self, key: String, at: u64) {
        let mut edges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        edges.insert(key, at);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flinkproc_staging::{MemoryStaging, Staging};

    use super::{Edges, Gate, Mirror};

    fn staging() -> Arc<dyn Staging> {
        Arc::new(MemoryStaging::new().with_bucket("buc-ket".parse().expect("bucket")))
    }

    fn mirror(staging: &Arc<dyn Staging>) -> Mirror<'_> {
        Mirror {
            staging,
            folder: "gs://buc-ket/runs/1/".parse().expect("address"),
            action: "observe",
        }
    }

    #[tokio::test]
    async fn output_is_read_from_any_offset() {
        let staging = staging();
        let mirror = mirror(&staging);
        for (name, text) in [
            ("out/000000000000", "abc"),
            ("out/000000000003", "defgh"),
            ("out/000000000008", "i"),
        ] {
            assert!(mirror.put(name, text).await.expect("written"));
        }
        let check = async |from: u64, expected: &str| {
            let said = mirror.said("out", from, &Edges::default(), true).await;
            assert_eq!(said.expect("read"), expected, "from {from}");
        };
        check(0, "abcdefghi").await;
        check(3, "defghi").await;
        check(5, "fgh").await;
        check(9, "").await;
        check(1 << 40, "").await;
        // What comes later begins where the last look ended.
        let edges = Edges::default();
        assert_eq!(
            mirror.said("out", 8, &edges, true).await.expect("read"),
            "i"
        );
        assert_eq!(mirror.said("out", 9, &edges, true).await.expect("read"), "");
        mirror.put("out/000000000009", "j").await.expect("written");
        assert_eq!(
            mirror.said("out", 9, &edges, true).await.expect("read"),
            "j"
        );
    }

    #[tokio::test]
    async fn a_piece_that_came_again_and_longer_is_read_to_its_end() {
        let staging = staging();
        let mirror = mirror(&staging);
        let edges = Edges::default();
        let name = "out/000000000000";
        mirror.put(name, "abc").await.expect("written");
        assert_eq!(
            mirror.said("out", 0, &edges, true).await.expect("read"),
            "abc"
        );
        let object = mirror.object(name).expect("address");
        staging.delete(&object).await.expect("deleted");
        mirror.put(name, "abcdef").await.expect("written");
        assert_eq!(
            mirror.said("out", 3, &edges, false).await.expect("read"),
            "def"
        );
    }

    #[tokio::test]
    async fn the_first_at_the_gate_decides() {
        let staging = staging();
        let mirror = mirror(&staging);
        assert_eq!(mirror.gate().await.expect("read"), Gate::Open);
        assert!(mirror.put("gate", "started").await.expect("written"));
        assert!(!mirror.fence().await.expect("answered"));
        assert_eq!(mirror.gate().await.expect("read"), Gate::Started);
    }
}
