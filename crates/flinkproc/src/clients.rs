//! Builds the real clients; the only place that does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flinkproc_compute::{Account, GoogleGatekeeper, IapOptions, ProxySettings};
use flinkproc_core::{Clock, Secret, messages};
use flinkproc_dataproc::GoogleDataproc;
use flinkproc_patterns::Clients;
use flinkproc_rest::{Endpoint, HttpFlink, HttpYarn};
use flinkproc_ssh::RusshConnector;
use flinkproc_staging::GoogleStaging;
use flinkproc_submit::{BUILTIN, DataprocPlace, builtin};
use google_cloud_auth::credentials::{self, Credentials, anonymous};

use crate::account;
use crate::clock::SystemClock;
use crate::environment::Environment;
use crate::error::AppError;
use crate::given_token::GivenToken;
use crate::report::Problem;
use crate::sandbox::record::read_token;

/// The port of YARN's ResourceManager on a Dataproc master.
const RESOURCE_MANAGER: u16 = 8088;

/// How long a token may take: outside Google Cloud nobody may answer at the metadata server's address.
const ANSWER: Duration = Duration::from_secs(15);
/// How often a token is asked for, and the pause between.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// Where the services are, where that is not Google's own place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints {
    pub(crate) dataproc: Option<String>,
    pub(crate) compute: Option<String>,
    pub(crate) storage: Option<String>,
    pub(crate) os_login: Option<String>,
    /// Identity-Aware Proxy's relay, and the file of the authority that has signed its certificate, beside the system's.
    pub(crate) iap: Option<String>,
    pub(crate) iap_ca: Option<PathBuf>,
    /// Whose credentials are used, where that is known; otherwise it is found out when OS Login has to know.
    pub(crate) account: Option<String>,
    /// Where the metadata server is asked for the account, on Google Cloud.
    pub(crate) metadata: Option<String>,
    /// The proxy between us and the services; every client but that of the relay reads the variables by itself.
    pub(crate) proxy: ProxySettings,
    /// Whether calls are made without credentials.
    pub(crate) anonymous: bool,
    /// The token that calls are made with instead of credentials.
    pub(crate) token: Option<Secret<String>>,
}

impl Endpoints {
    /// What the environment says.
    pub(crate) fn from_environment(environment: &Environment) -> Result<Self, AppError> {
        let endpoint = |name| {
            environment
                .text(name)
                .map(|url| url.trim_end_matches('/').to_owned())
        };
        let token = environment.path("FLINKPROC_ACCESS_TOKEN_FILE");
        Ok(Self {
            dataproc: endpoint("FLINKPROC_DATAPROC_ENDPOINT"),
            compute: endpoint("FLINKPROC_COMPUTE_ENDPOINT"),
            storage: endpoint("FLINKPROC_STORAGE_ENDPOINT"),
            os_login: endpoint("FLINKPROC_OS_LOGIN_ENDPOINT"),
            iap: endpoint("FLINKPROC_IAP_ENDPOINT"),
            iap_ca: None,
            account: account::known(environment),
            metadata: account::metadata_server(environment),
            proxy: proxy(environment),
            anonymous: environment.is_set("FLINKPROC_ANONYMOUS"),
            token: token.as_deref().map(read_token).transpose()?,
        })
    }

    /// Addresses, keys and the ways to machines.
    fn gatekeeper(
        &self,
        credentials: &Credentials,
        clock: &Arc<dyn Clock>,
    ) -> Result<GoogleGatekeeper, AppError> {
        let client = |source: reqwest::Error| AppError::Client {
            service: "OS Login",
            source: source.into(),
        };
        let account = match (&self.account, &self.metadata) {
            (Some(email), _) => Account::Named(email.clone()),
            // Without credentials, or with an emulator's token, there is nobody to ask; an emulator takes any name.
            (None, _) if self.anonymous || self.token.is_some() => {
                Account::Named("anonymous@example.com".to_owned())
            }
            (None, Some(host)) => Account::OfMachine {
                http: reqwest::Client::builder()
                    .no_proxy()
                    .build()
                    .map_err(client)?,
                host: host.clone(),
            },
            (None, None) => Account::OfToken(reqwest::Client::builder().build().map_err(client)?),
        };
        let extra_roots = match &self.iap_ca {
            Some(file) => std::fs::read(file).map_err(AppError::file("the certificates", file))?,
            None => Vec::new(),
        };
        let gate =
            GoogleGatekeeper::new(credentials.clone(), self.compute.clone(), Arc::clone(clock));
        // One emulator serves both by their paths.
        let os_login = self.os_login.clone().or_else(|| self.compute.clone());
        Ok(gate.with_os_login(account, os_login).with_iap(IapOptions {
            endpoint: self.iap.clone(),
            extra_roots,
            proxy: self.proxy.clone(),
        }))
    }

