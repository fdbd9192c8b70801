//! [`Gatekeeper`] by Google's Compute Engine and OS Login clients, and Identity-Aware Proxy.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use flinkproc_core::{Clock, MachineRef};
use google_cloud_auth::credentials::Credentials;
use google_cloud_compute_v1::client::{Instances, Projects};
use google_cloud_compute_v1::model::{Instance, Metadata, metadata, operation};
use google_cloud_gax::exponential_backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use google_cloud_gax::options::RequestOptionsBuilder;
use tokio_rustls::rustls::ClientConfig;

use crate::error::GateError;
use crate::gatekeeper::{AdmittedKey, Door, Gatekeeper, Machine, Tunnel};
use crate::google_account::Account;
use crate::google_calls::{Patient, sort};
use crate::google_os_login::OsLogin;
use crate::keys;
use crate::relay::RelayStream;
use crate::relay_connect::{IapOptions, Opener, tls};

/// How long one attempt of a call may take.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(15);

/// How long a call is repeated, all attempts together.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How often a write is tried again because somebody else wrote first.
const TRIES: u32 = 10;

/// How long a write may take to show.
const VISIBLE: Duration = Duration::from_secs(60);

/// The metadata entry that switches OS Login on.
const OS_LOGIN: &str = "enable-oslogin";

/// Where machines publish their host keys.
const HOST_KEYS: &str = "hostkeys/";

/// The Compute Engine service.
///
/// Calls are repeated on 429, 5xx, dropped connections and timeouts for up to half a minute; a write carries the fingerprint of
/// what it replaces, so that it is never done twice and never undoes somebody else's.
pub struct GoogleGatekeeper {
    credentials: Credentials,
    endpoint: Option<String>,
    clock: Arc<dyn Clock>,
    patience: Duration,
    instances: Mutex<Option<Instances>>,
    projects: Mutex<Option<Projects>>,
    os_login: OsLogin,
    iap: Arc<IapOptions>,
    tls: Mutex<Option<Arc<ClientConfig>>>,
}

impl fmt::Debug for GoogleGatekeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = &self.endpoint;
        f.debug_struct("GoogleGatekeeper")
            .field("endpoint", endpoint)
            .finish_non_exhaustive()
    }
}

pub(crate) fn known<T: Clone>(client: &Mutex<Option<T>>) -> Option<T> {
    client
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

pub(crate) fn keep<T: Clone>(slot: &Mutex<Option<T>>, client: &T) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
}

pub(crate) fn backoff() -> ExponentialBackoff {
    ExponentialBackoffBuilder::new()
        .with_initial_delay(Duration::from_millis(200))
        .with_maximum_delay(Duration::from_secs(5))
        .clamp()
}

pub(crate) fn unbuilt(
    machine: &MachineRef,
    error: &google_cloud_gax::client_builder::Error,
) -> GateError {
    let (machine, message) = (machine.clone(), error.to_string());
    if error.is_default_credentials() {
        GateError::Unauthenticated { machine, message }
    } else {
        GateError::Invalid { machine, message }
    }
}

/// The value of a metadata entry.
fn value<'a>(metadata: Option<&'a Metadata>, key: &str) -> Option<&'a str> {
    let items = metadata?.items.iter();
    let mut found = items.filter(|item| item.key.as_deref() == Some(key));
    found.next()?.value.as_deref()
}

fn keys_of(instance: &Instance) -> &str {
    value(instance.metadata.as_ref(), keys::ENTRY).unwrap_or_default()
}

fn address(text: Option<&String>) -> Option<IpAddr> {
    text?.parse().ok()
}

/// Whether an error says that the machine publishes nothing, rather than that there is no machine.
///
/// The service answers 404 for "The resource 'hostkeys/' of type 'Guest Attribute' was not found." and 412 where guest attributes
/// are switched off.
fn publishes_nothing(error: &google_cloud_gax::error::Error) -> bool {
    let message = error.status().map(|status| status.message.to_lowercase());
    let speaks_of_it =
        message.is_some_and(|text| text.contains("guest attribute") || text.contains("hostkeys"));
    match error.http_status_code() {
        Some(404) => speaks_of_it,
        Some(412) => true,
        _ => false,
    }
}

