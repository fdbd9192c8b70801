//! The steps [`Step::CheckBucket`](crate::Step::CheckBucket) and [`Step::Stage`](crate::Step::Stage): files to Cloud Storage.

use std::path::PathBuf;
use std::sync::Arc;

use flinkproc_plan::{TextPlan, UploadPlan};
use flinkproc_staging::{Content, LocalFile, Put, StagingError};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::oneshot;

use crate::error::RunError;
use crate::events::EventKind;
use crate::run::{Run, passing};
use crate::step::{Intent, Output};

/// How many files are on their way at once.
const AT_ONCE: usize = 16;

impl Run {
    /// Sees that the bucket can be used; until then nothing is made that costs money.
    pub(crate) async fn check_bucket(self: &Arc<Self>) -> Result<(), RunError> {
        if self.look(|progress| progress.bucket) {
            return Ok(());
        }
        self.started(Intent::CheckBucket).await?;
        let bucket = self.plan.staging.home.bucket();
        let staging = &self.clients.staging;
        self.retrying("the staging bucket", passing, || {
            staging.check_bucket(bucket)
        })
        .await?;
        self.done(Output::CheckBucket).await
    }

    /// Uploads what is not there yet: first what the making of the cluster needs, which may begin when `ready` is told.
    pub(crate) async fn stage(
        self: &Arc<Self>,
        ready: oneshot::Sender<()>,
    ) -> Result<(), RunError> {
        if self.look(|progress| progress.staged) {
            let _ = ready.send(());
            return Ok(());
        }
        self.started(Intent::Stage).await?;
        let mut texts = Vec::new();
        for text in &self.plan.staging.texts {
            texts.push(self.put_text(text).await?);
        }
        // Nobody waits for it where the run ends with this step.
        let _ = ready.send(());
        let uploads = self.plan.staging.uploads.clone().into_iter();
        let puts: Vec<Put> = futures::stream::iter(uploads)
            .map(|upload| Arc::clone(self).put(upload))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let puts = [texts, puts].concat();
        let written = puts.iter().filter(|put| **put == Put::Written).count();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let (written, present) = (count(written), count(puts.len() - written));
        self.done(Output::Stage { written, present }).await
    }

    async fn put_text(&self, text: &TextPlan) -> Result<Put, RunError> {
        let staging = &self.clients.staging;
        let content = Content::Bytes(text.text.clone().into());
        let what = text.to.to_string();
        let put = || staging.put_if_absent(&text.to, &content);
        let put = self.retrying(&what, passing, put).await?;
        self.emit(EventKind::Staged {
            uri: text.to.clone(),
            size: text.text.len() as u64,
            written: put == Put::Written,
        });
        Ok(put)
    }

    async fn put(self: Arc<Self>, upload: UploadPlan) -> Result<Put, RunError> {
        let content = match upload.crc32c {
            // The service checks what is sent by what the plan says, so the file is read once.
            Some(crc32c) => Content::Known {
                path: PathBuf::from(&upload.local),
                size: upload.size,
                crc32c,
            },
            None => {
                planned(&upload).await?;
                Content::File(PathBuf::from(&upload.local))
            }
        };
        let staging = &self.clients.staging;
        let put = self
            .retrying(&upload.local, passing, || {
                staging.put_if_absent(&upload.to, &content)
            })
            .await;
        let put = match put {
            Err(StagingError::Changed { .. }) => {
                planned(&upload).await?;
                return Err(RunError::Drifted {
                    path: upload.local,
                    what: "it changed while it was sent".to_owned(),
                });
            }
            other => other?,
        };
        self.emit(EventKind::Staged {
            uri: upload.to.clone(),
            size: upload.size,
            written: put == Put::Written,
        });
        Ok(put)
    }
}

/// Sees that a local file is the one that was planned: its address is made of its planned content.
async fn planned(upload: &UploadPlan) -> Result<(), RunError> {
    let file = LocalFile::read(&upload.local).await?;
    let what = if file.size != upload.size {
        format!("it has {} bytes in place of {}", file.size, upload.size)
    } else if file.sha256.to_string() != upload.sha256 {
        "its content changed".to_owned()
    } else {
        return Ok(());
    };
    Err(RunError::Drifted {
        path: upload.local.clone(),
        what,
    })
}
