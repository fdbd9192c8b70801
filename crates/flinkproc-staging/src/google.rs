//! Cloud Storage itself.
//!
//! Content goes up through Google's own client, which streams, resumes and checks; the rest is the JSON API, because that
//! client speaks only gRPC for it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flinkproc_core::{BucketName, Clock, GcsUri, causes};
use google_cloud_auth::credentials::Credentials;
use google_cloud_gax::error::CredentialsError;
use google_cloud_gax::exponential_backoff::ExponentialBackoffBuilder;
use google_cloud_gax::retry_policy::{NeverRetry, RetryPolicyExt as _};
use google_cloud_storage::client::Storage;
use google_cloud_storage::error::WriteError;
use google_cloud_storage::retry_policy::RetryableErrors;
use google_cloud_storage::streaming_source::{Payload, Seek, StreamingSource};
use http::{Method, StatusCode};

use crate::digest::{read_known, size_and_crc32c};
use crate::error::StagingError;
use crate::google_api::{Answer, Api, Reply, Wish, credentials_error, encode};
use crate::google_values::{Page, meta, parse};
use crate::memory::cut;
use crate::staging::{Content, ObjectMeta, Put, Staging};

/// From this size on an upload is resumable, and a look comes first: it costs less than sending for nothing.
const LARGE: u64 = 8 << 20;

/// Up to this size a file whose checksum is known is read at once and sent from memory.
const SMALL: u64 = 256 << 10;

/// How often Google's client goes on with a broken resumable upload.
const RESUMES: u32 = 8;

/// Cloud Storage through credentials, an endpoint and an HTTP client that the caller chose.
pub struct GoogleStaging {
    api: Api,
    storage: Storage,
}

impl fmt::Debug for GoogleStaging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoogleStaging")
            .field("endpoint", &self.api.endpoint)
            .finish_non_exhaustive()
    }
}

impl GoogleStaging {
    /// Where the real service is.
    pub const ENDPOINT: &'static str = "https://storage.googleapis.com";

