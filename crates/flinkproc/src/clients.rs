//! Builds the real clients; the only place that does.

use std::collections::BTreeMap;
use std::sync::Arc;

use flinkproc_compute::GoogleGatekeeper;
use flinkproc_core::Clock;
use flinkproc_dataproc::GoogleDataproc;
use flinkproc_patterns::Clients;
use flinkproc_rest::{Endpoint, HttpFlink, HttpYarn};
use flinkproc_ssh::RusshConnector;
use flinkproc_staging::GoogleStaging;
use flinkproc_submit::SshMethod;
use google_cloud_auth::credentials::{self, Credentials, anonymous};

use crate::clock::SystemClock;
use crate::environment::Environment;
use crate::error::AppError;
use crate::report::Problem;

/// The port of YARN's ResourceManager on a Dataproc master.
const RESOURCE_MANAGER: u16 = 8088;

/// Where the services are, where that is not Google's own place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints {
    pub(crate) dataproc: Option<String>,
    pub(crate) compute: Option<String>,
    pub(crate) storage: Option<String>,
    /// Whether calls are made without credentials.
    pub(crate) anonymous: bool,
}

impl Endpoints {
    /// What the environment says.
    pub(crate) fn from_environment(environment: &Environment) -> Self {
        let endpoint = |name| {
            environment
                .text(name)
                .map(|url| url.trim_end_matches('/').to_owned())
        };
        Self {
            dataproc: endpoint("FLINKPROC_DATAPROC_ENDPOINT"),
            compute: endpoint("FLINKPROC_COMPUTE_ENDPOINT"),
            storage: endpoint("FLINKPROC_STORAGE_ENDPOINT"),
            anonymous: environment.is_set("FLINKPROC_ANONYMOUS"),
        }
    }

    /// Application Default Credentials: a service account, a user, impersonation, workload identity federation or the
    /// metadata server, as Google's auth crate finds them.
    fn credentials(&self) -> Result<Credentials, AppError> {
        if self.anonymous {
            return Ok(anonymous::Builder::new().build());
        }
        credentials::Builder::default()
            .build()
            .map_err(|source| AppError::Credentials {
                source: source.into(),
            })
    }
}

/// Dataproc alone, for the verbs that need no more.
pub(crate) fn dataproc(endpoints: &Endpoints) -> Result<GoogleDataproc, AppError> {
    Ok(GoogleDataproc::new(
        endpoints.credentials()?,
        endpoints.dataproc.clone(),
    ))
}

/// Everything that a deployment talks to.
pub(crate) async fn all(endpoints: &Endpoints) -> Result<Clients, Problem> {
    let credentials = endpoints.credentials()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let client = |service| move |source| AppError::Client { service, source };
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .map_err(|source| client("YARN")(source.into()))?;
    let storage = endpoints
        .storage
        .as_deref()
        .unwrap_or(GoogleStaging::ENDPOINT);
    let storage_http = reqwest::Client::builder()
        .build()
        .map_err(|source| client("Cloud Storage")(source.into()))?;
    let staging = GoogleStaging::new(
        credentials.clone(),
        storage,
        storage_http,
        Arc::clone(&clock),
    )
    .await?;
    let gate = GoogleGatekeeper::new(
        credentials.clone(),
        endpoints.compute.clone(),
        Arc::clone(&clock),
    );
    let flink_http = http.clone();
    let clients = Clients {
        clusters: Arc::new(GoogleDataproc::new(credentials, endpoints.dataproc.clone())),
        staging: Arc::new(staging),
        gate: Arc::new(gate),
        connect: Arc::new(RusshConnector::default()),
        yarn: Arc::new(move |route, host| {
            Arc::new(HttpYarn::new(
                http.clone(),
                route,
                Endpoint::new(host, RESOURCE_MANAGER),
            ))
        }),
        flink: Arc::new(move |route, host, application| {
            let resource_manager = Endpoint::new(host, RESOURCE_MANAGER);
            Arc::new(HttpFlink::behind_yarn(
                flink_http.clone(),
                route,
                resource_manager,
                application,
            ))
        }),
        methods: BTreeMap::new(),
        clock,
    };
    Ok(clients.with_method("ssh", |shell| Arc::new(SshMethod::new(shell))))
}
