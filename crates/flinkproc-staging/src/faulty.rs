//! Staging whose chosen calls fail.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use flinkproc_core::{BucketName, Fault, Faulty, GcsUri};

use crate::error::StagingError;
use crate::staging::{Content, ObjectMeta, Put, Staging};

fn injected(what: &impl ToString) -> StagingError {
    StagingError::unavailable(what, "a fault was injected")
}

/// Runs a call under the fault that was chosen for it.
macro_rules! under_fault {
    ($self:ident, $method:literal, $what:expr, $call:expr) => {
        match $self.strike($method) {
            None => $call.await,
            Some(Fault::Before) => Err(injected($what)),
            Some(Fault::AnswerLost) => {
                $call.await?;
                Err(injected($what))
            }
        }
    };
}

#[async_trait]
impl<S: Staging + Debug> Staging for Faulty<S> {
    async fn check_bucket(&self, bucket: &BucketName) -> Result<(), StagingError> {
        under_fault!(
            self,
            "check_bucket",
            bucket,
            self.inner().check_bucket(bucket)
        )
    }

    async fn put_if_absent(&self, to: &GcsUri, content: &Content) -> Result<Put, StagingError> {
        under_fault!(
            self,
            "put_if_absent",
            to,
            self.inner().put_if_absent(to, content)
        )
    }

    async fn stat(&self, object: &GcsUri) -> Result<Option<ObjectMeta>, StagingError> {
        under_fault!(self, "stat", object, self.inner().stat(object))
    }

    async fn read_range(
        &self,
        object: &GcsUri,
        offset: u64,
        length: u64,
    ) -> Result<Bytes, StagingError> {
        under_fault!(
            self,
            "read_range",
            object,
            self.inner().read_range(object, offset, length)
        )
    }

    async fn list(&self, prefix: &GcsUri) -> Result<Vec<ObjectMeta>, StagingError> {
        under_fault!(self, "list", prefix, self.inner().list(prefix))
    }

    async fn delete(&self, object: &GcsUri) -> Result<(), StagingError> {
        under_fault!(self, "delete", object, self.inner().delete(object))
    }
}

#[cfg(test)]
mod tests {
    use flinkproc_core::{Explain as _, Fault, Faulty, GcsUri, RetryHint};

    use crate::memory::MemoryStaging;
    use crate::staging::{Content, Put, Staging as _};

    #[tokio::test]
    async fn a_put_whose_answer_was_lost_is_found_by_the_next_one() {
        let memory = MemoryStaging::new().with_bucket("bucket".parse().expect("bucket"));
        let staging = Faulty::new(memory)
            .with("put_if_absent", 1, Fault::Before)
            .with("put_if_absent", 2, Fault::AnswerLost);
        let to: GcsUri = "gs://bucket/a".parse().expect("uri");
        let content = Content::Bytes("x".into());
        for found in [false, true] {
            let error = staging.put_if_absent(&to, &content).await;
            let error = error.expect_err("injected");
            assert_eq!(error.retry(), RetryHint::Safe);
            assert_eq!(staging.stat(&to).await.expect("stat").is_some(), found);
        }
        let third = staging.put_if_absent(&to, &content).await;
        assert_eq!(third.expect("put"), Put::Present);
    }
}
