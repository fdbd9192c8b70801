//! The NodeManagers of a cluster: one for each worker, as far as memory goes.

use std::time::Duration;

use dataproc_emulator::runtime::ClusterFacts;
use flinkproc_core::{ByteSize, Clock};

use crate::cluster::Shared;
use crate::error::SandboxError;
use crate::layout::Layout;
use crate::machine::{self, ProcessRef, descendants};
use crate::parts::Parts;
use crate::process::Processes;
use crate::progress::Progress;
use crate::resource_manager::ResourceManager;
use crate::worker::Isolation;
use crate::yarn;

const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How long a NodeManager may take to end its containers and to say so to the ResourceManager.
const GOODBYE: Duration = Duration::from_secs(10);

/// A NodeManager.
#[derive(Clone, Debug)]
struct Node {
    /// Its number, which decides its folders and ports.
    number: u32,
    /// The worker that it stands for.
    machine: String,
    process: ProcessRef,
}

/// Those that run.
#[derive(Debug, Default)]
pub(crate) struct Nodes(Vec<Node>);

/// What a change of the nodes needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) parts: &'a Parts,
    pub(crate) layout: &'a Layout,
    pub(crate) processes: &'a Processes,
    pub(crate) isolation: Option<&'a Isolation>,
}

/// The machines that get a NodeManager; told when that is fewer than there are workers.
///
/// Primary workers come first. A cluster without workers runs its containers on the master, as Dataproc's single-node clusters do.
pub(crate) fn wanted(shared: &Shared, facts: &ClusterFacts, running: usize) -> Vec<String> {
    let mut names = facts.worker_names();
    names.extend(facts.secondary_worker_names());
    if names.is_empty() {
        names = facts.master_names().into_iter().take(1).collect();
    }
    let memory = machine::available_memory().unwrap_or(ByteSize::from_mib(0));
    let wanted = count(names.len());
    let given = yarn::node_count(wanted, count(running), memory);
    if given < wanted {
        shared.progress.tell(Progress::WorkersCapped {
            cluster: facts.name.clone(),
            wanted,
            given,
        });
    }
    names.truncate(given as usize);
    names
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Nodes {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Starts a NodeManager for each of these machines that has none; answers the new ones as daemons to wait for.
    pub(crate) fn add(
        &mut self,
        change: Change<'_>,
        machines: &[String],
    ) -> Result<Vec<(String, ProcessRef)>, SandboxError> {
        let Change { layout, parts, .. } = change;
        let mut started = Vec::new();
        for machine in machines {
            if self.0.iter().any(|node| node.machine == *machine) {
                continue;
            }
            let taken = |number: &u32| self.0.iter().any(|node| node.number == *number);
            let number = (0..).find(|number| !taken(number)).unwrap_or_default();
            yarn::configure_node(layout, parts, number)?;
            let process = yarn::start_node_manager(
                layout,
                parts,
                change.processes,
                change.isolation,
                number,
            )?;
            started.push((format!("nodemanager-{number}"), process));
            self.0.push(Node {
                number,
                machine: machine.clone(),
                process,
            });
        }
        Ok(started)
    }

    /// Ends the NodeManagers of all other machines, after what runs there has ended, if it does `within` that time.
    pub(crate) async fn keep(&mut self, change: Change<'_>, machines: &[String], within: Duration) {
        let (stay, go): (Vec<Node>, Vec<Node>) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|node| machines.contains(&node.machine));
        self.0 = stay;
        let ends = go.iter().map(|node| decommission(change, node, within));
        futures::future::join_all(ends).await;
    }

    /// Ends the NodeManager of a machine and its containers without a word; answers whether there was one.
    pub(crate) async fn preempt(&mut self, machine: &str, clock: &dyn Clock) -> bool {
        let Some(at) = self.0.iter().position(|node| node.machine == machine) else {
            return false;
        };
        let node = self.0.remove(at);
        end(&node, clock).await;
        true
    }
}

/// Takes a NodeManager out of use as YARN does when it is asked for: no new containers, an end of those that run, then its own.
async fn decommission(change: Change<'_>, node: &Node, within: Duration) {
    let clock = change.shared.clock.as_ref();
    let manager = ResourceManager::of(change.layout, &change.shared.http);
    let id = yarn::node_id(change.layout, node.number);
    if !within.is_zero() {
        if !manager.close(&id).await {
            tracing::warn!(id, "the ResourceManager still lets containers start there");
        }
        let deadline = clock.now().checked_add(within).unwrap_or(clock.now());
        while manager.containers(&id).await.is_some_and(|count| count > 0)
            && clock.now() < deadline
            && node.process.is_alive()
        {
            clock.sleep(LOOK_AGAIN).await;
        }
    }
    // It ends its containers and says goodbye; one that is only killed is missed after a while.
    node.process.ask_to_end();
    let deadline = clock.now().checked_add(GOODBYE).unwrap_or(clock.now());
    while node.process.is_alive() && clock.now() < deadline {
        clock.sleep(LOOK_AGAIN).await;
    }
    end(node, clock).await;
}

/// Ends a NodeManager and its containers at once and waits until its ports are free.
async fn end(node: &Node, clock: &dyn Clock) {
    let all = descendants(&[node.process]);
    for process in &all {
        process.kill();
    }
    while all.iter().any(|process| process.is_alive()) {
        clock.sleep(LOOK_AGAIN).await;
    }
}
