//! Sessions of Flink on a cluster's YARN, apart from any deployment: start one, see which there are, end one.
//!
//! A session is found by its tag, `flinkproc-session-<name>`, never by the file in the temporary directory in which Flink notes
//! the last one of a user. Deployments in session mode go into the same sessions. All of this enters the master.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flinkproc_core::{ClusterRef, DeploymentId, FlinkVersion, GcsUri, YarnApplicationId, YarnMode};
use flinkproc_flink_cli::SessionSettings;
use flinkproc_plan::{
    ClusterPlan, EntryPoint, JobPlan, OnFailure, OnInterrupt, Plan, PythonPlan, SessionPlan,
    SpecSource, SshPlan, StagingPlan, WatchPlan,
};
use flinkproc_rest::{Application, ApplicationState, FlinkJobState};
use flinkproc_ssh::RemoteCommand;
use serde::{Deserialize, Serialize};

use crate::actions::last_words;
use crate::clients::Clients;
use crate::error::RunError;
use crate::events::EventSink;
use crate::memory_journal::MemoryJournal;
use crate::options::Options;
use crate::progress::Progress;
use crate::run::Run;
use crate::site::Master;

/// What every session's tag begins with.
const TAG: &str = "flinkproc-session-";
/// How long a session may take to run once its client has ended well.
const RISING: Duration = Duration::from_secs(60);
/// How long a session may take to end.
const ENDING: Duration = Duration::from_secs(60);

/// Starts a session unless one with its tag is there, under the lock that deployments take for the same. Its arguments: the tag,
/// then those of `yarn-session.sh`.
const START: &str = r#"
set -u
tag=$1
shift
lock=${TMPDIR:-/tmp}/.flinkproc-$tag.lock
[ -e "$lock" ] || (umask 0; set -C; : >"$lock") 2>/dev/null || :
exec 8<"$lock"
flock --timeout 300 8 || { echo 'somebody else has been starting this session for five minutes' >&2; exit 75; }
alive=$(yarn application -list -appTags "$tag" -appStates NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING 2>/dev/null 8<&- | grep -c '^application_')
[ "${alive:-0}" = 0 ] || exit 0
if [ -z "${HADOOP_CLASSPATH:-}" ]; then HADOOP_CLASSPATH=$(hadoop classpath 8<&-); export HADOOP_CLASSPATH; fi
starter=$(command -v yarn-session.sh || command -v /usr/lib/flink/bin/yarn-session.sh) || { echo 'there is no yarn-session.sh on this machine' >&2; exit 127; }
"$starter" "$@" </dev/null 2>&1 8<&-
"#;

/// Where sessions are looked for, and how the master there is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPlace {
    /// The cluster.
    pub cluster: ClusterRef,
    /// The way in.
    pub ssh: SshPlan,
    /// The cluster's Flink.
    pub flink: FlinkVersion,
}

/// A session that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFound {
    /// Its name.
    pub name: String,
    /// Its YARN application.
    pub application: YarnApplicationId,
    /// The application's state.
    pub state: ApplicationState,
    /// The user that it runs as.
    pub user: String,
    /// Memory in use, MiB.
    pub allocated_mb: i64,
    /// The jobs that it knows, with their states; none told when its JobManager gave no answer.
    pub jobs: BTreeMap<flinkproc_core::FlinkJobId, FlinkJobState>,
}

/// What starting a session came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStarted {
    /// The session.
    pub session: SessionFound,
    /// Whether it was there already.
    pub found: bool,
}

/// Starts a session and waits until YARN runs it; finds the one of that name that runs. Idempotent.
///
/// # Errors
/// [`RunError::SessionFailed`]; what can fail on the way.
pub async fn start(
    place: &SessionPlace,
    session: &SessionPlan,
    clients: Clients,
    options: Options,
) -> Result<SessionStarted, RunError> {
    let mut settings = SessionSettings::new()
        .name(&session.name)
        .tag(session.tag.to_lowercase());
    settings.config.clone_from(&session.flink_config);
    let argv = settings.argv(place.flink);
    let argv = argv.map_err(|error| failed(&session.name, error.to_string()))?;
    let visit = Visit::open(place, clients, options).await?;
    let result = visit
        .run
        .with_master(async |master| visit.start(master, session, &argv).await)
        .await;
    visit.leave().await;
    result
}

