//! A job's way from its beginning to its end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::real_sleep;
use crate::failure::{ApiFailure, Code};
use crate::jobs::output;
use crate::jobs::record::{JobKey, JobRecord, Stop};
use crate::operations::job_response;
use crate::runtime::{ClusterFacts, DriverOutput, JobEnd, JobFacts, RuntimeError, YarnApplication};
use crate::service::{Service, State};
use crate::storage::StorageError;

/// How often YARN is asked for a job's applications, in real time.
const APPLICATIONS_PROBE: Duration = Duration::from_secs(1);
/// How long jobs have to write their last output when the emulator stops, in real time.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// How many pieces of output may wait for Cloud Storage.
const WAITING_PIECES: usize = 256;

/// What one attempt came to.
enum Attempt {
    Ended(Result<JobEnd, RuntimeError>),
    Killed {
        state: &'static str,
        details: String,
    },
}

impl Service {
    /// Asks for a job's end and gives the job.
    pub(crate) fn cancel_job(&self, key: &JobKey) -> Result<Value, ApiFailure> {
        let now = self.clock.now();
        let mut state = self.lock();
        let record = state.jobs.jobs.get_mut(key);
        let record = record.ok_or_else(|| not_found(key))?;
        if record.has_ended() {
            return Err(ApiFailure::new(
                Code::FailedPrecondition,
                format!(
                    "Job {} can not be cancelled in state {}",
                    key.name(),
                    record.state()
                ),
            ));
        }
        if !matches!(record.state(), "CANCEL_PENDING" | "CANCEL_STARTED") {
            record.enter("CANCEL_PENDING", None, now);
            record.stop.send_replace(Stop::Cancel);
        }
        let answer = record.json();
        tell_operation(&mut state, key, now);
        Ok(answer)
    }

    /// Waits until a job has ended and gives it; `None` when there is none of that name.
    pub(crate) async fn wait_job(&self, key: &JobKey) -> Option<Value> {
        let mut ended = self.lock().jobs.jobs.get(key)?.ended.subscribe();
        // An error means that the job was forgotten.
        ended.wait_for(|ended| *ended).await.ok();
        self.lock().jobs.jobs.get(key).map(JobRecord::json)
    }

    /// Ends every job of a cluster at once, with these details, and waits until their last output is written.
    pub(crate) async fn end_jobs_of(&self, cluster_uuid: &str, details: &str) {
        self.end_jobs(details, |record| record.cluster_uuid == cluster_uuid)
            .await;
    }

    /// Ends every job; what of its output is not written soon is lost.
    pub(crate) async fn end_all_jobs(&self) {
        tokio::select! {
            () = self.end_jobs("The emulator was stopped.", |_| true) => {}
            () = real_sleep(LAST_WORDS) => {}
        }
    }

    /// Every job of every project, in the order of their submission.
    pub(crate) fn all_jobs(&self) -> Vec<Value> {
        let state = self.lock();
        let mut jobs: Vec<&JobRecord> = state.jobs.jobs.values().collect();
        jobs.sort_by_key(|job| job.number);
        jobs.into_iter().map(JobRecord::json).collect()
    }

    async fn end_jobs(&self, details: &str, which: impl Fn(&JobRecord) -> bool) {
        let mut waits = Vec::new();
        for record in self.lock().jobs.jobs.values() {
            if which(record) && !*record.ended.borrow() {
                waits.push(record.ended.subscribe());
                record.stop.send_replace(Stop::Kill {
                    state: "ERROR",
                    details: details.to_owned(),
                });
            }
        }
        for mut ended in waits {
            // An error means that the job was forgotten.
            ended.wait_for(|ended| *ended).await.ok();
        }
    }

    /// Runs a job, once more after a failure where its scheduling says so, and writes its end down.
    pub(crate) async fn run(self: Arc<Self>, key: JobKey, cluster: ClusterFacts) {
        let Some(mut stop) = self.with_job(&key, |record| record.stop.subscribe()) else {
            return;
        };
        let ttl = self.with_job(&key, |record| record.scheduling.ttl_millis);
        let until = ttl.flatten().and_then(|millis| {
            let ttl = Duration::from_millis(u64::try_from(millis).ok()?);
            self.clock.now().checked_add(ttl).ok()
        });
        loop {
            let uri = self.with_job(&key, |record| record.output_uri());
            let Some(uri) = uri else {
                return;
            };
            for state in ["SETUP_DONE", "RUNNING"] {
                self.enter(&key, state, None);
            }
            let (output, pieces) = DriverOutput::channel(WAITING_PIECES);
            let writing = tokio::spawn(output::write(self.storage(), uri, pieces));
            let attempt = tokio::select! {
                attempt = self.attempt(&key, &cluster, &output, &mut stop) => attempt,
                () = self.until(until) => Attempt::Killed {
                    state: "CANCELLED",
                    details: "The job has run for the time of its scheduling.ttl.".to_owned(),
                },
            };
            drop(output);
            let lost = match written(writing, &attempt).await {
                Ok(()) => String::new(),
                Err(why) => format!(" Its output is not complete: {why}."),
            };
            self.note_applications(&key, &cluster).await;
            if self.conclude(&key, attempt, &lost) {
                return;
            }
        }
    }

