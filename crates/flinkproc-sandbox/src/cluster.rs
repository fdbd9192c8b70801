//! One cluster: its folder, its address, its daemons.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dataproc_emulator::runtime::{
    ClusterFacts, DriverOutput, JobEnd, JobFacts, Machines, MetadataKey,
};
use flinkproc_core::Clock;
use tokio::sync::{Mutex, OnceCell};

use crate::address::Address;
use crate::error::SandboxError;
use crate::history::History;
use crate::image::Image;
use crate::jobs::{JobError, Jobs, Place};
use crate::layout::Layout;
use crate::machine::ProcessRef;
use crate::nodes::{self, Change, Nodes};
use crate::parts::{Parts, last_lines};
use crate::process::Processes;
use crate::progress::{Progress, ProgressSink};
use crate::resource_manager::ResourceManager;
use crate::worker::Isolation;
use crate::{diagnosis, flink, sshd, yarn};

/// What all clusters of a sandbox share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) parts: Parts,
    /// Below it each cluster has its folder.
    pub(crate) folder: PathBuf,
    pub(crate) user: String,
    pub(crate) ssh_port: u16,
    pub(crate) storage: String,
    pub(crate) http: reqwest::Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) progress: ProgressSink,
    /// Found out by the first cluster.
    pub(crate) isolation: Arc<OnceCell<Option<Isolation>>>,
}

/// A cluster that is being made, or was.
#[derive(Debug)]
pub(crate) struct Cluster {
    layout: Layout,
    image: &'static Image,
    /// Whether the machines' Python is to know nothing of PyFlink.
    bare: bool,
    /// Those of its image, known since its start.
    parts: OnceCell<Parts>,
    processes: Arc<Processes>,
    /// Held until the cluster is gone.
    _address: Address,
    jobs: Jobs,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    nodes: Nodes,
    host_key: String,
    history: Option<History>,
    /// The page of the session that the cluster was told to start.
    session: Option<String>,
    stopped: bool,
}

/// The metadata entry that asks for a Flink session from the cluster's start on.
const START_SESSION: &str = "flink-start-yarn-session";
/// The cluster property, with the value `bare`, for machines whose Python has no PyFlink.
const PYTHON: &str = "flinkproc-sandbox:python";

impl Cluster {
    /// Takes an address and a folder; starts nothing yet, so that it can be registered first.
    pub(crate) fn claim(shared: &Shared, facts: &ClusterFacts) -> Result<Self, SandboxError> {
        let address = Address::take(shared.ssh_port)?;
        let folder = shared.folder.join(format!("{}-{}", facts.name, facts.uuid));
        make_closed(&folder)?;
        let storage = facts.storage_endpoint.as_deref().unwrap_or(&shared.storage);
        let layout = Layout {
            home: folder.join("home"),
            ip: address.ip(),
            ssh_port: shared.ssh_port,
            user: shared.user.clone(),
            storage: storage.trim_end_matches('/').to_owned(),
            metadata_host: facts.metadata_host.clone(),
            secrets: facts.api_endpoint.clone(),
            folder,
        };
        Ok(Self {
            processes: Arc::new(Processes::new(&layout.folder)?),
            layout,
            image: Image::for_asked(&facts.image),
            bare: facts
                .properties
                .get(PYTHON)
                .is_some_and(|wish| wish == "bare"),
            parts: OnceCell::new(),
            _address: address,
            jobs: Jobs::default(),
            state: Mutex::default(),
        })
    }

