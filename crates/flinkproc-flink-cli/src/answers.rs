//! What Flink's client and `yarn-session.sh` say: ids, lists of jobs, savepoints, checkpoints, sessions.
//!
//! Only lines that Flink and YARN's client write themselves count: a program may print any other id. The phrases are those of
//! 1.12 to 2.2; a test looks for each in the released jars.

use flinkproc_core::{FlinkJobId, YarnApplicationId};

/// What stands before an application id, in `YarnClusterDescriptor` (1.12 to 2.2) and Hadoop's `YarnClientImpl`.
pub const APPLICATION: [&str; 4] = [
    "Submitting application master ",
    "Submitted application ",
    "of application '",
    "yarn application -kill ",
];

/// What stands before a job id, in `CliFrontend` and `JobExecutionResult` (1.12 to 2.2).
pub const JOB: [&str; 2] = ["Job has been submitted with JobID ", "Job with JobID "];

/// What `savepoint` and `stop` write before the path of a savepoint that is there.
pub const SAVEPOINT: &str = "Savepoint completed. Path: ";
/// What `cancel -s` writes before that path, which a full stop follows.
pub const CANCELLED_WITH: &str = ". Savepoint stored in ";
/// What `savepoint -detached` and `stop -detached` (1.19 and later) write before the id of the trigger.
pub const TRIGGERED: [&str; 2] = [
    "Successfully trigger manual savepoint, triggerId: ",
    "Successfully trigger stop-with-savepoint in detached mode, triggerId: ",
];
/// What `savepoint --dispose` writes behind the path.
pub const DISPOSED: &str = "' disposed.";
/// What `yarn-session.sh -d` says once the session is up.
pub const SESSION: &str = "The Flink YARN session cluster has been started in detached mode";
/// What `yarn-session.sh` writes before the address of the JobManager.
pub const INTERFACE: &str = "JobManager Web Interface: ";
/// Headings of `flink list`, and what stands there when a part is empty.
pub const LIST: [(&str, JobGroup); 5] = [
    ("Running/Restarting Jobs", JobGroup::Running),
    ("Scheduled Jobs", JobGroup::Scheduled),
    ("Terminated Jobs", JobGroup::Terminated),
    ("No running jobs.", JobGroup::Running),
    ("No scheduled jobs.", JobGroup::Scheduled),
];

/// The YARN applications that the output tells of, each once, in their order.
#[must_use]
pub fn application_ids(output: &[u8]) -> Vec<YarnApplicationId> {
    collect(output, &APPLICATION, |c| {
        c.is_ascii_alphanumeric() || c == '_'
    })
}

/// The Flink jobs that the output tells of, each once, in their order.
#[must_use]
pub fn job_ids(output: &[u8]) -> Vec<FlinkJobId> {
    collect(output, &JOB, |c| c.is_ascii_hexdigit())
}

fn collect<T>(output: &[u8], before: &[&str], part: impl Fn(char) -> bool) -> Vec<T>
where
    T: std::str::FromStr + PartialEq,
{
    let text = String::from_utf8_lossy(output);
    let mut found = Vec::new();
    for line in text.lines() {
        let rest = before
            .iter()
            .find_map(|phrase| line.split_once(phrase).map(|(_, rest)| rest));
        let Some(rest) = rest else { continue };
        let end = rest.find(|c: char| !part(c)).unwrap_or(rest.len());
        let id = rest.get(..end).and_then(|id| id.parse().ok());
        if let Some(id) = id.filter(|id| !found.contains(id)) {
            found.push(id);
        }
    }
    found
}

/// Where `flink list` shows a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobGroup {
    /// Among those that run or restart.
    Running,
    /// Among those that wait.
    Scheduled,
    /// Among those that ended.
    Terminated,
}

/// A job as `flink list` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedJob {
    /// Its id.
    pub id: FlinkJobId,
    /// Its name.
    pub name: String,
    /// Its state, in Flink's word, such as `RUNNING`.
    pub state: String,
    /// Where it stands.
    pub group: JobGroup,
    /// When it started, as the client wrote it: `dd.MM.yyyy HH:mm:ss` in the zone of its machine.
    pub started: String,
}