    async fn until(&self, time: Option<jiff::Timestamp>) {
        match time {
            Some(time) => self.clock.sleep_until(time).await,
            None => std::future::pending().await,
        }
    }

    /// Runs the driver once; dropped, the driver is ended.
    async fn attempt(
        &self,
        key: &JobKey,
        cluster: &ClusterFacts,
        output: &DriverOutput,
        stop: &mut watch::Receiver<Stop>,
    ) -> Attempt {
        let Some(facts) = self.with_job(key, |record| record.facts(&key.id)) else {
            let details = "The job was forgotten.".to_owned();
            return Attempt::Killed {
                state: "ERROR",
                details,
            };
        };
        let asked = stop.borrow().clone();
        match asked {
            Stop::No => {}
            // It has not begun, so there is nobody to be asked.
            Stop::Cancel => {
                return Attempt::Killed {
                    state: "CANCELLED",
                    details: String::new(),
                };
            }
            Stop::Kill { state, details } => return Attempt::Killed { state, details },
        }
        let run = self.runtime.run_job(cluster, &facts, output);
        tokio::pin!(run);
        let mut cancelling = false;
        loop {
            tokio::select! {
                ended = &mut run => return Attempt::Ended(ended),
                asked = wanted(stop, cancelling) => match asked {
                    Stop::Kill { state, details } => return Attempt::Killed { state, details },
                    _ => {
                        cancelling = true;
                        self.enter(key, "CANCEL_STARTED", None);
                        let cancel = self.runtime.cancel_job(cluster, &key.id);
                        tokio::select! {
                            ended = &mut run => return Attempt::Ended(ended),
                            cancelled = cancel => if let Err(error) = cancelled {
                                tracing::warn!(job = key.id, %error, "the driver could not be asked to end");
                                let details = format!("The driver could not be asked to end: {error}");
                                return Attempt::Killed { state: "CANCELLED", details };
                            },
                        }
                    }
                },
                () = real_sleep(APPLICATIONS_PROBE) => {
                    self.note_applications_of(key, cluster, &facts).await;
                }
            }
        }
    }

    /// Writes down what an attempt came to; `false` when the job is started again.
    fn conclude(&self, key: &JobKey, attempt: Attempt, lost: &str) -> bool {
        let now = self.clock.now();
        let mut state = self.lock();
        let Some(record) = state.jobs.jobs.get_mut(key) else {
            return true;
        };
        let cancelled = matches!(record.state(), "CANCEL_PENDING" | "CANCEL_STARTED");
        let reports = report(record, key);
        let (end, details) = match attempt {
            Attempt::Killed { state, details } => (state, details),
            Attempt::Ended(_) if cancelled => ("CANCELLED", String::new()),
            Attempt::Ended(Ok(JobEnd { exit_status: 0 })) => ("DONE", String::new()),
            Attempt::Ended(Err(error)) => ("ERROR", error.to_string()),
            Attempt::Ended(Ok(JobEnd { exit_status })) => {
                record.failures.push(now);
                let why = format!("The driver ended with exit status {exit_status}. ");
                match record.scheduling.refuses(&record.failures) {
                    Some(refusal) => ("ERROR", format!("{why}{refusal}{reports}")),
                    None => ("ATTEMPT_FAILURE", format!("{why}{reports}")),
                }
            }
        };
        record.enter(end, Some(format!("{details}{lost}").trim()), now);
        let again = end == "ATTEMPT_FAILURE";
        if again {
            let uri = record.output_uri();
            let bucket = crate::storage::split_uri(&uri).map(|(bucket, _)| bucket.to_owned());
            record.place_output(&bucket.unwrap_or_default(), &key.id);
        } else {
            record.ended.send_replace(true);
        }
        tell_operation(&mut state, key, now);
        drop(state);
        self.changed.notify_waiters();
        !again
    }

    fn enter(&self, key: &JobKey, state: &str, details: Option<&str>) {
        let now = self.clock.now();
        let mut held = self.lock();
        if let Some(record) = held.jobs.jobs.get_mut(key) {
            let asked = matches!(record.state(), "CANCEL_PENDING" | "CANCEL_STARTED");
            // A job whose end was asked for does not begin any more.
            if !record.has_ended() && (!asked || state == "CANCEL_STARTED") {
                record.enter(state, details, now);
            }
        }
        tell_operation(&mut held, key, now);
    }

