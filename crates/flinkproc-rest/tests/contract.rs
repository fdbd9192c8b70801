//! The contract suites on the doubles, and on the HTTP clients against what a scripted machine answers.
#![expect(clippy::expect_used, reason = "a test may fail where it stands")]

use std::net::SocketAddr;
use std::sync::Arc;

use dataproc_emulator::{
    ClusterFacts, ClusterRuntime, FlinkScript, ScriptedMachine, ScriptedOptions, ScriptedRuntime,
    YarnEnd,
};
use flinkproc_core::{FlinkJobId, ManualClock, YarnApplicationId};
use flinkproc_rest::{
    Direct, Endpoint, FlinkApi, FlinkJobState, HttpFlink, HttpYarn, MemoryFlink, MemoryYarn,
    YarnApi, contract,
};
use tokio::process::Command;

const TAG: &str = "flinkproc-a-1";

fn clock() -> ManualClock {
    ManualClock::eager("2026-11-22T12:00:00Z".parse().expect("valid"))
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::new(address.ip().to_string(), address.port())
}

/// A machine on which two applications run, the second with the tag.
struct Master {
    runtime: ScriptedRuntime,
    facts: ClusterFacts,
    machine: Arc<ScriptedMachine>,
}

impl Master {
    async fn start() -> Self {
        let mut options = ScriptedOptions::default();
        options.flink = FlinkScript::default();
        options.flink.end = YarnEnd::Running;
        let runtime = ScriptedRuntime::new(options);
        let facts = ClusterFacts::new("p", "europe-west4", "batch", "0f0e0d0c");
        runtime.create(&facts).await.expect("a machine starts");
        let machine = runtime.machine("batch").expect("it is there");
        for tag in ["another", TAG] {
            Self::submit(&machine, tag).await;
        }
        Self {
            runtime,
            facts,
            machine,
        }
    }

    async fn submit(machine: &ScriptedMachine, tag: &str) {
        let flink = machine.home().with_file_name("bin").join("flink");
        let ran = Command::new(flink)
            .args(["run", &format!("-Dyarn.tags={tag}"), "-py", "x.py"])
            .output()
            .await
            .expect("flink starts");
        assert!(ran.status.success(), "{ran:?}");
    }

    fn yarn(&self) -> HttpYarn {
        let at = endpoint(self.machine.yarn());
        HttpYarn::new(reqwest::Client::new(), Arc::new(Direct), at)
    }

    async fn tagged(&self) -> YarnApplicationId {
        let found = self.yarn().applications(Some(TAG)).await.expect("asked");
        found.first().expect("it runs").id.clone()
    }

    async fn stop(self) {
        let ended = self.runtime.delete(&self.facts).await;
        ended.expect("the machine ends");
    }
}

#[tokio::test]
async fn the_double_of_yarn_keeps_the_contract() {
    let (yarn, id) = (MemoryYarn::new(), "application_1_0002".parse());
    let id: YarnApplicationId = id.expect("valid");
    let other = "application_1_0001".parse().expect("valid");
    yarn.put(MemoryYarn::running(other, "another"));
    yarn.put(MemoryYarn::running(id.clone(), TAG));
    let kept = contract::yarn(&yarn, &clock(), &id, TAG).await;
    kept.expect("the contract holds");
}

#[tokio::test]
async fn the_double_of_flink_keeps_the_contract() {
    let flink = MemoryFlink::new();
    let id: FlinkJobId = "735378223e5f4360db94bb3f2e5b1e93".parse().expect("valid");
    flink.put(id.clone(), FlinkJobState::Running, None);
    let kept = contract::flink(&flink, &clock(), &id).await;
    kept.expect("the contract holds");
}

#[tokio::test]
async fn the_client_of_yarn_keeps_the_contract() {
    let master = Master::start().await;
    let id = master.tagged().await;
    let kept = contract::yarn(&master.yarn(), &clock(), &id, TAG).await;
    master.stop().await;
    kept.expect("the contract holds");
}

#[tokio::test]
async fn the_client_of_flink_keeps_the_contract() {
    let master = Master::start().await;
    let client = reqwest::Client::new();
    let (yarn, at) = (
        endpoint(master.machine.yarn()),
        endpoint(master.machine.flink()),
    );
    let application = master.tagged().await;
    let proxied = HttpFlink::behind_yarn(client.clone(), Arc::new(Direct), yarn, &application);
    let jobs = proxied.jobs().await.expect("read through the proxy");
    let id = jobs.first().expect("it runs").id.clone();
    let direct = HttpFlink::at(client, Arc::new(Direct), at);
    let kept = contract::flink(&direct, &clock(), &id).await;
    master.stop().await;
    kept.expect("the contract holds");
}