/// The jobs in the answer of `flink list`; `None` when the output is no such answer.
///
/// A name with a line break in it hides its job: Flink writes it as it is.
#[must_use]
pub fn job_list(output: &[u8]) -> Option<Vec<ListedJob>> {
    let text = String::from_utf8_lossy(output);
    let mut group = None;
    let mut jobs = Vec::new();
    for line in text.lines() {
        let title = line.trim_matches(['-', ' ']);
        if let Some((_, found)) = LIST.iter().find(|(heading, _)| *heading == title) {
            group = Some(*found);
        } else if let Some(group) = group {
            jobs.extend(listed(line, group));
        }
    }
    group.map(|_| jobs)
}

fn listed(line: &str, group: JobGroup) -> Option<ListedJob> {
    let (started, rest) = line.split_once(" : ")?;
    let (id, rest) = rest.split_once(" : ")?;
    let (name, state) = rest.rsplit_once(" (")?;
    Some(ListedJob {
        id: id.parse().ok()?,
        name: name.to_owned(),
        state: state.strip_suffix(')')?.to_owned(),
        group,
        started: started.to_owned(),
    })
}

/// What became of a savepoint that `savepoint`, `stop` or `cancel -s` was to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SavepointAnswer {
    /// It lies there.
    Completed(String),
    /// It was asked for, and the client did not wait: the id of the trigger in Flink's REST API.
    Triggered(String),
}

/// The savepoint that the output tells of.
#[must_use]
pub fn savepoint(output: &[u8]) -> Option<SavepointAnswer> {
    let text = String::from_utf8_lossy(output);
    let behind = |line: &str, phrase: &str| Some(line.strip_prefix(phrase)?.trim_end().to_owned());
    text.lines().find_map(|line| {
        if let Some(path) = behind(line, SAVEPOINT) {
            return Some(SavepointAnswer::Completed(path));
        }
        let trigger = TRIGGERED.iter().find_map(|phrase| behind(line, phrase));
        if let Some(id) = trigger {
            let id = id.trim_end_matches('.').to_owned();
            return Some(SavepointAnswer::Triggered(id));
        }
        let (job, path) = line.split_once(CANCELLED_WITH)?;
        let path = path.trim_end().strip_suffix('.')?;
        job.starts_with("Cancelled job ")
            .then(|| SavepointAnswer::Completed(path.to_owned()))
    })
}

/// The savepoint that `savepoint --dispose` says it deleted.
#[must_use]
pub fn disposed(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    text.lines().find_map(|line| {
        let path = line.strip_prefix("Savepoint '")?;
        Some(path.trim_end().strip_suffix(DISPOSED)?.to_owned())
    })
}

/// The checkpoint that `flink checkpoint` says it took: its number, or its kind and number.
#[must_use]
pub fn checkpoint(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    text.lines().find_map(|line| {
        let rest = line.strip_prefix("Checkpoint")?;
        let (which, rest) = rest.split_once(" for job ")?;
        let done = rest.trim_end().ends_with(" completed.");
        done.then(|| which.trim().to_owned())
    })
}

/// The job that `cancel` says it cancelled.
#[must_use]
pub fn cancelled(output: &[u8]) -> Option<FlinkJobId> {
    let text = String::from_utf8_lossy(output);
    text.lines().find_map(|line| {
        let rest = line.strip_prefix("Cancelled job ")?;
        rest.get(..32)?.parse().ok()
    })
}

/// A session that `yarn-session.sh` says it started or attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionAnswer {
    /// Its YARN application.
    pub application: YarnApplicationId,
    /// The JobManager's address, such as `http://worker:8081`.
    pub interface: Option<String>,
    /// Whether it was started detached: the client is gone, the session stays.
    pub detached: bool,
}

/// The session that is up; `None` while the output does not say so.
#[must_use]
pub fn session(output: &[u8]) -> Option<SessionAnswer> {
    let text = String::from_utf8_lossy(output);
    let interface = text
        .lines()
        .find_map(|line| Some(line.split_once(INTERFACE)?.1.trim().to_owned()));
    let detached = text.contains(SESSION);
    if interface.is_none() && !detached {
        return None;
    }
    let application = application_ids(output).pop()?;
    Some(SessionAnswer {
        application,
        interface,
        detached,
    })
}

#[cfg(test)]
mod tests;