    /// Application Default Credentials: a service account, a user, impersonation, workload identity federation or the
    /// metadata server, as Google's auth crate finds them.
    ///
    /// They are tried at once: that there are none, or that they have expired, shows only when a token is asked for, and
    /// must not look like a service that cannot be reached.
    async fn credentials(&self) -> Result<Credentials, AppError> {
        if let Some(token) = &self.token {
            return Ok(Credentials::from(GivenToken::new(token)?));
        }
        if self.anonymous {
            return Ok(anonymous::Builder::new().build());
        }
        let unusable = |source: Box<dyn std::error::Error + Send + Sync>| AppError::Credentials {
            source: reason(source.as_ref()).into(),
        };
        let found = credentials::Builder::default()
            .build()
            .map_err(|error| unusable(error.into()))?;
        let mut tries = 0;
        loop {
            tries += 1;
            let asked = found.headers(http::Extensions::new());
            let error = tokio::select! {
                answer = asked => match answer {
                    Ok(_) => return Ok(found),
                    Err(error) => error,
                },
                () = SystemClock.sleep(ANSWER) => return Err(unusable("no token came in time".into())),
            };
            if !error.is_transient() || tries == TRIES {
                return Err(unusable(error.into()));
            }
            SystemClock.sleep(PAUSE).await;
        }
    }
}

/// The proxy that the environment names, in the order in which curl looks.
fn proxy(environment: &Environment) -> ProxySettings {
    let first = |names: &[&str]| names.iter().find_map(|name| environment.text(name));
    ProxySettings::new(
        first(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]),
        first(&["NO_PROXY", "no_proxy"]),
    )
}

/// Why there are no credentials, without the layers in which Google's library wraps it.
fn reason(error: &dyn std::error::Error) -> String {
    const WRAPPED: [&str; 2] = [
        "cannot create the authentication headers",
        "cannot create auth headers",
    ];
    const OUTLOOK: [&str; 2] = [
        "but future attempts may succeed",
        "and future attempts will not succeed",
    ];
    let said = messages(error);
    let mut plain: Vec<&str> = Vec::new();
    for text in &said {
        let mut text = text.trim();
        for end in OUTLOOK {
            text = text.trim_end_matches(end).trim_end();
        }
        for start in WRAPPED {
            text = text.trim_start_matches(start).trim_start();
        }
        let general = text.is_empty()
            || text.contains("Subsequent calls with this credential")
            || text.starts_with("Could not fetch an auth token");
        if !general && !plain.iter().any(|before| before.contains(text)) {
            plain.push(text);
        }
    }
    let reason = plain.join(": ");
    if reason.contains("/computeMetadata/") {
        return format!(
            "no credentials file is there, and no metadata server as on Google Cloud: {reason}"
        );
    }
    if reason.is_empty() {
        return said.join(": ");
    }
    reason
}

/// Dataproc alone, for the verbs that need no more.
pub(crate) async fn dataproc(endpoints: &Endpoints) -> Result<GoogleDataproc, AppError> {
    Ok(GoogleDataproc::new(
        endpoints.credentials().await?,
        endpoints.dataproc.clone(),
    ))
}

/// Everything that a deployment talks to.
pub(crate) async fn all(endpoints: &Endpoints) -> Result<Clients, Problem> {
    let credentials = endpoints.credentials().await?;
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
    let gate = endpoints.gatekeeper(&credentials, &clock)?;
    let flink_http = http.clone();
    let dataproc = Arc::new(GoogleDataproc::new(credentials, endpoints.dataproc.clone()));
    let clients = Clients {
        clusters: Arc::clone(&dataproc) as _,
        jobs: dataproc,
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
        environments: BTreeMap::new(),
        methods: BTreeMap::new(),
        clock,
    };
    Ok(BUILTIN.iter().fold(clients, |clients, name| {
        let clock = Arc::clone(&clients.clock);
        clients.with_method(*name, move |there| {
            let place = DataprocPlace {
                jobs: Arc::clone(&there.jobs),
                staging: Arc::clone(&there.staging),
                cluster: there.cluster.clone(),
                home: there.home.clone(),
                clock: Arc::clone(&clock),
            };
            builtin(name, there.shell.as_ref(), place)
        })
    }))
}
