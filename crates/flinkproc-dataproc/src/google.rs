//! Google's own Dataproc clients behind both traits: where they connect, and one client for each region.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flinkproc_core::Region;
use google_cloud_auth::credentials::Credentials;
use google_cloud_dataproc_v1::client::{ClusterController, JobController};
use google_cloud_gax::exponential_backoff::ExponentialBackoffBuilder;

use crate::error::{ApiError, Subject};
use crate::google_calls::Patient;

/// How long one attempt of a call may take.
const ATTEMPT: Duration = Duration::from_secs(15);

/// How long a call is repeated, all attempts together.
const PATIENCE: Duration = Duration::from_secs(30);

/// The Dataproc service.
///
/// Calls that are safe to repeat (reads, and everything with a request id of ours) are repeated on 429, 5xx, dropped connections
/// and timeouts for up to half a minute. Regions are reached at their own endpoints, as the service demands.
pub struct GoogleDataproc {
    credentials: Credentials,
    endpoint: Option<String>,
    patience: Duration,
    clusters: Mutex<HashMap<Region, ClusterController>>,
    jobs: Mutex<HashMap<Region, JobController>>,
}

impl fmt::Debug for GoogleDataproc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = &self.endpoint;
        f.debug_struct("GoogleDataproc")
            .field("endpoint", endpoint)
            .finish_non_exhaustive()
    }
}

impl GoogleDataproc {
    /// Takes credentials; connects at the first call.
    ///
    /// `endpoint`, such as `http://127.0.0.1:8080`, stands in for the endpoints of all regions.
    #[must_use]
    pub fn new(credentials: Credentials, endpoint: Option<String>) -> Self {
        Self {
            credentials,
            endpoint,
            patience: PATIENCE,
            clusters: Mutex::default(),
            jobs: Mutex::default(),
        }
    }

    /// Sets how long a call is repeated, all attempts together; half a minute otherwise.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    fn endpoint(&self, region: &Region) -> String {
        let own = || format!("https://{region}-dataproc.googleapis.com");
        self.endpoint.clone().unwrap_or_else(own)
    }

    /// The client for a region; a second one that is built at the same time does no harm.
    pub(crate) async fn clusters(&self, region: &Region) -> Result<ClusterController, ApiError> {
        if let Some(client) = known(&self.clusters, region) {
            return Ok(client);
        }
        let client = ClusterController::builder()
            .with_endpoint(self.endpoint(region))
            .with_credentials(self.credentials.clone())
            .with_retry_policy(Patient(self.patience))
            .with_backoff_policy(backoff())
            .with_attempt_timeout(ATTEMPT)
            .build()
            .await
            .map_err(|error| unbuilt(region, &error))?;
        keep(&self.clusters, region, &client);
        Ok(client)
    }

    /// As [`Self::clusters`], for jobs.
    pub(crate) async fn jobs(&self, region: &Region) -> Result<JobController, ApiError> {
        if let Some(client) = known(&self.jobs, region) {
            return Ok(client);
        }
        let client = JobController::builder()
            .with_endpoint(self.endpoint(region))
            .with_credentials(self.credentials.clone())
            .with_retry_policy(Patient(self.patience))
            .with_backoff_policy(backoff())
            .with_attempt_timeout(ATTEMPT)
            .build()
            .await
            .map_err(|error| unbuilt(region, &error))?;
        keep(&self.jobs, region, &client);
        Ok(client)
    }
}

fn known<T: Clone>(clients: &Mutex<HashMap<Region, T>>, region: &Region) -> Option<T> {
    let clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
    clients.get(region).cloned()
}

fn keep<T: Clone>(clients: &Mutex<HashMap<Region, T>>, region: &Region, client: &T) {
    let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
    clients.insert(region.clone(), client.clone());
}

/// Quick at first: most 503s of a control plane pass within a second.
fn backoff() -> google_cloud_gax::exponential_backoff::ExponentialBackoff {
    ExponentialBackoffBuilder::new()
        .with_initial_delay(Duration::from_millis(200))
        .with_maximum_delay(Duration::from_secs(5))
        .clamp()
}

fn unbuilt(region: &Region, error: &google_cloud_gax::client_builder::Error) -> ApiError {
    let subject = Subject::List(format!("the Dataproc service in {region}"));
    let message = error.to_string();
    if error.is_default_credentials() {
        ApiError::Unauthenticated { subject, message }
    } else {
        ApiError::Invalid { subject, message }
    }
}
