//! A whole world of doubles: one project, one bucket, one master, and time that passes by itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use flinkproc_compute::MemoryGatekeeper;
use flinkproc_core::{
    Attempt, Clock, ClusterRef, Faulty, FlinkJobId, MachineRef, Span, YarnApplicationId, YarnMode,
};
use flinkproc_dataproc::{ClusterSpec, MemoryDataproc};
use flinkproc_env::MemoryBuilder;
use flinkproc_patterns::{
    Clients, Deployment, Event, Handle, Journal, MemoryJournal, Options, Outcome, RunError, Started,
};
use flinkproc_plan::{
    AccessSpec, ClusterPlan, EntryPoint, EnvironmentPlan, FileRole, IdentityPlan, JobPlan,
    OnFailure, OnInterrupt, Plan, PythonPlan, RemoteFile, SessionLifetime, SessionPlan, SpecSource,
    SshPlan, StagingPlan, UploadPlan, WatchPlan,
};
use flinkproc_rest::{
    Application, ApplicationState, FinalStatus, FlinkApi, FlinkJobState, MemoryFlink, MemoryYarn,
    YarnApi,
};
use flinkproc_ssh::{Answer, ScriptedConnector, ScriptedShell};
use flinkproc_staging::{ContentHash, LocalFile, MemoryStaging};
use flinkproc_submit::{InMemoryMethod, JobAction, RunRef, Script, SubmissionMethod};
use jiff::Timestamp;
use tempfile::TempDir;

use crate::seeing::Seeing;
pub(crate) use crate::seeing::Shape;

pub(crate) const APPLICATION: &str = "application_1700000000000_0001";
pub(crate) const JOB: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const SESSION: &str = "flinkproc-session-s";
pub(crate) const SCRIPT: &str = "print('hello')\n";

/// Time of a paused tokio runtime: it jumps to the next sleeper whenever nothing else is to be done.
#[derive(Debug)]
pub(crate) struct PausedClock {
    began: tokio::time::Instant,
}

#[async_trait]
impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-11-22T12:00:00Z".parse().expect("valid");
        start + self.began.elapsed()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock, and its time is virtual"
    )]
    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// Everything that a deployment talks to; tests put faults into the parts before they start.
pub(crate) struct World {
    pub(crate) dataproc: Arc<Faulty<MemoryDataproc>>,
    pub(crate) staging: Arc<Faulty<MemoryStaging>>,
    pub(crate) gate: Arc<Faulty<MemoryGatekeeper>>,
    pub(crate) connect: Arc<Faulty<ScriptedConnector>>,
    pub(crate) shell: ScriptedShell,
    pub(crate) method: Arc<Faulty<InMemoryMethod>>,
    pub(crate) environments: Arc<MemoryBuilder>,
    /// What was done to jobs, in order.
    pub(crate) acts: Arc<Mutex<Vec<JobAction>>>,
    pub(crate) shape: Shape,
    pub(crate) yarn: Arc<MemoryYarn>,
    pub(crate) flink: Arc<MemoryFlink>,
    pub(crate) clock: Arc<PausedClock>,
    pub(crate) journal: MemoryJournal,
    pub(crate) directory: TempDir,
}

/// What a good run says.
pub(crate) fn good() -> Script {
    Script::default()
        .err(format!("Submitted application {APPLICATION}\n"))
        .err(format!("Job has been submitted with JobID {JOB}\n"))
        .out("hello\n")
        .wait()
        .out("wörld\n")
        .exit(0)
}

