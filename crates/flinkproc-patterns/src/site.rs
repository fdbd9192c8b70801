//! The step [`Step::Enter`](crate::Step::Enter): the door of the master is opened, and opened again when the connection breaks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use flinkproc_compute::{AdmittedKey, GateError, Machine};
use flinkproc_core::{Explain, MachineRef, RetryHint, YarnApplicationId};
use flinkproc_plan::{AccessSpec, IdentityPlan};
use flinkproc_rest::{FlinkApi, Route, YarnApi};
use flinkproc_ssh::{EphemeralKey, HostKeyPolicy, Identity, RemoteShell, ShellError, SshTarget};
use flinkproc_submit::SubmissionMethod;

use crate::clients::{OpenFlink, Reachable};
use crate::error::RunError;
use crate::events::EventKind;
use crate::forward_route::ForwardRoute;
use crate::run::{Run, lock, passing};
use crate::step::{ClusterFacts, GateKey, Intent, Output};
use crate::way::Way;

/// How long a machine that should run may refuse us, until we believe that it means it.
const YOUTH: Duration = Duration::from_secs(180);
/// How long a machine may deny our key: Google's guest agent takes some seconds to write it down.
const KEY_DELAY: Duration = Duration::from_secs(60);
/// A key is let in anew when it would expire within this.
const RENEWAL: Duration = Duration::from_secs(120);

/// The way to the job: the method that hands it over and looks after it, and the master, where somebody enters it.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) method: Arc<dyn SubmissionMethod>,
    /// There is none when the plan says that nobody enters: then all goes through Dataproc's Jobs API and the bucket.
    pub(crate) master: Option<Master>,
}

/// An open connection to the master and what is reached through it.
pub(crate) struct Master {
    pub(crate) shell: Arc<dyn RemoteShell>,
    pub(crate) yarn: Arc<dyn YarnApi>,
    open_flink: OpenFlink,
    route: Arc<dyn Route>,
    /// The master as the cluster's network knows it.
    inside: String,
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Master")
            .field("inside", &self.inside)
            .finish_non_exhaustive()
    }
}

impl Master {
    /// The JobManager of an application, as YARN's proxy lets it be read.
    pub(crate) fn flink(&self, application: &YarnApplicationId) -> Arc<dyn FlinkApi> {
        (self.open_flink)(Arc::clone(&self.route), &self.inside, application)
    }
}

impl Run {
    /// Whether anybody enters the master; otherwise the Jobs API and the bucket are the only way.
    pub(crate) fn enters(&self) -> bool {
        self.plan.ssh.access != AccessSpec::Never
    }

    /// Opens the door and goes in.
    pub(crate) async fn enter(self: &Arc<Self>, facts: &ClusterFacts) -> Result<(), RunError> {
        let mut site = self.site.lock().await;
        if site.is_none() {
            *site = Some(Arc::new(self.open(facts).await?));
        }
        drop(site);
        self.done(Output::Enter).await
    }

    /// The open connection, or a new one to the cluster of the journal.
    pub(crate) async fn site(self: &Arc<Self>) -> Result<Arc<Site>, RunError> {
        let mut site = self.site.lock().await;
        if let Some(open) = site.as_ref() {
            return Ok(Arc::clone(open));
        }
        let facts = self.look(|progress| progress.facts().cloned());
        let facts = facts.ok_or_else(|| RunError::ClusterGone {
            cluster: self.plan.cluster.cluster.clone(),
        })?;
        let open = Arc::new(self.open(&facts).await?);
        *site = Some(Arc::clone(&open));
        Ok(open)
    }

    /// Forgets a connection that broke; the next [`Run::site`] opens another one.
    pub(crate) async fn disconnected(&self, why: &dyn Explain) {
        if self.site.lock().await.take().is_none() {
            return;
        }
        let why = why.to_string();
        self.emit(if self.enters() {
            EventKind::Disconnected { why }
        } else {
            EventKind::Retrying {
                what: "asking for the job through the Jobs API and the bucket".to_owned(),
                why,
            }
        });
    }