impl GoogleGatekeeper {
    /// Takes credentials and a clock; connects at the first call. `endpoint`, such as `http://127.0.0.1:8080`, stands in for
    /// Google's own.
    #[must_use]
    pub fn new(credentials: Credentials, endpoint: Option<String>, clock: Arc<dyn Clock>) -> Self {
        let os_login = OsLogin::new(credentials.clone(), None, Account::default());
        Self {
            credentials,
            endpoint,
            clock,
            patience: PATIENCE,
            instances: Mutex::default(),
            projects: Mutex::default(),
            os_login,
            iap: Arc::default(),
            tls: Mutex::default(),
        }
    }

    /// Says whose OS Login profile takes the keys, and where OS Login is if not at Google's own place. Otherwise the account
    /// is asked for with the credentials' token.
    #[must_use]
    pub fn with_os_login(self, account: Account, endpoint: Option<String>) -> Self {
        let os_login = OsLogin::new(self.credentials.clone(), endpoint, account);
        Self { os_login, ..self }
    }

    /// Says how Identity-Aware Proxy is reached.
    #[must_use]
    pub fn with_iap(self, options: IapOptions) -> Self {
        Self {
            iap: Arc::new(options),
            ..self
        }
    }

    /// Sets how long a call is repeated, all attempts together; half a minute otherwise.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// What TLS believes; the system's certificates are read once.
    fn tls(&self, machine: &MachineRef) -> Result<Arc<ClientConfig>, GateError> {
        if let Some(config) = known(&self.tls) {
            return Ok(config);
        }
        let config = tls(&self.iap.extra_roots).map_err(|error| GateError::Invalid {
            machine: machine.clone(),
            message: format!("the certificates cannot be used: {error}"),
        })?;
        let config = Arc::new(config);
        keep(&self.tls, &config);
        Ok(config)
    }

    fn endpoint(&self) -> String {
        let own = || "https://compute.googleapis.com".to_owned();
        self.endpoint.clone().unwrap_or_else(own)
    }

    async fn instances(&self, machine: &MachineRef) -> Result<Instances, GateError> {
        if let Some(client) = known(&self.instances) {
            return Ok(client);
        }
        let client = Instances::builder()
            .with_endpoint(self.endpoint())
            .with_credentials(self.credentials.clone())
            .with_retry_policy(Patient(self.patience))
            .with_backoff_policy(backoff())
            .with_attempt_timeout(ATTEMPT)
            .build()
            .await
            .map_err(|error| unbuilt(machine, &error))?;
        keep(&self.instances, &client);
        Ok(client)
    }

    async fn projects(&self, machine: &MachineRef) -> Result<Projects, GateError> {
        if let Some(client) = known(&self.projects) {
            return Ok(client);
        }
        let client = Projects::builder()
            .with_endpoint(self.endpoint())
            .with_credentials(self.credentials.clone())
            .with_retry_policy(Patient(self.patience))
            .with_backoff_policy(backoff())
            .with_attempt_timeout(ATTEMPT)
            .build()
            .await
            .map_err(|error| unbuilt(machine, &error))?;
        keep(&self.projects, &client);
        Ok(client)
    }