impl World {
    /// A world where everything works and the job does what the script says. YARN has recorded its success already.
    pub(crate) fn new(script: Script) -> Self {
        let clock = Arc::new(PausedClock {
            began: tokio::time::Instant::now(),
        });
        let as_clock: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        let address = "127.0.10.2".parse().expect("valid");
        let staging = MemoryStaging::new().with_bucket("bucket".parse().expect("valid"));
        staging.overwrite(uri("gs://bucket/out/part-0"), "hello 1\n");
        staging.overwrite(uri("gs://bucket/out/"), "");
        let shell = ScriptedShell::new();
        shell.on_program("yarn", Answer::ok().stdout("Container: c on h\n"));
        let world = Self {
            dataproc: Arc::new(Faulty::new(MemoryDataproc::new().with_polls(2))),
            staging: Arc::new(Faulty::new(staging)),
            gate: Arc::new(Faulty::new(MemoryGatekeeper::everywhere(as_clock, address))),
            connect: Arc::new(Faulty::new(ScriptedConnector::new(shell.clone()))),
            shell,
            method: Arc::new(Faulty::new(InMemoryMethod::new(script))),
            environments: Arc::default(),
            acts: Arc::default(),
            shape: Shape::ENTERED,
            yarn: Arc::new(MemoryYarn::new()),
            flink: Arc::new(MemoryFlink::new()),
            clock,
            journal: MemoryJournal::new(),
            directory: TempDir::new().expect("a directory"),
        };
        std::fs::write(world.script_file(), SCRIPT).expect("written");
        world.yarn_says(ApplicationState::Finished, FinalStatus::Succeeded);
        world.flink.put(job(), FlinkJobState::Finished, None);
        world
    }

    /// A world of this shape where everything works.
    pub(crate) fn of(shape: Shape, script: Script) -> Self {
        let mut world = Self::new(script);
        world.shape = shape;
        if shape.session {
            world.yarn_says(ApplicationState::Running, FinalStatus::Undefined);
        }
        if shape.unseen {
            let log = format!("gs://bucket/flinkproc/deployments/d1/runs/1/logs/{APPLICATION}.log");
            let staging = world.staging.inner();
            staging.overwrite(uri(&log), "Container: c on h\n");
        }
        world
    }

    pub(crate) fn with_dataproc(mut self, dataproc: Faulty<MemoryDataproc>) -> Self {
        self.dataproc = Arc::new(dataproc);
        self
    }

    pub(crate) fn script_file(&self) -> PathBuf {
        self.directory.path().join("wc.py")
    }

    pub(crate) fn yarn_says(&self, state: ApplicationState, final_status: FinalStatus) {
        let tag = match self.shape.session {
            true => SESSION.to_owned(),
            false => run(1).tag(),
        };
        let running = MemoryYarn::running(application(), &tag);
        self.yarn.put(Application {
            state,
            final_status,
            finished_time: i64::from(state.is_terminal()),
            ..running
        });
    }

    pub(crate) fn clients(&self) -> Clients {
        let (yarn, flink) = (Arc::clone(&self.yarn), Arc::clone(&self.flink));
        let method: Arc<dyn SubmissionMethod> = Arc::new(Seeing {
            inner: Arc::clone(&self.method),
            yarn: Arc::clone(&self.yarn),
            flink: Arc::clone(&self.flink),
            acts: Arc::clone(&self.acts),
            unseen: self.shape.unseen,
        });
        let unseen = self.shape.unseen;
        Clients {
            clusters: Arc::clone(&self.dataproc) as _,
            jobs: Arc::clone(&self.dataproc) as _,
            staging: Arc::clone(&self.staging) as _,
            gate: Arc::clone(&self.gate) as _,
            connect: Arc::clone(&self.connect) as _,
            yarn: Arc::new(move |_, _| Arc::clone(&yarn) as Arc<dyn YarnApi>),
            flink: Arc::new(move |_, _, _| Arc::clone(&flink) as Arc<dyn FlinkApi>),
            environments: BTreeMap::from([(
                "memory".to_owned(),
                Arc::clone(&self.environments) as _,
            )]),
            methods: BTreeMap::new(),
            clock: Arc::clone(&self.clock) as _,
        }
        .with_method("ssh", move |there| {
            assert_eq!(there.shell.is_none(), unseen);
            Ok(Arc::clone(&method))
        })
    }

