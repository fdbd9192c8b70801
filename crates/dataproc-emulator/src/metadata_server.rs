//! The metadata server of a cluster's machines: what they are, what they are told, and tokens.
//!
//! Each cluster has one on a port of its own. A loopback connection does not tell which machine it comes from, unless the
//! machine speaks from its own address; the others are answered as the master.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Query, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gcs_emulator::guard::Guard;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::clock::real_sleep;
use crate::machines::{MachineRecord, Metadata};
use crate::metadata_tree::{Format, answer, etag, find};
use crate::resource::project_number;
use crate::runtime::{ClusterFacts, Machine};
use crate::service::{ClusterKey, Service};

const FLAVOR: HeaderName = HeaderName::from_static("metadata-flavor");
const FORWARDED: &str = "x-forwarded-for";
/// How long a token is said to be valid, in seconds.
const TOKEN_SECONDS: u32 = 3599;
/// What machines get where anybody may call.
const OPEN_TOKEN: &str = "ya29.emulated";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// How often a waiting call looks for a change, and how long it waits when it does not say.
const LOOK: Duration = Duration::from_millis(100);
const LONGEST_WAIT: u64 = 600;

/// A token that no log shows.
#[derive(Clone)]
pub(crate) struct AccessToken(String);

impl AccessToken {
    pub(crate) fn new(token: Option<&str>) -> Self {
        Self(token.unwrap_or(OPEN_TOKEN).to_owned())
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(***)")
    }
}

/// The server of one cluster; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct MetadataServer {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

#[derive(Clone, Debug)]
struct OfCluster {
    /// Weak, because the service holds this server.
    service: Weak<Service>,
    key: ClusterKey,
    uuid: String,
}

impl MetadataServer {
    /// Listens at a free port of `ip`.
    pub(crate) fn start(
        service: &Arc<Service>,
        key: &ClusterKey,
        uuid: &str,
        ip: IpAddr,
    ) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind((ip, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let of = OfCluster {
            service: Arc::downgrade(service),
            key: key.clone(),
            uuid: uuid.to_owned(),
        };
        let app = Router::new()
            .fallback(call)
            .with_state(of)
            .into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(%error, "a metadata server ended");
            }
        });
        Ok(Self { address, serving })
    }

    /// What `GCE_METADATA_HOST` has to be on the machines.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for MetadataServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The query of a call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    recursive: String,
    alt: String,
    wait_for_change: String,
    last_etag: String,
    timeout_sec: Option<u64>,
    audience: String,
}

async fn call(
    State(of): State<OfCluster>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let mut response = match refusal(&method, &uri, &headers) {
        Some(refused) => refused,
        None => read(&of, peer.ip(), &uri).await,
    };
    let headers = response.headers_mut();
    headers.insert(FLAVOR, HeaderValue::from_static("Google"));
    let server = HeaderValue::from_static("Metadata Server for VM");
    headers.insert(header::SERVER, server);
    response
}

fn refuse(status: StatusCode, text: impl Into<String>) -> Response {
    (status, text.into()).into_response()
}

/// What protects a machine's tokens from pages and proxies that were led here.
fn refusal(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Response> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text("host").unwrap_or_default();
    let named = host.split(':').next().unwrap_or_default();
    let names = ["metadata.google.internal", "metadata"];
    if !names.contains(&named) && Guard::open().check(headers, None).is_err() {
        let message = format!("'{host}' is not a name of the metadata server");
        return Some(refuse(StatusCode::FORBIDDEN, message));
    }
    if headers.contains_key(FORWARDED) {
        let message = "requests with X-Forwarded-For are refused";
        return Some(refuse(StatusCode::FORBIDDEN, message));
    }
    if uri.path() != "/" && text(FLAVOR.as_str()) != Some("Google") {
        let message = "Missing required header \"Metadata-Flavor\": \"Google\"";
        return Some(refuse(StatusCode::FORBIDDEN, message));
    }
    let refused = StatusCode::METHOD_NOT_ALLOWED;
    (method != Method::GET).then(|| refuse(refused, "only GET is answered"))
}

async fn read(of: &OfCluster, peer: IpAddr, uri: &Uri) -> Response {
    let Ok(Query(asked)) = Query::<Asked>::try_from_uri(uri) else {
        return refuse(StatusCode::BAD_REQUEST, "the query cannot be read");
    };
    let root = "/computeMetadata/";
    let path = match uri.path() {
        "/" => return refuse(StatusCode::OK, "computeMetadata/\n"),
        "/computeMetadata" | "/computeMetadata/" => return refuse(StatusCode::OK, "v1/\n"),
        path => path.strip_prefix(root).unwrap_or_default(),
    };
    let Some(path) = path.strip_prefix("v1/").or((path == "v1").then_some("")) else {
        return refuse(StatusCode::NOT_FOUND, "there is no such entry");
    };
    if let Some(account) = path.strip_suffix("/identity") {
        return identity(of, account, &asked.audience);
    }
    let Some(format) = Format::of(&asked.recursive, &asked.alt) else {
        return refuse(StatusCode::BAD_REQUEST, "alt is neither text nor json");
    };
    let waits = is_true(&asked.wait_for_change);
    let wait = Duration::from_secs(asked.timeout_sec.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT));
    let limit = real_sleep(wait);
    tokio::pin!(limit);
    let mut seen = asked.last_etag;
    loop {
        let Some(tree) = tree(of, peer) else {
            return refuse(StatusCode::SERVICE_UNAVAILABLE, "the machine has gone");
        };
        let Some(found) = find(&tree, path) else {
            return refuse(StatusCode::NOT_FOUND, "there is no such entry");
        };
        let now = etag(found);
        if seen.is_empty() && waits {
            seen.clone_from(&now);
        }
        if waits && seen == now {
            tokio::select! {
                () = real_sleep(LOOK) => continue,
                () = &mut limit => {}
            }
        }
        return answer(found, path, format);
    }
}

fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true")
}

/// A token of identity as its readers split it; nobody signs it.
fn identity(of: &OfCluster, account: &str, audience: &str) -> Response {
    let email = service_account(&of.key.project);
    let name = account.strip_prefix("instance/service-accounts/");
    if !name.is_some_and(|name| name == "default" || name == email) {
        return refuse(StatusCode::NOT_FOUND, "there is no such service account");
    }
    if audience.is_empty() {
        return refuse(
            StatusCode::BAD_REQUEST,
            "non-empty audience parameter required",
        );
    }
    let Some(service) = of.service.upgrade() else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "the machine has gone");
    };
    let now = service.clock.now().as_second();
    let claims = json!({
        "aud": audience,
        "azp": email,
        "email": email,
        "email_verified": true,
        "exp": now + 3600,
        "iat": now,
        "iss": "https://accounts.google.com",
        "sub": email,
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(&json!({"alg": "none", "typ": "JWT"}));
    refuse(StatusCode::OK, format!("{head}.{}.", part(&claims)))
}

fn service_account(project: &str) -> String {
    format!(
        "{}-compute@developer.gserviceaccount.com",
        project_number(project)
    )
}

/// Everything that a machine may read, as the machine that asks sees it.
fn tree(of: &OfCluster, peer: IpAddr) -> Option<Value> {
    let service = of.service.upgrade()?;
    let state = service.lock();
    let record = state.clusters.get(&of.key)?;
    if record.facts.uuid != of.uuid {
        return None;
    }
    let facts = &record.facts;
    let mut machines = record.machines.iter();
    // While a cluster is being made its machines are not known here, but its master may ask already.
    let unknown;
    let machine = match machines
        .clone()
        .find(|m| m.address == peer)
        .or_else(|| machines.next())
    {
        Some(machine) => machine,
        None => {
            let name = facts.master_names().into_iter().next().unwrap_or_default();
            unknown = MachineRecord::new(
                Machine {
                    name,
                    address: peer,
                    host_keys: Vec::new(),
                },
                facts,
            );
            &unknown
        }
    };
    let project = state.projects.get(&of.key.project);
    let shared = project.map(Metadata::values).unwrap_or_default();
    let config = &record.resource()["config"];
    Some(json!({
        "instance": instance(facts, machine, config, &service.access_token),
        "oslogin": {"authenticate": {"sessions": {}}},
        "project": {
            "attributes": shared,
            "numericProjectId": project_number(&facts.project),
            "projectId": facts.project,
        },
    }))
}

fn instance(
    facts: &ClusterFacts,
    machine: &MachineRecord,
    config: &Value,
    token: &AccessToken,
) -> Value {
    let number = project_number(&facts.project);
    let group = match machine.name.strip_prefix(facts.name.as_str()) {
        Some(rest) if rest.starts_with("-m") => "masterConfig",
        Some(rest) if rest.starts_with("-sw") => "secondaryWorkerConfig",
        _ => "workerConfig",
    };
    let kind = config[group]["machineTypeUri"].as_str().unwrap_or_default();
    let kind = kind.rsplit('/').next().unwrap_or_default();
    let email = service_account(&facts.project);
    let account = json!({
        "aliases": ["default"],
        "email": email,
        "scopes": [SCOPE],
        "token": {
            "access_token": token.0,
            "expires_in": TOKEN_SECONDS,
            "token_type": "Bearer",
        },
    });
    json!({
        "attributes": machine.metadata.values(),
        "cpuPlatform": "emulated",
        "description": "",
        "hostname": format!("{}.{}.c.{}.internal", machine.name, facts.zone, facts.project),
        "id": machine.id,
        "image": "",
        "machineType": format!("projects/{number}/machineTypes/{kind}"),
        "name": machine.name,
        "networkInterfaces": [{
            "accessConfigs": [],
            "ip": machine.address,
            "network": format!("projects/{number}/networks/default"),
        }],
        "preempted": "FALSE",
        "serviceAccounts": {"default": account, email: account},
        "tags": config["gceClusterConfig"]["tags"].as_array().cloned().unwrap_or_default(),
        "zone": format!("projects/{number}/zones/{}", facts.zone),
    })
}