    /// Builds a client; nothing is sent yet.
    ///
    /// `clock` waits between attempts, except within one resumable upload, whose pauses are the Google client's own.
    ///
    /// # Errors
    /// [`StagingError::Refused`] when the endpoint is no address.
    pub async fn new(
        credentials: Credentials,
        endpoint: &str,
        client: reqwest::Client,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StagingError> {
        let api = Api::new(credentials.clone(), endpoint, client, clock);
        let backoff = ExponentialBackoffBuilder::new()
            .with_initial_delay(Duration::from_millis(250))
            .with_maximum_delay(Duration::from_secs(8))
            .clamp();
        let storage = Storage::builder()
            .with_endpoint(&api.endpoint)
            .with_credentials(credentials)
            .with_backoff_policy(backoff)
            .build()
            .await
            .map_err(|error| StagingError::Refused {
                what: endpoint.to_owned(),
                source: Box::new(error),
            })?;
        Ok(Self { api, storage })
    }

    async fn upload(
        &self,
        to: &GcsUri,
        content: &Content,
        size: u64,
        crc32c: u32,
    ) -> Result<(), StagingError> {
        match content {
            Content::Bytes(bytes) => self.send(to, bytes.clone(), size, crc32c).await,
            Content::Known { path, .. } if size <= SMALL => {
                let bytes = read_known(path, size, crc32c).await?;
                self.send(to, bytes, size, crc32c).await
            }
            Content::Known { path, .. } => {
                let file = open(path).await?;
                let now = file.metadata().await;
                if now
                    .map_err(|source| StagingError::local(path, source))?
                    .len()
                    != size
                {
                    return Err(StagingError::changed(path));
                }
                match self.send(to, file, size, crc32c).await {
                    // The service may have seen other content, which Google's client does not always tell as such: did the
                    // file change, or did something on its way change it?
                    Err(error @ (StagingError::Corrupt { .. } | StagingError::Refused { .. })) => {
                        if size_and_crc32c(path).await? == (size, crc32c) {
                            Err(error)
                        } else {
                            Err(StagingError::changed(path))
                        }
                    }
                    other => other,
                }
            }
            Content::File(path) => {
                let file = open(path).await?;
                self.send(to, file, size, crc32c).await
            }
        }
    }

    /// Sends content once, or resumes it where it is large.
    async fn send<S>(
        &self,
        to: &GcsUri,
        payload: impl Into<Payload<S>>,
        size: u64,
        crc32c: u32,
    ) -> Result<(), StagingError>
    where
        S: StreamingSource + Seek + Send + Sync + 'static,
        <S as StreamingSource>::Error: std::error::Error + Send + Sync + 'static,
        <S as Seek>::Error: std::error::Error + Send + Sync + 'static,
    {
        let bucket = format!("projects/_/buckets/{}", to.bucket());
        let request = self
            .storage
            .write_object(bucket, to.object(), payload)
            .set_if_generation_match(0)
            .with_known_crc32c(crc32c);
        let request = if size < LARGE {
            request
                .with_resumable_upload_threshold(usize::MAX)
                .with_retry_policy(NeverRetry)
        } else {
            request
                .with_resumable_upload_threshold(0_usize)
                .with_retry_policy(RetryableErrors.with_attempt_limit(RESUMES))
        };
        let object = Box::pin(request.send_unbuffered())
            .await
            .map_err(|error| upload_error(to, error))?;
        let there = object.checksums.and_then(|sums| sums.crc32c);
        if u64::try_from(object.size) == Ok(size) && there == Some(crc32c) {
            Ok(())
        } else {
            Err(StagingError::corrupt(to))
        }
    }

    /// What is there instead of the content that was to be written.
    async fn compare(
        &self,
        to: &GcsUri,
        size: u64,
        crc32c: u32,
    ) -> Result<Option<Put>, StagingError> {
        match self.stat(to).await? {
            None => Ok(None),
            Some(there) if (there.size, there.crc32c) == (size, crc32c) => Ok(Some(Put::Present)),
            Some(_) => Err(StagingError::Conflict {
                what: to.to_string(),
            }),
        }
    }

    async fn get(
        &self,
        path: String,
        range: Option<String>,
        what: &impl ToString,
    ) -> Result<Reply, StagingError> {
        let wish = Wish {
            method: Method::GET,
            path,
            range,
            what: what.to_string(),
        };
        self.api.call(&wish).await
    }
}

fn object_path(object: &GcsUri) -> String {
    format!(
        "/storage/v1/b/{}/o/{}",
        object.bucket(),
        encode(object.object())
    )
}

/// What a failure of Google's client means.
fn upload_error(to: &GcsUri, error: google_cloud_storage::Error) -> StagingError {
    if let Some(status) = error.http_status_code() {
        let body = error.http_payload().cloned().unwrap_or_default();
        return Answer::new(status, &body).into_error(to);
    }
    for cause in causes(&error) {
        if matches!(
            cause.downcast_ref(),
            Some(WriteError::ChecksumMismatch { .. })
        ) {
            return StagingError::corrupt(to);
        }
        if let Some(cause) = cause.downcast_ref::<CredentialsError>() {
            return credentials_error(to, cause.clone());
        }
    }
    StagingError::unavailable(to, error)
}

async fn open(path: &Path) -> Result<tokio::fs::File, StagingError> {
    tokio::fs::File::open(path)
        .await
        .map_err(|source| StagingError::local(path, source))
}

async fn sums(content: &Content) -> Result<(u64, u32), StagingError> {
    match content {
        Content::File(path) => size_and_crc32c(Path::new(path)).await,
        Content::Known { size, crc32c, .. } => Ok((*size, *crc32c)),
        Content::Bytes(bytes) => Ok((bytes.len() as u64, crc32c::crc32c(bytes))),
    }
}

#[async_trait]
impl Staging for GoogleStaging {
    /// Lists one object: that needs no right beyond those that staging needs anyway, unlike reading the bucket itself.
    async fn check_bucket(&self, bucket: &BucketName) -> Result<(), StagingError> {
        let what = format!("gs://{bucket}");
        let path = format!("/storage/v1/b/{bucket}/o?maxResults=1&fields=kind");
        self.get(path, None, &what).await?.success(&what)?;
        Ok(())
    }

