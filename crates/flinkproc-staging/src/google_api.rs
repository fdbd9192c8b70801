//! One call of Cloud Storage's JSON API: credentials, attempts, and what a status means.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flinkproc_core::Clock;
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use google_cloud_auth::errors::CredentialsError;
use http::{Extensions, Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::StagingError;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// How often a call is made before its failure is final.
const ATTEMPTS: u32 = 6;

/// The wait before the second attempt; it doubles from there, so all attempts together take about 8 seconds.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// How long one attempt may take: no call carries more than some MiB.
const PATIENCE: Duration = Duration::from_secs(60);

/// Percent-encodes a name for a path or a query.
pub(crate) fn encode(name: &str) -> String {
    utf8_percent_encode(name, UNRESERVED).to_string()
}

/// What the service said about a request that it did not carry out.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    message: String,
}

impl Answer {
    /// Reads Google's JSON error body, or whatever a proxy sent instead.
    pub(crate) fn new(status: u16, body: &[u8]) -> Self {
        let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
        let message = json
            .as_ref()
            .and_then(|json| json.pointer("/error/message")?.as_str())
            .map_or_else(
                || String::from_utf8_lossy(body).chars().take(200).collect(),
                str::to_owned,
            );
        Self { status, message }
    }

    /// What this answer means for a call about `what`.
    pub(crate) fn into_error(self, what: &impl ToString) -> StagingError {
        let what = what.to_string();
        match self.status {
            404 => StagingError::NotFound { what },
            401 | 403 => StagingError::Denied {
                what,
                source: Box::new(self),
            },
            412 => StagingError::Conflict { what },
            status if is_transient(status) => StagingError::unavailable(&what, self),
            // The words of the service when content and checksum differ.
            400 if self.message.contains("hash") => StagingError::corrupt(&what),
            _ => StagingError::Refused {
                what,
                source: Box::new(self),
            },
        }
    }

    /// Whether it is the bucket that is missing.
    fn bucket_is_missing(&self) -> bool {
        self.status == 404 && self.message.contains("bucket does not exist")
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}: {}", self.status, self.message)
    }
}

impl std::error::Error for Answer {}

/// Whether the same request may succeed later, as Google's retry strategy for storage has it.
pub(crate) const fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// What credentials that fail mean.
pub(crate) fn credentials_error(what: &impl ToString, source: CredentialsError) -> StagingError {
    let what = what.to_string();
    if source.is_transient() {
        StagingError::unavailable(&what, source)
    } else {
        StagingError::Denied {
            what,
            source: Box::new(source),
        }
    }
}

/// The JSON API with its credentials.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) endpoint: String,
    credentials: Credentials,
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) method: Method,
    /// Behind the endpoint, with the query.
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    /// What the call is about, for errors.
    pub(crate) what: String,
}

/// What is left of the patience with something that fails for reasons that pass.
#[derive(Debug)]
pub(crate) struct Attempts {
    clock: Arc<dyn Clock>,
    left: u32,
    wait: Duration,
}

impl Attempts {
    /// Waits before the next attempt, twice as long each time; gives the error back where no attempt would help or none
    /// is left.
    pub(crate) async fn after(&mut self, error: StagingError) -> Result<(), StagingError> {
        if self.left == 0 || !matches!(error, StagingError::Unavailable { .. }) {
            return Err(error);
        }
        tracing::debug!(%error, wait = ?self.wait, "trying again");
        self.left -= 1;
        self.clock.sleep(self.wait).await;
        self.wait *= 2;
        Ok(())
    }
}

/// Status and body of a call that was answered; every status below 500 that is not transient.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Reply {
    /// The body of a success; anything else is an error.
    pub(crate) fn success(self, what: &impl ToString) -> Result<Bytes, StagingError> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        Err(Answer::new(self.status.as_u16(), &self.body).into_error(what))
    }

    /// The body of a success, nothing where the object is missing; a missing bucket is an error.
    pub(crate) fn found(self, what: &impl ToString) -> Result<Option<Bytes>, StagingError> {
        if self.status == StatusCode::NOT_FOUND && !Answer::new(404, &self.body).bucket_is_missing()
        {
            return Ok(None);
        }
        self.success(what).map(Some)
    }
}

impl Api {
    pub(crate) fn new(
        credentials: Credentials,
        endpoint: &str,
        client: reqwest::Client,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            credentials,
            client,
            clock,
        }
    }

    /// Makes a call, again and again while it fails for reasons that pass.
    pub(crate) async fn call(&self, wish: &Wish) -> Result<Reply, StagingError> {
        let mut attempts = self.attempts();
        loop {
            match self.once(wish).await {
                Ok(reply) => return Ok(reply),
                Err(error) => attempts.after(error).await?,
            }
        }
    }

    /// Counts the attempts of something that is safe to repeat.
    pub(crate) fn attempts(&self) -> Attempts {
        Attempts {
            clock: Arc::clone(&self.clock),
            left: ATTEMPTS - 1,
            wait: FIRST_WAIT,
        }
    }

    async fn once(&self, wish: &Wish) -> Result<Reply, StagingError> {
        let what = &wish.what;
        let lost = |error: reqwest::Error| StagingError::unavailable(what, error.without_url());
        let headers = match self.credentials.headers(Extensions::new()).await {
            Ok(CacheableResource::New { data, .. }) => data,
            Ok(CacheableResource::NotModified) => http::HeaderMap::new(),
            Err(error) => return Err(credentials_error(what, error)),
        };
        let url = format!("{}{}", self.endpoint, wish.path);
        let mut request = self.client.request(wish.method.clone(), url);
        request = request.headers(headers).timeout(PATIENCE);
        if let Some(range) = &wish.range {
            request = request.header(http::header::RANGE, range);
        }
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let body = response.bytes().await.map_err(lost)?;
        if is_transient(status.as_u16()) {
            return Err(Answer::new(status.as_u16(), &body).into_error(what));
        }
        Ok(Reply { status, body })
    }
}
