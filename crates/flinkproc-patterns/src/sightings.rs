//! What YARN and Flink say while the job runs: asked where the master is entered, otherwise as the launcher saw it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use flinkproc_core::{Attempt, FlinkJobId, YarnApplicationId, YarnMode};
use flinkproc_rest::{Application, ApplicationState, FinalStatus, FlinkApi, FlinkJobState};
use flinkproc_submit::{Observation, SeenApplication, Sighting};
use serde::de::DeserializeOwned;

use crate::error::RunError;
use crate::events::EventKind;
use crate::run::{Run, lock};
use crate::site::Master;
use crate::verdict::ApplicationWord;

/// What YARN and Flink said last.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    pub(crate) applications: BTreeMap<YarnApplicationId, Option<ApplicationWord>>,
    /// The Flink jobs of this deployment.
    pub(crate) jobs: BTreeMap<FlinkJobId, FlinkJobState>,
    /// Jobs of the session that belong to others.
    strangers: BTreeSet<FlinkJobId>,
}

/// An application as it was seen just now.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) word: ApplicationWord,
    /// Whether its end is recorded for good.
    pub(crate) recorded: bool,
    tags: String,
}

impl Seen {
    pub(crate) const fn is_over(&self) -> bool {
        self.word.state.is_terminal()
    }

    /// Whether the application bears this tag or one that continues it.
    fn is_tagged(&self, tag: &str) -> bool {
        let whole = |own: &str| {
            let rest = own
                .get(..tag.len())
                .filter(|start| start.eq_ignore_ascii_case(tag))
                .and(own.get(tag.len()..));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        self.tags.split(',').map(str::trim).any(whole)
    }
}

impl From<Application> for Seen {
    fn from(one: Application) -> Self {
        let ended = one.final_status != FinalStatus::Undefined || one.finished_time > 0;
        Self {
            recorded: one.state.is_terminal() && ended,
            tags: one.application_tags,
            word: ApplicationWord {
                id: one.id,
                state: one.state,
                final_status: one.final_status,
                diagnostics: one.diagnostics,
            },
        }
    }
}

impl From<&SeenApplication> for Seen {
    fn from(one: &SeenApplication) -> Self {
        let word = ApplicationWord {
            id: one.id.clone(),
            state: understood(&one.state).unwrap_or(ApplicationState::Unknown),
            final_status: understood(&one.final_status).unwrap_or(FinalStatus::Unknown),
            diagnostics: one.diagnostics.clone(),
        };
        Self {
            recorded: word.state.is_terminal() && word.final_status != FinalStatus::Undefined,
            tags: String::new(),
            word,
        }
    }
}

/// A service's word as a value.
fn understood<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(word.into()).ok()
}

impl Run {
    pub(crate) fn is_session(&self) -> bool {
        self.plan.job.mode == YarnMode::Session
    }

    /// The tag of the application that runs an attempt: its own, or that of the session.
    fn application_tag(&self, attempt: Attempt) -> String {
        match &self.plan.job.session {
            Some(session) if self.is_session() => session.tag.clone(),
            _ => self.run_ref(attempt).tag(),
        }
    }

    /// Whether an application that was seen was started by this deployment, and not only found by it.
    pub(crate) fn started_it(&self, application: &Seen) -> bool {
        !self.is_session() || application.is_tagged(&self.plan.job.tag)
    }

    /// Keeps the ids that the launcher and the client's output told.
    pub(crate) fn note_ids(&self, seen: &Observation) {
        let mut sightings = lock(&self.sightings);
        if let Some(id) = &seen.application {
            sightings.applications.entry(id.clone()).or_insert(None);
        }
        for id in &seen.jobs {
            let unknown = FlinkJobState::Unknown;
            sightings.jobs.entry(id.clone()).or_insert(unknown);
        }
    }