    async fn put_if_absent(&self, to: &GcsUri, content: &Content) -> Result<Put, StagingError> {
        let (size, crc32c) = sums(content).await?;
        if size >= LARGE
            && let Some(put) = self.compare(to, size, crc32c).await?
        {
            return Ok(put);
        }
        let mut attempts = self.api.attempts();
        let uploaded = loop {
            match self.upload(to, content, size, crc32c).await {
                Ok(()) => break Ok(()),
                Err(error) => {
                    if let Err(error) = attempts.after(error).await {
                        break Err(error);
                    }
                }
            }
        };
        match uploaded {
            Ok(()) => Ok(Put::Written),
            Err(StagingError::Conflict { what }) => {
                let put = self.compare(to, size, crc32c).await?;
                put.ok_or(StagingError::Conflict { what })
            }
            Err(error) => Err(error),
        }
    }

    async fn stat(&self, object: &GcsUri) -> Result<Option<ObjectMeta>, StagingError> {
        let path = format!("{}?fields=name,size,crc32c", object_path(object));
        let Some(body) = self.get(path, None, object).await?.found(object)? else {
            return Ok(None);
        };
        meta(object.bucket(), parse(object, &body)?)
    }

    async fn read_range(
        &self,
        object: &GcsUri,
        offset: u64,
        length: u64,
    ) -> Result<Bytes, StagingError> {
        // HTTP has no empty range: ask for one byte and give back none.
        let last = offset.saturating_add(length.max(1) - 1);
        let range = format!("bytes={offset}-{last}");
        let path = format!("{}?alt=media", object_path(object));
        let reply = self.get(path, Some(range), object).await?;
        match reply.status {
            StatusCode::RANGE_NOT_SATISFIABLE => Ok(Bytes::new()),
            // The whole object: whoever answered does not know ranges.
            StatusCode::OK => Ok(cut(&reply.body, offset, length)),
            _ => Ok(cut(&reply.success(object)?, 0, length)),
        }
    }

    async fn list(&self, prefix: &GcsUri) -> Result<Vec<ObjectMeta>, StagingError> {
        let mut objects = Vec::new();
        let mut token = String::new();
        loop {
            let path = format!(
                "/storage/v1/b/{}/o?prefix={}&pageToken={}&fields=items(name,size,crc32c),nextPageToken",
                prefix.bucket(),
                encode(prefix.object()),
                encode(&token),
            );
            let body = self.get(path, None, prefix).await?.success(prefix)?;
            let page: Page = parse(prefix, &body)?;
            for resource in page.items {
                objects.extend(meta(prefix.bucket(), resource)?);
            }
            match page.next_page_token {
                Some(next) => token = next,
                None => return Ok(objects),
            }
        }
    }

    async fn delete(&self, object: &GcsUri) -> Result<(), StagingError> {
        let wish = Wish {
            method: Method::DELETE,
            path: object_path(object),
            range: None,
            what: object.to_string(),
        };
        self.api.call(&wish).await?.found(object)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flinkproc_core::{Clock as _, Explain as _, FailureKind, GcsUri, ManualClock};
    use gcs_emulator::{Emulator, Options};
    use google_cloud_auth::credentials::anonymous;
    use jiff::Timestamp;
    use wiremock::matchers::{header, method, path, query_param};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::GoogleStaging;
    use crate::contract;
    use crate::staging::{Content, Put, Staging as _};

    async fn client(endpoint: &str) -> (GoogleStaging, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::eager(Timestamp::UNIX_EPOCH));
        let credentials = anonymous::Builder::new().build();
        let http = reqwest::Client::new();
        let staging = GoogleStaging::new(credentials, endpoint, http, clock.clone()).await;
        (staging.expect("client"), clock)
    }

    fn uri(text: &str) -> GcsUri {
        text.parse().expect("uri")
    }

    #[tokio::test]
    async fn the_client_keeps_the_contract_on_the_emulator() {
        let folder = tempfile::tempdir().expect("folder");
        let emulator = Emulator::start(Options::new(folder.path()))
            .await
            .expect("start");
        emulator.create_bucket("bucket").expect("bucket");
        let (staging, clock) = client(&emulator.url()).await;
        contract::check(&staging, &uri("gs://bucket/contract/")).await;
        assert_eq!(clock.now().as_second(), 0, "nothing had to be tried again");
        emulator.stop().await;
    }