    async fn open(self: &Arc<Self>, facts: &ClusterFacts) -> Result<Site, RunError> {
        let name = &self.plan.job.method;
        let open_method = self.clients.methods.get(name);
        let open_method =
            open_method.ok_or_else(|| RunError::NoSuchMethod { name: name.clone() })?;
        let master = match self.enters() {
            true => Some(self.open_master(facts).await?),
            false => None,
        };
        let method = open_method(&Reachable {
            shell: master.as_ref().map(|master| Arc::clone(&master.shell)),
            jobs: Arc::clone(&self.clients.jobs),
            staging: Arc::clone(&self.clients.staging),
            cluster: facts.cluster.clone(),
            home: self.plan.staging.home.clone(),
        })?;
        Ok(Site { method, master })
    }

    async fn open_master(self: &Arc<Self>, facts: &ClusterFacts) -> Result<Master, RunError> {
        let machine_ref = facts.machine().ok_or_else(|| RunError::NoMaster {
            cluster: facts.cluster.clone(),
        })?;
        let machine = self.find_machine(facts, &machine_ref).await?;
        let way = self.way(&machine).await?;
        let entry = self.entry(&machine, &way);
        let host_keys = self.host_keys(facts, &machine_ref);
        let (entry, host_keys) = futures::future::join(entry, host_keys).await;
        let (identity, user) = entry?;
        let host = way.host.clone();
        let target = way.target(user, identity, host_keys);
        let shell = self.connect(facts, &way, &target).await?;
        let way = way.words;
        self.emit(EventKind::Connected { host, way });
        let route: Arc<dyn Route> = Arc::new(ForwardRoute::new(Arc::clone(&shell)));
        let inside = machine
            .internal
            .map_or_else(|| machine_ref.instance.clone(), |ip| ip.to_string());
        Ok(Master {
            yarn: (self.clients.yarn)(Arc::clone(&route), &inside),
            open_flink: Arc::clone(&self.clients.flink),
            shell,
            route,
            inside,
        })
    }

    /// The open connection to the master, which has to be entered.
    pub(crate) async fn with_master<T>(
        self: &Arc<Self>,
        work: impl AsyncFnOnce(&Master) -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        let site = self.site().await?;
        match &site.master {
            Some(master) => work(master).await,
            None => Err(RunError::NobodyEnters),
        }
    }

    async fn find_machine(
        &self,
        facts: &ClusterFacts,
        machine: &MachineRef,
    ) -> Result<Machine, RunError> {
        let gate = &self.clients.gate;
        let found = self
            .retrying("finding the master", passing, || gate.find(machine))
            .await?;
        match found {
            Some(found) => Ok(found),
            None => {
                // A master that is gone went with its cluster: that says more.
                self.still_there(facts.clone()).await?;
                Err(GateError::NotFound {
                    machine: machine.clone(),
                }
                .into())
            }
        }
    }

    /// The keys that the machine has published and the one pinned for this very cluster.
    async fn host_keys(&self, facts: &ClusterFacts, machine: &MachineRef) -> HostKeyPolicy {
        let published = match self.clients.gate.host_keys(machine).await {
            Ok(lines) => lines.iter().filter_map(|line| line.parse().ok()).collect(),
            Err(error) => {
                tracing::debug!(%error, "the published host keys could not be read");
                Vec::new()
            }
        };
        let file = self.options.directory.join("known_hosts");
        HostKeyPolicy::published(
            file,
            format!("{}.{}", machine.instance, facts.uuid),
            published,
        )
    }

    /// The key to show and the login name to show it under; a key of our own is let in first, under an expiry.
    async fn entry(
        self: &Arc<Self>,
        machine: &Machine,
        way: &Way,
    ) -> Result<(Identity, String), RunError> {
        if let Some(file) = &way.identity_file {
            return Ok((Identity::KeyFile(file.clone()), way.user.clone()));
        }
        let identity = match &self.plan.ssh.identity {
            IdentityPlan::File(file) => Identity::KeyFile(file.into()),
            IdentityPlan::Agent => {
                let socket = self.options.agent.clone();
                let socket = socket.ok_or_else(|| ShellError::Agent {
                    socket: "SSH_AUTH_SOCK".into(),
                    problem: "is not running: the variable is not set".to_owned(),
                })?;
                Identity::Agent(socket)
            }
            IdentityPlan::Ephemeral => {
                let (key, user) = self.admitted_key(machine, &way.user).await?;
                return Ok((Identity::Ephemeral(key), user));
            }
        };
        Ok((identity, way.user.clone()))
    }