    /// Keeps what the launcher saw. Where we ask ourselves its word may be the older one, so that only an end counts.
    pub(crate) fn take_sighting(&self, sighting: &Sighting) {
        let asked = self.enters();
        for application in &sighting.applications {
            let seen = Seen::from(application);
            if !asked || seen.recorded {
                self.saw_application(&seen.word);
            }
        }
        for (id, state) in &sighting.jobs {
            let state: FlinkJobState = understood(state).unwrap_or(FlinkJobState::Unknown);
            if !asked || state.is_terminal() {
                self.saw_job(id, state);
            }
        }
    }

    /// Looks at YARN and Flink from time to time, for the events and for what is gone once the job is.
    pub(crate) async fn poll_services(self: &Arc<Self>) -> std::convert::Infallible {
        let mut pause = Duration::from_secs(1);
        loop {
            self.sleep(pause).await;
            let site = self.site.lock().await.clone();
            if let Some(master) = site.as_ref().and_then(|site| site.master.as_ref()) {
                self.look_at_services(master).await;
            }
            pause = (pause + Duration::from_secs(1)).min(Duration::from_secs(5));
        }
    }

    async fn look_at_services(self: &Arc<Self>, master: &Master) {
        let attempt = self.current_attempt();
        let tag = self.application_tag(attempt);
        let applications = match master.yarn.applications(Some(&tag)).await {
            Ok(applications) => applications,
            Err(error) => return tracing::debug!(%error, "YARN gave no answer"),
        };
        for application in applications.into_iter().map(Seen::from) {
            // Sessions of that name that ended before are none of ours.
            if self.is_session() && application.is_over() && !self.knows(&application.word.id) {
                continue;
            }
            self.saw_application(&application.word);
            if !application.is_over() {
                let flink = master.flink(&application.word.id);
                if let Err(error) = self.jobs_of_attempt(flink.as_ref(), attempt).await {
                    tracing::debug!(%error, "Flink gave no answer");
                }
            }
        }
    }

    fn knows(&self, id: &YarnApplicationId) -> bool {
        lock(&self.sightings).applications.contains_key(id)
    }

    /// The jobs that a JobManager has of an attempt, with their states; all of them, unless it serves a session. The last of
    /// their exceptions is kept.
    async fn jobs_of_attempt(
        &self,
        flink: &dyn FlinkApi,
        attempt: Attempt,
    ) -> Result<BTreeMap<FlinkJobId, FlinkJobState>, RunError> {
        use FlinkJobState::{Failed, Failing, Restarting};
        let mut own = BTreeMap::new();
        for job in flink.jobs().await? {
            if self.is_session() && !self.is_own(flink, &job.id, attempt).await? {
                continue;
            }
            self.saw_job(&job.id, job.state);
            if matches!(job.state, Failing | Failed | Restarting)
                && let Ok(exceptions) = flink.exceptions(&job.id).await
                && let Some(root) = exceptions.root_exception
            {
                *lock(&self.exceptions) = Some(root);
            }
            own.insert(job.id, job.state);
        }
        Ok(own)
    }

    /// Whether a job of a session is one of this attempt: the client named its id, or it bears the attempt's tag among its
    /// parameters.
    async fn is_own(
        &self,
        flink: &dyn FlinkApi,
        id: &FlinkJobId,
        attempt: Attempt,
    ) -> Result<bool, RunError> {
        {
            let sightings = lock(&self.sightings);
            if sightings.jobs.contains_key(id) {
                return Ok(true);
            }
            if sightings.strangers.contains(id) {
                return Ok(false);
            }
        }
        let tag = self.run_ref(attempt).tag();
        let parameters = flink.parameters(id).await?;
        let own = parameters.values().any(|value| *value == tag);
        if !own {
            lock(&self.sightings).strangers.insert(id.clone());
        }
        Ok(own)
    }

