//! One cluster: its folder, its address, its daemons.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataproc_emulator::runtime::{ClusterFacts, Machines, MetadataKey};
use flinkproc_core::{ByteSize, Clock};
use tokio::sync::Mutex;

use crate::address::Address;
use crate::error::SandboxError;
use crate::layout::Layout;
use crate::machine::{self, ProcessRef, family};
use crate::parts::Parts;
use crate::process::Processes;
use crate::progress::{Progress, ProgressSink};
use crate::{flink, sshd, yarn};

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
}

/// A cluster that is being made, or was.
#[derive(Debug)]
pub(crate) struct Cluster {
    layout: Layout,
    processes: Processes,
    /// Held until the cluster is gone.
    _address: Address,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    nodes: Vec<ProcessRef>,
    host_key: String,
}

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
            folder,
        };
        Ok(Self {
            processes: Processes::new(&layout.folder)?,
            layout,
            _address: address,
            state: Mutex::default(),
        })
    }

    /// Starts everything and answers when it can be used.
    pub(crate) async fn start(
        &self,
        shared: &Shared,
        facts: &ClusterFacts,
    ) -> Result<Machines, SandboxError> {
        let (layout, parts) = (&self.layout, &shared.parts);
        shared.progress.tell(Progress::ClusterStarting {
            cluster: facts.name.clone(),
            address: layout.ip.to_string(),
        });
        let nodes = capped(shared, facts);
        yarn::configure(layout, parts, nodes)?;
        let manager = yarn::start_resource_manager(layout, parts, &self.processes)?;
        let mut daemons = vec![("resourcemanager".to_owned(), manager)];
        let mut state = self.state.lock().await;
        for node in 0..nodes {
            let process = yarn::start_node_manager(layout, parts, &self.processes, node)?;
            daemons.push((format!("nodemanager-{node}"), process));
            state.nodes.push(process);
        }
        flink::configure(layout, parts, &facts.properties)?;
        let clock = shared.clock.as_ref();
        let login = async {
            let key = sshd::configure(layout, parts, &self.processes.mark()).await?;
            let server = sshd::start(layout, parts, &self.processes)?;
            sshd::wait_ready(layout, server, clock).await?;
            Ok(key)
        };
        let ready = yarn::wait_ready(layout, nodes, &daemons, &shared.http, clock);
        let (key, ()) = tokio::try_join!(login, ready)?;
        state.host_key = key;
        shared.progress.tell(Progress::ClusterReady {
            cluster: facts.name.clone(),
        });
        Ok(self.machines(facts, &state))
    }

    fn machines(&self, facts: &ClusterFacts, state: &State) -> Machines {
        Machines::at_master(
            facts,
            self.layout.ip.into(),
            std::slice::from_ref(&state.host_key),
        )
    }

    /// Starts or ends NodeManagers until there are as many as `facts` has workers.
    pub(crate) async fn scale(
        &self,
        shared: &Shared,
        facts: &ClusterFacts,
    ) -> Result<Machines, SandboxError> {
        let wanted = capped(shared, facts);
        let mut state = self.state.lock().await;
        let mut started = Vec::new();
        while state.nodes.len() > wanted as usize {
            if let Some(node) = state.nodes.pop() {
                for process in family("", &[node]) {
                    process.kill();
                }
            }
        }
        let before = u32::try_from(state.nodes.len()).unwrap_or(u32::MAX);
        for node in before..wanted {
            yarn::configure_node(&self.layout, &shared.parts, node)?;
            let process =
                yarn::start_node_manager(&self.layout, &shared.parts, &self.processes, node)?;
            started.push((format!("nodemanager-{node}"), process));
            state.nodes.push(process);
        }
        if !started.is_empty() {
            let clock = shared.clock.as_ref();
            yarn::wait_ready(&self.layout, wanted, &started, &shared.http, clock).await?;
        }
        Ok(self.machines(facts, &state))
    }

    /// Lets exactly these keys into the master.
    pub(crate) fn set_keys(&self, keys: &[MetadataKey]) -> Result<(), SandboxError> {
        sshd::set_keys(&self.layout, keys)
    }

    /// Whether an application waits or runs.
    pub(crate) async fn is_busy(&self, shared: &Shared) -> bool {
        let busy = yarn::is_busy(&self.layout, &shared.http).await;
        busy.unwrap_or_default()
    }

    /// Ends everything and removes the folder.
    pub(crate) async fn end(&self, shared: &Shared) -> Result<(), SandboxError> {
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

/// How many NodeManagers there will be; told when that is fewer than workers.
fn capped(shared: &Shared, facts: &ClusterFacts) -> u32 {
    let wanted = facts.workers + facts.secondary_workers;
    let memory = machine::available_memory().unwrap_or(ByteSize::from_mib(0));
    let given = yarn::node_count(wanted, memory);
    if given < wanted {
        shared.progress.tell(Progress::WorkersCapped {
            cluster: facts.name.clone(),
            wanted,
            given,
        });
    }
    given
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