    #[tokio::test]
    async fn calls_survive_a_service_that_is_busy_or_broken_for_a_while() {
        let server = MockServer::start().await;
        for status in [429, 503, 500] {
            Mock::given(method("GET"))
                .respond_with(ResponseTemplate::new(status))
                .up_to_n_times(1)
                .mount(&server)
                .await;
        }
        let body = serde_json::json!({"name": "a", "size": "11", "crc32c": "yZRlqg=="});
        Mock::given(method("GET"))
            .and(path("/storage/v1/b/bucket/o/a"))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(&server)
            .await;
        let (staging, clock) = client(&server.uri()).await;
        let meta = staging.stat(&uri("gs://bucket/a")).await.expect("stat");
        assert_eq!(meta.expect("is there").crc32c, 0xc994_65aa);
        assert_eq!(clock.now().as_millisecond(), 250 + 500 + 1000);
    }

    #[tokio::test]
    async fn an_upload_whose_answer_was_lost_is_found_at_the_second_attempt() {
        let server = MockServer::start().await;
        let upload = || {
            Mock::given(method("POST"))
                .and(path("/upload/storage/v1/b/bucket/o"))
                .and(query_param("ifGenerationMatch", "0"))
        };
        upload()
            .respond_with(ResponseTemplate::new(503))
            .up_to_n_times(1)
            .mount(&server)
            .await;
        upload()
            .respond_with(ResponseTemplate::new(412))
            .mount(&server)
            .await;
        let body = serde_json::json!({"name": "a", "size": "11", "crc32c": "yZRlqg=="});
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(&server)
            .await;
        let (staging, _) = client(&server.uri()).await;
        let content = Content::Bytes("hello world".into());
        let put = staging.put_if_absent(&uri("gs://bucket/a"), &content).await;
        assert_eq!(put.expect("put"), Put::Present);
        let other = Content::Bytes("hello".into());
        let put = staging.put_if_absent(&uri("gs://bucket/a"), &other).await;
        assert_eq!(put.expect_err("conflict").code().as_str(), "STG003");
    }

    #[tokio::test]
    async fn a_service_that_stores_something_else_is_found_out() {
        let server = MockServer::start().await;
        let body = serde_json::json!({"name": "a", "bucket": "bucket", "size": "11", "crc32c": "AAAAAA=="});
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(&server)
            .await;
        let (staging, _) = client(&server.uri()).await;
        let content = Content::Bytes("hello world".into());
        let put = staging.put_if_absent(&uri("gs://bucket/a"), &content).await;
        assert_eq!(put.expect_err("corrupt").code().as_str(), "STG004");
    }

    #[tokio::test]
    async fn refusals_tell_credentials_from_absence_and_from_a_dead_service() {
        let server = MockServer::start().await;
        for (name, status) in [
            ("none", 404),
            ("denied", 403),
            ("expired", 401),
            ("odd", 418),
        ] {
            Mock::given(method("GET"))
                .and(path(format!("/storage/v1/b/{name}/o")))
                .respond_with(ResponseTemplate::new(status))
                .mount(&server)
                .await;
        }
        let (staging, clock) = client(&server.uri()).await;
        let check = async |bucket: &str, code: &str| {
            let error = staging.check_bucket(&bucket.parse().expect("bucket")).await;
            let error = error.expect_err("refused");
            assert_eq!(error.code().as_str(), code, "{bucket}: {error}");
            error.kind()
        };
        check("none", "STG001").await;
        assert_eq!(check("denied", "STG002").await, FailureKind::Credentials);
        check("expired", "STG002").await;
        check("odd", "STG007").await;
        assert_eq!(clock.now().as_second(), 0, "a refusal is not tried again");

        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
        let nobody = listener.local_addr().expect("address");
        drop(listener);
        let (staging, clock) = client(&format!("http://{nobody}")).await;
        let error = staging
            .check_bucket(&"bucket".parse().expect("bucket"))
            .await;
        assert_eq!(error.expect_err("dead").code().as_str(), "STG005");
        assert_eq!(clock.now().as_millisecond(), 250 * (1 + 2 + 4 + 8 + 16));
    }

    #[tokio::test]
    async fn a_read_asks_for_its_range_only() {
        let server = MockServer::start().await;
        Mock::given(header("range", "bytes=6-10"))
            .respond_with(ResponseTemplate::new(206).set_body_string("world"))
            .mount(&server)
            .await;
        let (staging, _) = client(&server.uri()).await;
        let read = staging.read_range(&uri("gs://bucket/a"), 6, 5).await;
        assert_eq!(read.expect("read"), "world");
    }
}