    async fn instance(&self, machine: &MachineRef) -> Result<Option<Instance>, GateError> {
        let client = self.instances(machine).await?;
        let call = client
            .get()
            .set_project(machine.project.as_str())
            .set_zone(machine.zone.as_str())
            .set_instance(machine.instance.as_str());
        match call
            .send()
            .await
            .map_err(|error| sort(machine, false, &error))
        {
            Ok(found) => Ok(Some(found)),
            Err(GateError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether OS Login decides: what the instance says counts before what the project says.
    async fn os_login(&self, machine: &MachineRef, found: &Instance) -> Result<bool, GateError> {
        if let Some(value) = value(found.metadata.as_ref(), OS_LOGIN) {
            return Ok(keys::is_on(value));
        }
        let client = self.projects(machine).await?;
        let call = client.get().set_project(machine.project.as_str());
        let project = call
            .send()
            .await
            .map_err(|error| sort(machine, false, &error))?;
        let metadata = project.common_instance_metadata.as_ref();
        Ok(value(metadata, OS_LOGIN).is_some_and(keys::is_on))
    }

    /// Writes the entry `ssh-keys` as it is to be, if nobody has written since `found` was read.
    async fn write(
        &self,
        machine: &MachineRef,
        found: &Instance,
        entry: &str,
    ) -> Result<bool, GateError> {
        let mut metadata = found.metadata.clone().unwrap_or_default();
        metadata
            .items
            .retain(|item| item.key.as_deref() != Some(keys::ENTRY));
        if !entry.is_empty() {
            let item = metadata::Items::new().set_key(keys::ENTRY).set_value(entry);
            metadata.items.push(item);
        }
        let client = self.instances(machine).await?;
        let call = client
            .set_metadata()
            .set_project(machine.project.as_str())
            .set_zone(machine.zone.as_str())
            .set_instance(machine.instance.as_str())
            .set_body(metadata)
            .with_idempotency(true);
        let started = call
            .send()
            .await
            .map_err(|error| sort(machine, true, &error))?;
        let causes = started.error.iter().flat_map(|error| &error.errors);
        let causes: Vec<_> = causes.filter_map(|cause| cause.message.clone()).collect();
        if started.error.is_some() || started.http_error_status_code.is_some() {
            let said = started.http_error_message.unwrap_or_default();
            let message = if causes.is_empty() {
                said
            } else {
                causes.join("; ")
            };
            return Err(GateError::Failed {
                machine: machine.clone(),
                message,
            });
        }
        Ok(started.status == Some(operation::Status::Done))
    }

    /// Brings the entry `ssh-keys` to the state that `change` asks for; `change` gives `None` when it is so already.
    async fn change(
        &self,
        machine: &MachineRef,
        mut found: Instance,
        change: impl Fn(&str) -> Option<String> + Send + Sync,
    ) -> Result<(), GateError> {
        let mut conflicts = 0;
        loop {
            let Some(entry) = change(keys_of(&found)) else {
                return Ok(());
            };
            match self.write(machine, &found, &entry).await {
                Ok(true) => return Ok(()),
                Ok(false) => return self.wait_visible(machine, &change).await,
                Err(GateError::Contended { .. }) if conflicts < TRIES => {
                    tracing::debug!(instance = machine.instance, "somebody else wrote first");
                    conflicts += 1;
                    self.clock
                        .sleep(Duration::from_millis(50) * conflicts)
                        .await;
                }
                Err(error) => return Err(error),
            }
            found = match self.instance(machine).await? {
                Some(found) => found,
                None => {
                    return Err(GateError::NotFound {
                        machine: machine.clone(),
                    });
                }
            };
        }
    }

    /// Waits until a write that was taken up shows.
    async fn wait_visible(
        &self,
        machine: &MachineRef,
        change: &(impl Fn(&str) -> Option<String> + Send + Sync),
    ) -> Result<(), GateError> {
        let began = self.clock.now();
        let mut pause = Duration::from_millis(100);
        loop {
            match self.instance(machine).await? {
                None => {
                    return Err(GateError::NotFound {
                        machine: machine.clone(),
                    });
                }
                Some(found) if change(keys_of(&found)).is_none() => return Ok(()),
                Some(_) => {}
            }
            if self.clock.now().duration_since(began).unsigned_abs() >= VISIBLE {
                let message = format!("the change did not show within {} s", VISIBLE.as_secs());
                return Err(GateError::OutcomeUnknown {
                    machine: machine.clone(),
                    message,
                });
            }
            self.clock.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }
}

#[async_trait]
impl Gatekeeper for GoogleGatekeeper {
    async fn find(&self, machine: &MachineRef) -> Result<Option<Machine>, GateError> {
        let Some(found) = self.instance(machine).await? else {
            return Ok(None);
        };
        let os_login = match self.os_login(machine, &found).await {
            Err(GateError::Denied { message, .. }) => {
                tracing::debug!(message, "the project's metadata may not be read");
                false
            }
            other => other?,
        };
        let interface = found.network_interfaces.first();
        let outside = interface.and_then(|interface| interface.access_configs.first());
        let status = found.status.as_ref().and_then(|status| status.name());
        Ok(Some(Machine {
            machine: machine.clone(),
            id: found.id.map(|id| id.to_string()).unwrap_or_default(),
            status: status.unwrap_or("UNKNOWN").to_owned(),
            internal: address(interface.and_then(|interface| interface.network_ip.as_ref())),
            external: address(outside.and_then(|outside| outside.nat_ip.as_ref())),
            os_login,
        }))
    }

    async fn admit(&self, machine: &MachineRef, key: &AdmittedKey) -> Result<String, GateError> {
        if let Some(problem) = keys::problem(key) {
            let message = problem.to_owned();
            return Err(GateError::Invalid {
                machine: machine.clone(),
                message,
            });
        }
        if key.door == Door::OsLogin {
            return self.os_login.admit(machine, key, self.clock.now()).await;
        }
        let Some(found) = self.instance(machine).await? else {
            return Err(GateError::NotFound {
                machine: machine.clone(),
            });
        };
        if self.os_login(machine, &found).await? {
            return Err(GateError::OsLoginRequired {
                machine: machine.clone(),
            });
        }
        let now = self.clock.now();
        let line = keys::line(key);
        self.change(machine, found, |entry| {
            let there = entry.lines().any(|each| each.trim() == line);
            (!there).then(|| keys::with(entry, key, now))
        })
        .await?;
        Ok(key.user.clone())
    }

    async fn expel(&self, machine: &MachineRef, key: &AdmittedKey) -> Result<(), GateError> {
        if key.door == Door::OsLogin {
            return self.os_login.expel(machine, key, self.clock.now()).await;
        }
        let Some(found) = self.instance(machine).await? else {
            return Ok(());
        };
        let now = self.clock.now();
        let changed = self.change(machine, found, |entry| {
            keys::contains(entry, key).then(|| keys::without(entry, key, now))
        });
        match changed.await {
            Err(GateError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    async fn host_keys(&self, machine: &MachineRef) -> Result<Vec<String>, GateError> {
        let client = self.instances(machine).await?;
        let call = client
            .get_guest_attributes()
            .set_project(machine.project.as_str())
            .set_zone(machine.zone.as_str())
            .set_instance(machine.instance.as_str())
            .set_query_path(HOST_KEYS);
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) if publishes_nothing(&error) => return Ok(Vec::new()),
            Err(error) => return Err(sort(machine, false, &error)),
        };
        let entries = answer.query_value.into_iter().flat_map(|value| value.items);
        let line = |kind: Option<String>, key: Option<String>| {
            let (kind, key) = (kind?, key?);
            (!kind.is_empty() && !key.is_empty()).then(|| format!("{kind} {}", key.trim()))
        };
        Ok(entries
            .filter_map(|entry| line(entry.key, entry.value))
            .collect())
    }

    async fn open_tunnel(
        &self,
        machine: &MachineRef,
        port: u16,
    ) -> Result<Box<dyn Tunnel>, GateError> {
        let opener = Opener {
            machine: machine.clone(),
            port,
            credentials: self.credentials.clone(),
            options: Arc::clone(&self.iap),
            tls: self.tls(machine)?,
        };
        let stream = RelayStream::open(opener, Arc::clone(&self.clock)).await?;
        Ok(Box::new(stream))
    }
}
