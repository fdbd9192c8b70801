//! Deploys a batch job from beginning to end on doubles: no cloud, no cluster, no network.
//!
//! `cargo run -p flinkproc-patterns --example deploy_on_doubles`

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flinkproc_compute::MemoryGatekeeper;
use flinkproc_core::{Clock, YarnMode};
use flinkproc_dataproc::MemoryDataproc;
use flinkproc_patterns::{Clients, Deployment, EventKind, MemoryJournal, Options, Started};
use flinkproc_plan::{
    AccessSpec, ClusterPlan, EntryPoint, IdentityPlan, JobPlan, OnFailure, OnInterrupt, Plan,
    SpecSource, SshPlan, StagingPlan, WatchPlan,
};
use flinkproc_rest::{
    Application, ApplicationState, FinalStatus, FlinkApi, MemoryFlink, MemoryYarn, YarnApi,
};
use flinkproc_ssh::{Answer, ScriptedConnector, ScriptedShell};
use flinkproc_staging::MemoryStaging;
use flinkproc_submit::{InMemoryMethod, Script, SubmissionMethod};
use jiff::Timestamp;

/// The machine's own clock; the binary has one like it.
#[derive(Debug)]
struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "an example has to get its time somewhere"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "an example has to get its time somewhere"
    )]
    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example shows something")]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let journal = Arc::new(MemoryJournal::new());
    let options = Options::new(directory.path());
    let Started::Running(mut handle) =
        Deployment::start(plan()?, doubles()?, journal, options).await?
    else {
        return Err("a new run was expected".into());
    };
    let mut events = handle.events().ok_or("the events were taken")?;
    while let Some(event) = events.next().await {
        match event.what {
            EventKind::StepStarted { step } => println!("{step} …"),
            EventKind::StepDone { step, took_ms } => println!("{step} took {took_ms} ms"),
            EventKind::Output { text, .. } => print!("| {text}"),
            EventKind::Result { uri, size, .. } => println!("result: {uri}, {size} bytes"),
            _ => {}
        }
    }
    let outcome = handle.wait().await?;
    println!(
        "exit code {}, {} things left",
        outcome.exit_code(),
        outcome.remains.len()
    );
    Ok(())
}

/// A project, a bucket, a master and a job that says hello.
fn doubles() -> Result<Clients, Box<dyn Error>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let staging = MemoryStaging::new().with_bucket("bucket".parse()?);
    staging.overwrite("gs://bucket/out/part-0".parse()?, "hello 1\n");
    let shell = ScriptedShell::new();
    shell.on_program("yarn", Answer::ok().stdout("the JobManager's log\n"));
    let yarn = Arc::new(MemoryYarn::new());
    let application = MemoryYarn::running(
        "application_1700000000000_0001".parse()?,
        "flinkproc-hello-1",
    );
    yarn.put(Application {
        state: ApplicationState::Finished,
        final_status: FinalStatus::Succeeded,
        finished_time: 1,
        ..application
    });
    let flink: Arc<dyn FlinkApi> = Arc::new(MemoryFlink::new());
    let script = Script::default()
        .err("Submitted application application_1700000000000_0001\n")
        .out("hello\n")
        .exit(0);
    let method: Arc<dyn SubmissionMethod> = Arc::new(InMemoryMethod::new(script));
    let dataproc = Arc::new(MemoryDataproc::new().with_polls(1));
    let clients = Clients {
        clusters: Arc::clone(&dataproc) as _,
        jobs: dataproc,
        staging: Arc::new(staging),
        gate: Arc::new(MemoryGatekeeper::everywhere(
            Arc::clone(&clock),
            "127.0.0.1".parse()?,
        )),
        connect: Arc::new(ScriptedConnector::new(shell)),
        yarn: Arc::new(move |_, _| Arc::clone(&yarn) as Arc<dyn YarnApi>),
        flink: Arc::new(move |_, _, _| Arc::clone(&flink)),
        environments: BTreeMap::new(),
        methods: BTreeMap::new(),
        clock,
    };
    Ok(clients.with_method("ssh", move |_| Ok(Arc::clone(&method))))
}

/// What `flinkproc-plan` makes of a spec; here written by hand.
fn plan() -> Result<Plan, Box<dyn Error>> {
    Ok(Plan {
        format: 1,
        deployment: "hello".parse()?,
        run_key: None,
        spec: SpecSource {
            path: "flinkproc.toml".to_owned(),
            sha256: String::new(),
        },
        cluster: ClusterPlan {
            cluster: flinkproc_core::ClusterRef {
                project: "my-project".parse()?,
                region: "europe-west4".parse()?,
                name: "batch-hello".parse()?,
            },
            zone: None,
            image: "sandbox-1.20".parse()?,
            requested_image: None,
            ours: true,
            resource: serde_json::json!({"config": {"gceClusterConfig": {"zoneUri": "europe-west4-a"}}}),
            max_idle: "10m".parse()?,
            max_age: "1d".parse()?,
        },
        staging: StagingPlan {
            texts: Vec::new(),
            environment: None,
            home: "gs://bucket/flinkproc/deployments/hello/".parse()?,
            uploads: Vec::new(),
        },
        job: JobPlan {
            restore: None,
            session: None,
            python: flinkproc_plan::PythonPlan::Image,
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            mirror: None,
            classpaths: Vec::new(),
            unresolved: Vec::new(),
            name: "hello".to_owned(),
            flink: "1.20.5".parse()?,
            mode: YarnMode::PerJob,
            method: "ssh".to_owned(),
            entry: EntryPoint::Module("hello".to_owned()),
            args: Vec::new(),
            files: Vec::new(),
            parallelism: None,
            flink_config: BTreeMap::new(),
            tag: "flinkproc-hello".to_owned(),
            result: Some("gs://bucket/out/".parse()?),
        },
        ssh: SshPlan {
            user: "alice".to_owned(),
            port: 22,
            identity: IdentityPlan::Ephemeral,
            key_ttl: "1h".parse()?,
            access: AccessSpec::Internal,
            config: false,
        },
        watch: WatchPlan {
            deadline: "1h".parse()?,
            on_failure: OnFailure::Delete,
            on_interrupt: OnInterrupt::Delete,
        },
        defaults: Vec::new(),
        warnings: Vec::new(),
    })
}