/// The sessions that run on a cluster.
///
/// # Errors
/// What can fail on the way.
pub async fn list(
    place: &SessionPlace,
    clients: Clients,
    options: Options,
) -> Result<Vec<SessionFound>, RunError> {
    let visit = Visit::open(place, clients, options).await?;
    let result = visit
        .run
        .with_master(async |master| visit.list(master).await)
        .await;
    visit.leave().await;
    result
}

/// Ends the session of a name and waits until YARN says so; one in which jobs run only by `force`, which ends them.
///
/// # Errors
/// [`RunError::NoSuchSession`]; [`RunError::SessionBusy`]; [`RunError::SessionFailed`] when it does not end; what can fail on
/// the way.
pub async fn stop(
    place: &SessionPlace,
    name: &str,
    force: bool,
    clients: Clients,
    options: Options,
) -> Result<SessionFound, RunError> {
    let visit = Visit::open(place, clients, options).await?;
    let result = visit
        .run
        .with_master(async |master| visit.stop(master, name, force).await)
        .await;
    visit.leave().await;
    result
}

/// A connection to a cluster that no deployment has to do with. Its key is let in under an expiry and taken out at the end; nothing
/// is written down, as nothing is to be carried on.
struct Visit {
    run: Arc<Run>,
    cluster: ClusterRef,
}

impl Visit {
    async fn open(
        place: &SessionPlace,
        clients: Clients,
        options: Options,
    ) -> Result<Self, RunError> {
        let plan = plan(place)?;
        let (sink, _) = EventSink::new(plan.deployment.clone());
        let journal = Arc::new(MemoryJournal::new());
        let progress = Progress::default();
        let run = Run::new(plan, clients, options, journal, sink, progress);
        let run = Arc::new(run);
        run.create_cluster().await?;
        let cluster = place.cluster.clone();
        Ok(Self { run, cluster })
    }

    async fn leave(&self) {
        for left in self.run.leave_machine().await {
            tracing::warn!(
                what = left.what,
                why = left.why,
                "it stays until it expires"
            );
        }
    }

    async fn start(
        &self,
        master: &Master,
        session: &SessionPlan,
        argv: &[String],
    ) -> Result<SessionStarted, RunError> {
        if let Some(session) = self.find(master, &session.name).await? {
            let found = true;
            return Ok(SessionStarted { session, found });
        }
        let command = RemoteCommand::new("sh")
            .args(["-c", START, "flinkproc"])
            .arg(session.tag.to_lowercase())
            .args(argv);
        let output = master.shell.run(&command).await?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            let problem = format!("{}: {}", output.status, last_words(&said));
            return Err(failed(&session.name, problem));
        }
        let since = self.run.now();
        loop {
            match self.find(master, &session.name).await? {
                Some(one) if one.state == ApplicationState::Running => {
                    return Ok(SessionStarted {
                        session: one,
                        found: false,
                    });
                }
                _ if self.run.past(since, RISING) => {
                    let problem = "its client ended well, yet YARN does not run it".to_owned();
                    return Err(failed(&session.name, problem));
                }
                _ => self.run.sleep(Duration::from_millis(500)).await,
            }
        }
    }

    async fn list(&self, master: &Master) -> Result<Vec<SessionFound>, RunError> {
        let mut found = Vec::new();
        for application in master.yarn.applications(None).await? {
            if application.state.is_terminal() {
                continue;
            }
            if let Some(name) = session_name(&application) {
                found.push(self.describe(master, name, &application).await);
            }
        }
        Ok(found)
    }

    async fn find(&self, master: &Master, name: &str) -> Result<Option<SessionFound>, RunError> {
        let tag = format!("{TAG}{name}");
        let mut alive = master.yarn.applications(Some(&tag)).await?;
        alive.retain(|one| !one.state.is_terminal());
        // The oldest, so that all agree should there ever be two.
        alive.sort_by_key(|one| one.started_time);
        Ok(match alive.first() {
            Some(application) => Some(self.describe(master, name.to_owned(), application).await),
            None => None,
        })
    }

    async fn describe(
        &self,
        master: &Master,
        name: String,
        application: &Application,
    ) -> SessionFound {
        let jobs = match application.state {
            ApplicationState::Running => master.flink(&application.id).jobs().await,
            _ => Ok(Vec::new()),
        };
        let jobs = jobs.unwrap_or_else(|error| {
            tracing::debug!(%error, "the session gave no answer");
            Vec::new()
        });
        SessionFound {
            name,
            application: application.id.clone(),
            state: application.state,
            user: application.user.clone(),
            allocated_mb: application.allocated_mb,
            jobs: jobs.into_iter().map(|job| (job.id, job.state)).collect(),
        }
    }

    async fn stop(
        &self,
        master: &Master,
        name: &str,
        force: bool,
    ) -> Result<SessionFound, RunError> {
        let found = self.find(master, name).await?;
        let mut found = found.ok_or_else(|| RunError::NoSuchSession {
            name: name.to_owned(),
            cluster: self.cluster.clone(),
        })?;
        let running = found.jobs.iter().filter(|(_, state)| !state.is_terminal());
        let jobs: Vec<_> = running.map(|(id, _)| id.clone()).collect();
        if !jobs.is_empty() && !force {
            let name = name.to_owned();
            return Err(RunError::SessionBusy { name, jobs });
        }
        self.run.kill(&found.application).await?;
        let since = self.run.now();
        loop {
            let now = master.yarn.application(&found.application).await?;
            match now {
                Some(now) if !now.state.is_terminal() => {
                    if self.run.past(since, ENDING) {
                        let problem = format!("it was to end and is {:?}", now.state);
                        return Err(failed(name, problem));
                    }
                }
                Some(now) => {
                    found.state = now.state;
                    return Ok(found);
                }
                None => return Ok(found),
            }
            self.run.sleep(Duration::from_millis(500)).await;
        }
    }
}