    async fn note_applications(&self, key: &JobKey, cluster: &ClusterFacts) {
        if let Some(facts) = self.with_job(key, |record| record.facts(&key.id)) {
            self.note_applications_of(key, cluster, &facts).await;
        }
    }

    async fn note_applications_of(&self, key: &JobKey, cluster: &ClusterFacts, job: &JobFacts) {
        let applications = self.runtime.job_applications(cluster, job).await;
        if applications.is_empty() {
            return;
        }
        let applications: Value = applications.iter().map(application).collect();
        self.with_job(key, |record| {
            record
                .resource
                .insert("yarnApplications".to_owned(), applications);
        });
    }

    fn with_job<T>(&self, key: &JobKey, look: impl FnOnce(&mut JobRecord) -> T) -> Option<T> {
        self.lock().jobs.jobs.get_mut(key).map(look)
    }
}

/// Waits until the output is written; not for long when the driver was killed, whose end nobody has told.
async fn written(
    mut writing: JoinHandle<Result<(), StorageError>>,
    attempt: &Attempt,
) -> Result<(), String> {
    let patience = async {
        match attempt {
            Attempt::Killed { .. } => real_sleep(LAST_WORDS).await,
            Attempt::Ended(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        outcome = &mut writing => match outcome {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        },
        () = patience => {
            writing.abort();
            Err("what the driver still had to say did not come".to_owned())
        }
    }
}

/// The next thing that is asked of a running job; a cancel counts once.
async fn wanted(stop: &mut watch::Receiver<Stop>, cancelling: bool) -> Stop {
    let news = |stop: &Stop| match stop {
        Stop::No => false,
        Stop::Cancel => !cancelling,
        Stop::Kill { .. } => true,
    };
    let found = stop.wait_for(news).await.map(|stop| stop.clone());
    match found {
        Ok(stop) => stop,
        // Forgotten, which only happens to jobs that have ended.
        Err(_) => std::future::pending().await,
    }
}

/// The error of a job that is not there.
pub(crate) fn not_found(key: &JobKey) -> ApiFailure {
    ApiFailure::new(Code::NotFound, format!("Not found: Job {}", key.name()))
}

/// Brings the operation that a job was submitted as up to date.
pub(crate) fn tell_operation(state: &mut State, key: &JobKey, now: jiff::Timestamp) {
    let Some(record) = state.jobs.jobs.get(key) else {
        return;
    };
    let Some(name) = record.operation.clone() else {
        return;
    };
    let metadata = record.operation_metadata();
    let end = match record.state() {
        "DONE" => Some(Ok(job_response(&record.json()))),
        "CANCELLED" => Some(Err((Code::Cancelled, "Job was cancelled".to_owned()))),
        "ERROR" => {
            let details = record.resource["status"]["details"].as_str();
            let details = details.unwrap_or("Job failed");
            Some(Err((Code::Internal, details.to_owned())))
        }
        _ => None,
    };
    state.tell(&name, metadata);
    if let Some(end) = end {
        state.end(&name, end, now);
    }
}

/// What the agent on a cluster says of a job that failed, with the places where its output can be found.
fn report(record: &JobRecord, key: &JobKey) -> String {
    let JobKey {
        project,
        region,
        id,
    } = key;
    let output = record.output_uri();
    let folder = output.strip_prefix("gs://").unwrap_or_default();
    let folder = folder.strip_suffix("driveroutput").unwrap_or(folder);
    format!(
        "Google Cloud Dataproc Agent reports job failure. If logs are available, they can be found at:\n\
         https://console.cloud.google.com/dataproc/jobs/{id}?project={project}&region={region}\n\
         gcloud dataproc jobs wait '{id}' --region '{region}' --project '{project}'\n\
         https://console.cloud.google.com/storage/browser/{folder}\n\
         {output}"
    )
}

fn application(application: &YarnApplication) -> Value {
    const STATES: &[&str] = &[
        "NEW",
        "NEW_SAVING",
        "SUBMITTED",
        "ACCEPTED",
        "RUNNING",
        "FINISHED",
        "FAILED",
        "KILLED",
    ];
    let state = STATES.iter().find(|state| **state == application.state);
    let mut value = json!({
        "name": application.name,
        "state": state.unwrap_or(&"STATE_UNSPECIFIED"),
        "progress": application.progress,
    });
    if let Some(url) = &application.tracking_url {
        value["trackingUrl"] = json!(url);
    }
    value
}