    pub(crate) fn saw_application(&self, word: &ApplicationWord) {
        let known = lock(&self.sightings)
            .applications
            .insert(word.id.clone(), Some(word.clone()));
        let same = |one: &ApplicationWord| {
            (one.state, one.final_status) == (word.state, word.final_status)
        };
        if !known.flatten().as_ref().is_some_and(same) {
            self.emit(EventKind::Application {
                id: word.id.clone(),
                state: word.state,
                final_status: word.final_status,
            });
        }
    }

    pub(crate) fn saw_job(&self, id: &FlinkJobId, state: FlinkJobState) {
        if lock(&self.sightings).jobs.insert(id.clone(), state) != Some(state) {
            self.emit(EventKind::FlinkJob {
                id: id.clone(),
                state,
            });
        }
    }

    /// The applications of an attempt: those of its tag (in a session the session's), and the one that the launcher named. Where
    /// nobody enters the master, as the launcher saw them last.
    pub(crate) async fn ask_yarn(
        self: &Arc<Self>,
        attempt: Attempt,
    ) -> Result<Vec<Seen>, RunError> {
        let site = self.site().await?;
        let Some(master) = &site.master else {
            return self.ask_launcher(attempt).await;
        };
        let tag = self.application_tag(attempt);
        let mut applications = master.yarn.applications(Some(&tag)).await?;
        applications
            .retain(|one| !self.is_session() || !one.state.is_terminal() || self.knows(&one.id));
        let named: Vec<YarnApplicationId> =
            lock(&self.sightings).applications.keys().cloned().collect();
        for id in named {
            if !applications.iter().any(|one| one.id == id)
                && let Some(application) = master.yarn.application(&id).await?
            {
                applications.push(application);
            }
        }
        let applications: Vec<Seen> = applications.into_iter().map(Seen::from).collect();
        for application in &applications {
            self.saw_application(&application.word);
        }
        Ok(applications)
    }

    /// The applications as the launcher saw them last; the program's output is not touched.
    pub(crate) async fn ask_launcher(
        self: &Arc<Self>,
        attempt: Attempt,
    ) -> Result<Vec<Seen>, RunError> {
        let saved = self.open_output(attempt).await?;
        let seen = self
            .observe(attempt, &saved, flinkproc_core::Span::from_secs(0))
            .await?;
        self.note_ids(&seen);
        let Some(sighting) = &seen.sighting else {
            return Ok(Vec::new());
        };
        self.take_sighting(sighting);
        Ok(sighting.applications.iter().map(Seen::from).collect())
    }

    /// The Flink jobs of an attempt in its session. One that the session does not know (any more) keeps its last seen state and
    /// counts as over.
    pub(crate) async fn ask_flink(
        self: &Arc<Self>,
        attempt: Attempt,
    ) -> Result<BTreeMap<FlinkJobId, JobWord>, RunError> {
        let applications = self.ask_yarn(attempt).await?;
        let site = self.site().await?;
        if let Some(master) = &site.master {
            let mut present = BTreeMap::new();
            for application in applications.iter().filter(|one| !one.is_over()) {
                let flink = master.flink(&application.word.id);
                present.extend(self.jobs_of_attempt(flink.as_ref(), attempt).await?);
            }
            let known = lock(&self.sightings).jobs.clone();
            let known = known.into_iter().map(|(id, state)| {
                let present = present.contains_key(&id);
                (id, JobWord { state, present })
            });
            return Ok(known.collect());
        }
        let known = lock(&self.sightings).jobs.clone();
        let present = applications.iter().any(|one| !one.is_over());
        let known = known
            .into_iter()
            .map(|(id, state)| (id, JobWord { state, present }));
        Ok(known.collect())
    }
}

/// What is known of a Flink job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JobWord {
    /// Its last seen state.
    pub(crate) state: FlinkJobState,
    /// Whether its JobManager still has it.
    pub(crate) present: bool,
}

impl JobWord {
    /// Whether nothing of it runs any more, as far as can be told.
    pub(crate) const fn is_over(self) -> bool {
        self.state.is_terminal() || !self.present
    }
}