    pub(crate) fn options(&self) -> Options {
        Options::new(self.directory.path())
    }

    pub(crate) fn plan(&self) -> Plan {
        let mut plan = plan(self.script_file().display().to_string());
        if self.shape.unseen {
            plan.ssh.access = AccessSpec::Never;
            plan.job.mirror = Some(uri("gs://bucket/flinkproc/deployments/d1/runs/"));
        }
        if self.shape.session {
            plan.job.mode = YarnMode::Session;
            plan.job.session = Some(SessionPlan {
                name: "s".to_owned(),
                tag: SESSION.to_owned(),
                lifetime: SessionLifetime::Keep,
                flink_config: BTreeMap::new(),
            });
        }
        if self.shape.environment {
            let pointer = uri("gs://bucket/flinkproc/env/by-request/k.json");
            plan.job.python = PythonPlan::Shipped;
            plan.job.files.push(RemoteFile {
                from: pointer.clone(),
                name: "env.tar.gz".to_owned(),
                sha256: None,
                role: FileRole::Environment,
            });
            plan.staging.environment = Some(EnvironmentPlan {
                python: "3.10".parse().expect("valid"),
                flink: "1.17.0".parse().expect("valid"),
                platform: "x86_64-linux-gnu".to_owned(),
                requirements: "requests==2.32.3\n".to_owned(),
                lock: None,
                index_url: None,
                builder: "memory".to_owned(),
                key: "k".to_owned(),
                pointer,
                folder: uri("gs://bucket/flinkproc/env/"),
                name: "env.tar.gz".to_owned(),
            });
        }
        plan
    }

    pub(crate) fn shared_journal(&self) -> Arc<dyn Journal> {
        Arc::new(self.journal.clone())
    }

    pub(crate) async fn start(&self, plan: Plan) -> Result<Handle, RunError> {
        let started =
            Deployment::start(plan, self.clients(), self.shared_journal(), self.options());
        match started.await? {
            Started::Running(handle) => Ok(handle),
            Started::Succeeded(_) => panic!("it is a new run"),
        }
    }

    pub(crate) async fn resume(&self) -> Handle {
        let id = "d1".parse().expect("valid");
        let resumed =
            Deployment::resume(&id, self.clients(), self.shared_journal(), self.options());
        resumed.await.expect("resumed")
    }

    /// Deploys and waits for the end.
    pub(crate) async fn deploy(&self) -> Outcome {
        self.deploy_plan(self.plan()).await
    }

    pub(crate) async fn deploy_plan(&self, plan: Plan) -> Outcome {
        let handle = self.start(plan).await.expect("started");
        handle.wait().await.expect("ended")
    }

    /// The clusters that are there now.
    pub(crate) fn clusters(&self) -> Vec<String> {
        let clusters = self.dataproc.inner().clusters();
        clusters
            .iter()
            .map(|one| one.cluster.name.to_string())
            .collect()
    }

    /// The keys that the master still lets in.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.gate.inner().entry(&MachineRef {
            project: cluster().project,
            zone: "europe-west4-a".parse().expect("valid"),
            instance: "batch-d1-m".to_owned(),
        })
    }

    /// Fails unless nothing is left that costs money, and no key.
    pub(crate) fn assert_nothing_left(&self, when: &str) {
        assert_eq!(
            self.clusters(),
            Vec::<String>::new(),
            "clusters left: {when}"
        );
        assert_eq!(self.keys(), Vec::<String>::new(), "keys left: {when}");
    }

    /// Fails if a way was taken that the world's shape forbids.
    pub(crate) fn assert_the_way(&self, when: &str) {
        if self.shape.unseen {
            let entered = self.connect.inner().targets();
            assert!(entered.is_empty(), "entered {entered:?}: {when}");
            assert_eq!(self.gate.calls("admit"), 0, "a key was let in: {when}");
        }
        let killed = self.shell.lines().iter().any(|line| line.contains("-kill"));
        assert!(!killed, "killed: {when}");
    }

    /// Somebody else's cluster of the planned name.
    pub(crate) fn plant(&self) {
        self.dataproc.inner().plant(&ClusterSpec {
            cluster: cluster(),
            resource: serde_json::json!({"config": {"gceClusterConfig": {"zoneUri": "europe-west4-a"}}}),
        });
    }
}