    /// Starts everything and answers when it can be used; a stopped cluster finds its files, address and host key again.
    pub(crate) async fn start(
        &self,
        shared: &Shared,
        facts: &ClusterFacts,
    ) -> Result<Machines, SandboxError> {
        let (layout, parts) = (&self.layout, self.parts(shared).await?);
        shared.progress.tell(Progress::ClusterStarting {
            cluster: facts.name.clone(),
            address: layout.ip.to_string(),
        });
        self.processes.watch()?;
        yarn::configure(layout, parts)?;
        let manager = yarn::start_resource_manager(layout, parts, &self.processes)?;
        let mut daemons = vec![("resourcemanager".to_owned(), manager)];
        // Before the first NodeManager starts: what it keeps of the cluster's folders must be there.
        flink::configure(layout, parts, &facts.properties)?;
        let change = self.change(shared).await?;
        let mut state = self.state.lock().await;
        let machines = nodes::wanted(shared, facts, state.nodes.len());
        daemons.extend(state.nodes.add(change, &machines)?);
        let clock = shared.clock.as_ref();
        let login = async {
            let key = sshd::configure(layout, parts, &self.processes.mark()).await?;
            let server = sshd::start(layout, parts, &self.processes)?;
            sshd::wait_ready(layout, server, clock).await?;
            Ok(key)
        };
        let ready = yarn::wait_ready(layout, machines.len(), &daemons, &shared.http, clock);
        let (key, ()) = tokio::try_join!(login, ready)?;
        state.host_key = key;
        if facts
            .components
            .iter()
            .any(|name| name.eq_ignore_ascii_case("FLINK"))
        {
            let processes = Arc::clone(&self.processes);
            let clock = Arc::clone(&shared.clock);
            state.history = Some(History::start(layout, parts, processes, clock).await?);
        }
        let wished = facts.metadata.get(START_SESSION);
        if wished.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            state.session = Some(self.start_session(shared).await?);
        }
        state.stopped = false;
        shared.progress.tell(Progress::ClusterReady {
            cluster: facts.name.clone(),
        });
        Ok(self.machines(facts, &state))
    }

    /// Starts the session that the component's metadata asks for; answers its page behind YARN's proxy.
    async fn start_session(&self, shared: &Shared) -> Result<String, SandboxError> {
        const WITHIN: Duration = Duration::from_secs(120);
        let (layout, parts) = (&self.layout, self.parts(shared).await?);
        let mut variables = layout.variables(parts);
        variables.push(("HADOOP_CLASSPATH", flink::hadoop_classpath(layout, parts)));
        let log = layout.at("log/flink-yarn-session.log");
        let program = layout.at("bin/yarn-session.sh");
        self.processes
            .start(&program, &["-d".to_owned()], &variables, &log)?;
        let clock = shared.clock.as_ref();
        let manager = ResourceManager::of(layout, &shared.http);
        let deadline = clock.now().checked_add(WITHIN).unwrap_or(clock.now());
        loop {
            let running = manager.ask("apps?states=RUNNING").await.unwrap_or_default();
            let id = running.pointer("/apps/app/0/id");
            if let Some(id) = id.and_then(serde_json::Value::as_str) {
                return Ok(format!("http://{}:8088/proxy/{id}/", layout.ip));
            }
            if clock.now() > deadline {
                let log = fs::read_to_string(log).unwrap_or_default();
                return Err(SandboxError::NotReady {
                    service: "the Flink session".to_owned(),
                    outcome: "was not ready in time".to_owned(),
                    tail: last_lines(&log, 15),
                });
            }
            clock.sleep(Duration::from_millis(200)).await;
        }
    }

    /// The parts of its image; the first to ask fetches them.
    async fn parts(&self, shared: &Shared) -> Result<&Parts, SandboxError> {
        let fetch = async || {
            let parts = shared.parts.of(self.image).await?;
            match self.bare {
                true => parts.bare(&self.layout.folder).await,
                false => Ok(parts),
            }
        };
        self.parts.get_or_try_init(fetch).await
    }

    async fn change<'a>(&'a self, shared: &'a Shared) -> Result<Change<'a>, SandboxError> {
        Ok(Change {
            shared,
            parts: self.parts(shared).await?,
            layout: &self.layout,
            processes: &self.processes,
            isolation: shared.isolation().await,
        })
    }

    fn machines(&self, facts: &ClusterFacts, state: &State) -> Machines {
        let mut machines = Machines::at_master(
            facts,
            self.layout.ip.into(),
            std::slice::from_ref(&state.host_key),
        );
        let mut page = |name: &str, url: String| {
            machines.web_pages.insert(name.to_owned(), url);
        };
        page(
            "YARN ResourceManager",
            format!("http://{}:8088/cluster", self.layout.ip),
        );
        if let Some(history) = &state.history {
            page("Flink History Server", history.url().to_owned());
        }
        if let Some(session) = &state.session {
            page("Flink Session", session.clone());
        }
        machines
    }

    /// Starts or ends NodeManagers until there is one for each worker; those that go first end what runs there, if it does
    /// `within` that time.
    pub(crate) async fn scale(
        &self,
        shared: &Shared,
        facts: &ClusterFacts,
        within: Duration,
    ) -> Result<Machines, SandboxError> {
        let change = self.change(shared).await?;
        let mut state = self.state.lock().await;
        let machines = nodes::wanted(shared, facts, state.nodes.len());
        state.nodes.keep(change, &machines, within).await;
        let started = state.nodes.add(change, &machines)?;
        if !started.is_empty() {
            let clock = shared.clock.as_ref();
            yarn::wait_ready(&self.layout, machines.len(), &started, &shared.http, clock).await?;
        }
        Ok(self.machines(facts, &state))
    }

    /// Takes a worker away at once; the machines that are left.
    pub(crate) async fn preempt(
        &self,
        shared: &Shared,
        facts: &ClusterFacts,
        machine: &str,
    ) -> Machines {
        let mut state = self.state.lock().await;
        state.nodes.preempt(machine, shared.clock.as_ref()).await;
        let mut left = self.machines(facts, &state);
        left.machines.retain(|one| one.name != machine);
        left
    }

    /// Ends all programs; files, address and host key stay.
    pub(crate) async fn stop(&self, shared: &Shared) -> Result<(), SandboxError> {
        let mut state = self.state.lock().await;
        state.stopped = true;
        state.history = None;
        state.session = None;
        self.processes.end(shared.clock.as_ref()).await?;
        state.nodes.clear();
        Ok(())
    }

    /// Runs a job of the Jobs API to its end.
    pub(crate) async fn run_job(
        &self,
        shared: &Shared,
        facts: &ClusterFacts,
        job: &JobFacts,
        output: &DriverOutput,
    ) -> Result<JobEnd, JobError> {
        if self.state.lock().await.stopped {
            let cluster = facts.name.clone();
            return Err(SandboxError::Stopped { cluster }.into());
        }
        let named = |name: &String| name.eq_ignore_ascii_case("PIG");
        let place = Place {
            has_pig: self.image.has_pig || facts.components.iter().any(named),
            layout: &self.layout,
            parts: self.parts(shared).await?,
            processes: &self.processes,
            http: &shared.http,
            clock: shared.clock.as_ref(),
        };
        self.jobs.run(place, job, output).await
    }

    /// Asks a job's driver to end.
    pub(crate) fn cancel_job(&self, job: &str) {
        self.jobs.cancel(job);
    }

    /// The ResourceManager.
    pub(crate) fn resource_manager<'a>(&'a self, shared: &'a Shared) -> ResourceManager<'a> {
        ResourceManager::of(&self.layout, &shared.http)
    }

    /// Configuration, logs and YARN's state as a gzipped tar archive.
    pub(crate) async fn diagnose(&self, shared: &Shared) -> Result<Vec<u8>, SandboxError> {
        diagnosis::archive(&self.layout, &shared.http, &self.processes()).await
    }

    /// Lets exactly these keys into the master.
    pub(crate) fn set_keys(&self, keys: &[MetadataKey]) -> Result<(), SandboxError> {
        sshd::set_keys(&self.layout, keys)
    }

    /// Ends everything and removes the folder.
    pub(crate) async fn end(&self, shared: &Shared) -> Result<(), SandboxError> {
        // Held by whoever scales or starts the cluster, who then finds its processes gone: not waited for.
        if let Ok(mut state) = self.state.try_lock() {
            state.history = None;
        }
        self.processes.end(shared.clock.as_ref()).await?;
        remove(&self.layout.folder)
    }

    /// Ends what runs now, without waiting.
    pub(crate) fn kill(&self) {
        self.processes.kill();
    }

    /// Every process of the cluster that runs now.
    pub(crate) fn processes(&self) -> Vec<ProcessRef> {
        self.processes.family().into_iter().collect()
    }

    pub(crate) const fn layout(&self) -> &Layout {
        &self.layout
    }
}

impl Shared {
    /// How workers get a view of their own; `None`, told once, where the kernel does not let us.
    pub(crate) async fn isolation(&self) -> Option<&Isolation> {
        let probe = async || match Isolation::probe(&self.parts, &self.folder).await {
            Ok(isolation) => Some(isolation),
            Err(reason) => {
                self.progress.tell(Progress::WorkersShareFiles { reason });
                None
            }
        };
        self.isolation.get_or_init(probe).await.as_ref()
    }
}

/// Makes a folder that only its owner can look into: programs' output and staged files lie below it.
pub(crate) fn make_closed(folder: &Path) -> Result<(), SandboxError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(SandboxError::file("create the folder", folder))
}

/// Removes a folder that may be gone already.
pub(crate) fn remove(folder: &Path) -> Result<(), SandboxError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(SandboxError::file("remove", folder)(error))
        }
        _ => Ok(()),
    }
}