    async fn admitted_key(
        self: &Arc<Self>,
        machine: &Machine,
        user: &str,
    ) -> Result<(EphemeralKey, String), RunError> {
        let known = lock(&self.key).clone();
        let key = match known {
            Some(key) => key,
            None => EphemeralKey::generate()?,
        };
        *lock(&self.key) = Some(key.clone());
        let now = self.now();
        let until_renewal = now.checked_add(RENEWAL).unwrap_or(now);
        let fresh = self.look(|progress| {
            let mut keys = progress.keys.iter();
            keys.any(|(on, known)| {
                *on == machine.machine
                    && known.public_key == key.public_key()
                    && known.expires > until_renewal
            })
        });
        let login = lock(&self.login).clone();
        if let (true, Some(login)) = (fresh, login) {
            return Ok((key, login));
        }
        let ttl = self.plan.ssh.key_ttl.as_duration();
        let gate_key = GateKey {
            user: user.to_owned(),
            public_key: key.public_key().to_owned(),
            expires: now.checked_add(ttl).unwrap_or(now),
            door: machine.door(),
        };
        self.started(Intent::Enter {
            machine: machine.machine.clone(),
            key: gate_key.clone(),
        })
        .await?;
        let (run, machine) = (Arc::clone(self), machine.machine.clone());
        let login = self
            .act(async move {
                let admitted = gate_key.admitted();
                let gate = &run.clients.gate;
                let admit = || gate.admit(&machine, &admitted);
                Ok(run.retrying("letting our key in", passing, admit).await?)
            })
            .await?;
        *lock(&self.login) = Some(login.clone());
        Ok((key, login))
    }

    async fn connect(
        &self,
        facts: &ClusterFacts,
        way: &Way,
        target: &SshTarget,
    ) -> Result<Arc<dyn RemoteShell>, RunError> {
        let since = self.now();
        let mut pause = Duration::from_millis(50);
        loop {
            let error = match self.connect_once(way, target).await {
                Ok(shell) => return Ok(shell),
                Err(error) => error,
            };
            let limit = match (&error, &target.identity) {
                (RunError::Shell(ShellError::Denied { .. }), Identity::Ephemeral(_)) => KEY_DELAY,
                (RunError::Shell(ShellError::Denied { .. }), _) => Duration::ZERO,
                (RunError::Shell(error), _) if error.is_typical_of_young_machines() => YOUTH,
                (RunError::Gate(error), _) if error.is_typical_of_young_machines() => YOUTH,
                (error, _) if error.retry() != RetryHint::Never => YOUTH,
                _ => Duration::ZERO,
            };
            if self.is_closing() {
                return Err(error);
            }
            if self.past(since, limit) || limit.is_zero() {
                self.still_there(facts.clone()).await?;
                return Err(error);
            }
            if pause > Duration::from_secs(1) {
                self.emit(EventKind::Retrying {
                    what: format!("connecting to {}", target.host),
                    why: error.to_string(),
                });
            }
            self.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(3));
        }
    }

    async fn connect_once(
        &self,
        way: &Way,
        target: &SshTarget,
    ) -> Result<Arc<dyn RemoteShell>, RunError> {
        let connect = &self.clients.connect;
        let Some(machine) = &way.tunnel_to else {
            return Ok(connect.connect(target).await?);
        };
        let gate = &self.clients.gate;
        let tunnel = gate.open_tunnel(machine, target.port).await?;
        Ok(connect.connect_over(target, Box::new(tunnel)).await?)
    }
}

impl GateKey {
    /// The key as the gate takes it.
    pub(crate) fn admitted(&self) -> AdmittedKey {
        AdmittedKey {
            user: self.user.clone(),
            public_key: self.public_key.clone(),
            expires: self.expires,
            door: self.door,
        }
    }
}