pub(crate) async fn all_events(handle: &mut Handle) -> Vec<Event> {
    let mut events = handle.events().expect("not taken");
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        all.push(event);
    }
    all
}

pub(crate) fn uri(text: &str) -> flinkproc_core::GcsUri {
    text.parse().expect("valid")
}

pub(crate) fn application() -> YarnApplicationId {
    APPLICATION.parse().expect("valid")
}

pub(crate) fn job() -> FlinkJobId {
    JOB.parse().expect("valid")
}

pub(crate) fn run(attempt: u32) -> RunRef {
    let mut number = Attempt::FIRST;
    for _ in 1..attempt {
        number = number.next();
    }
    RunRef {
        deployment: "d1".parse().expect("valid"),
        attempt: number,
    }
}

pub(crate) fn cluster() -> ClusterRef {
    ClusterRef {
        project: "my-project".parse().expect("valid"),
        region: "europe-west4".parse().expect("valid"),
        name: "batch-d1".parse().expect("valid"),
    }
}

fn plan(script: String) -> Plan {
    // As the file was when the plan was made, whatever it is now.
    let planned = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(planned.path(), SCRIPT).expect("written");
    let planned = LocalFile::read_with(planned.path(), |_| {}).expect("read");
    let sha256 = ContentHash::of(SCRIPT.as_bytes()).to_string();
    let to = uri(&format!("gs://bucket/flinkproc/{sha256}/wc.py"));
    Plan {
        format: 1,
        deployment: "d1".parse().expect("valid"),
        run_key: None,
        spec: SpecSource {
            path: "flinkproc.toml".to_owned(),
            sha256: sha256.clone(),
        },
        cluster: ClusterPlan {
            cluster: cluster(),
            zone: None,
            image: "sandbox-1.20".parse().expect("valid"),
            requested_image: None,
            ours: true,
            resource: serde_json::json!({"config": {"gceClusterConfig": {"zoneUri": "europe-west4-a"}}}),
            max_idle: Span::from_secs(600),
            max_age: Span::from_secs(86_400),
        },
        staging: StagingPlan {
            texts: Vec::new(),
            environment: None,
            home: uri("gs://bucket/flinkproc/deployments/d1/"),
            uploads: vec![UploadPlan {
                local: script,
                to: to.clone(),
                size: SCRIPT.len() as u64,
                sha256: sha256.clone(),
                crc32c: Some(planned.crc32c),
            }],
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
            name: "word-count".to_owned(),
            flink: "1.20.5".parse().expect("valid"),
            mode: YarnMode::PerJob,
            method: "ssh".to_owned(),
            entry: EntryPoint::Script("wc.py".to_owned()),
            args: vec!["it's $5".parse().expect("valid")],
            files: vec![RemoteFile {
                from: to,
                name: "wc.py".to_owned(),
                sha256: Some(sha256),
                role: FileRole::Script,
            }],
            parallelism: None,
            flink_config: BTreeMap::new(),
            tag: "flinkproc-d1".to_owned(),
            result: Some(uri("gs://bucket/out/")),
        },
        ssh: SshPlan {
            user: "alice".to_owned(),
            port: 22,
            identity: IdentityPlan::Ephemeral,
            key_ttl: Span::from_secs(3600),
            access: AccessSpec::Internal,
            config: false,
        },
        watch: WatchPlan {
            deadline: Span::from_secs(7200),
            on_failure: OnFailure::Delete,
            on_interrupt: OnInterrupt::Delete,
        },
        defaults: Vec::new(),
        warnings: Vec::new(),
    }
}