fn failed(name: &str, problem: String) -> RunError {
    RunError::SessionFailed {
        name: name.to_owned(),
        problem,
    }
}

/// The name of the session that an application is, by its tags.
fn session_name(application: &Application) -> Option<String> {
    let mut tags = application.application_tags.split(',').map(str::trim);
    tags.find_map(|tag| tag.strip_prefix(TAG))
        .map(str::to_owned)
}

/// The plan of a visit: a cluster that is found and entered, and no job.
fn plan(place: &SessionPlace) -> Result<Plan, RunError> {
    let broke = |error: &dyn std::fmt::Display| RunError::Broke {
        what: error.to_string(),
    };
    let deployment: DeploymentId = "visit".parse().map_err(|error| broke(&error))?;
    let home: GcsUri = "gs://none/".parse().map_err(|error| broke(&error))?;
    let day = flinkproc_core::Span::from_secs(86_400);
    Ok(Plan {
        format: 1,
        deployment,
        run_key: None,
        spec: SpecSource {
            path: String::new(),
            sha256: String::new(),
        },
        cluster: ClusterPlan {
            cluster: place.cluster.clone(),
            zone: None,
            image: "2.2".parse().map_err(|error| broke(&error))?,
            requested_image: None,
            ours: false,
            resource: serde_json::Value::Null,
            max_idle: day,
            max_age: day,
        },
        staging: StagingPlan {
            home,
            uploads: Vec::new(),
            texts: Vec::new(),
            environment: None,
        },
        job: JobPlan {
            name: String::new(),
            flink: place.flink,
            mode: YarnMode::Session,
            method: "ssh".to_owned(),
            entry: EntryPoint::Module(String::new()),
            args: Vec::new(),
            files: Vec::new(),
            parallelism: None,
            flink_config: BTreeMap::new(),
            tag: "flinkproc-visit".to_owned(),
            result: None,
            restore: None,
            session: None,
            python: PythonPlan::Image,
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            mirror: None,
            classpaths: Vec::new(),
            unresolved: Vec::new(),
        },
        ssh: place.ssh.clone(),
        watch: WatchPlan {
            deadline: day,
            on_failure: OnFailure::Delete,
            on_interrupt: OnInterrupt::Detach,
        },
        defaults: Vec::new(),
        warnings: Vec::new(),
    })
}
