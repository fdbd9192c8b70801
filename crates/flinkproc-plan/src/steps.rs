//! The steps of a deployment in their order, as `plan` prints them.

use crate::methods;
use crate::plan::{IdentityPlan, OnFailure, Plan};
use crate::spec::AccessSpec;

/// One step, in words.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct StepPlan {
    /// Its name, also for `--until`.
    pub id: &'static str,
    /// What it does.
    pub title: String,
    /// What it makes or leaves behind, if anything.
    pub makes: Vec<String>,
}

impl Plan {
    /// The steps, in order; `stage` and `create-cluster` run side by side.
    #[must_use]
    pub fn steps(&self) -> Vec<StepPlan> {
        let step = |id, title: String, makes: Vec<String>| StepPlan { id, title, makes };
        let cluster = &self.cluster.cluster;
        let name = &cluster.name;
        let bytes: u64 = self.staging.uploads.iter().map(|upload| upload.size).sum();
        let files = self.staging.uploads.len();
        let texts = self.staging.texts.iter().map(|text| text.to.to_string());
        let uploads = self.staging.uploads.iter();
        let environment = self.staging.environment.iter();
        let makes = texts
            .chain(uploads.map(|upload| upload.to.to_string()))
            .chain(environment.clone().map(|one| one.pointer.to_string()));
        let bucket = self.staging.home.bucket();
        let title = format!("see that the bucket {bucket} is there and open to us");
        let mut steps = vec![step("check-bucket", title, Vec::new())];
        steps.push(step(
            "stage",
            format!(
                "upload {files} {}, {bytes} bytes, where not there yet{}",
                if files == 1 { "file" } else { "files" },
                environment
                    .map(|one| format!(
                        "; find or build Python {} with apache-flink {}",
                        one.python, one.flink
                    ))
                    .collect::<String>()
            ),
            makes.collect(),
        ));
        if self.cluster.ours {
            let title = format!("create the cluster {name} (image {})", self.cluster.image);
            steps.push(step("create-cluster", title, vec![cluster.to_string()]));
        } else {
            let title = format!("find the cluster {name}");
            steps.push(step("create-cluster", title, Vec::new()));
        }
        let enters = self.ssh.access != AccessSpec::Never;
        if enters {
            steps.push(self.enter_step());
        }
        let mode = self.job.mode;
        let title = format!(
            "submit {} in {mode} mode by {}",
            self.job.name, self.job.method
        );
        steps.push(step("submit", title, self.submission()));
        let title = format!(
            "watch it to its end, at most {} in all",
            self.watch.deadline
        );
        steps.push(step("watch", title, Vec::new()));
        steps.push(step(
            "save-logs",
            "bring the logs home".to_owned(),
            Vec::new(),
        ));
        if enters && self.ssh.identity == IdentityPlan::Ephemeral {
            let title = "take the key out again".to_owned();
            steps.push(step("leave-machine", title, Vec::new()));
        }
        if self.cluster.ours {
            let but = match self.watch.on_failure {
                OnFailure::Delete => "",
                OnFailure::Keep => ", unless the job failed",
            };
            steps.push(step(
                "delete-cluster",
                format!("delete the cluster{but}"),
                Vec::new(),
            ));
        }
        if let Some(result) = &self.job.result {
            steps.push(step(
                "fetch-result",
                format!("fetch and show {result}"),
                Vec::new(),
            ));
        }
        steps
    }
    fn enter_step(&self) -> StepPlan {
        let name = &self.cluster.cluster.name;
        let (key, made) = match &self.ssh.identity {
            IdentityPlan::Ephemeral => (
                format!("a new key that is valid for {}", self.ssh.key_ttl),
                vec![format!(
                    "a key in the OS Login profile or the metadata of {name}-m, taken out at the end"
                )],
            ),
            IdentityPlan::File(path) => (format!("the key {path}"), Vec::new()),
            IdentityPlan::Agent => ("the SSH agent's key".to_owned(), Vec::new()),
        };
        let title = format!("enter its master as {} with {key}", self.ssh.user);
        StepPlan {
            id: "enter",
            title,
            makes: made,
        }
    }

    /// What a submission leaves in YARN and in Dataproc's list of jobs.
    fn submission(&self) -> Vec<String> {
        let tag = &self.job.tag;
        let yarn = match &self.job.session {
            None => format!("a YARN application with the tag {tag}-1"),
            Some(session) => format!(
                "a Flink job in the session {0}, and the session itself (a YARN application with the tag {1}) where there is none",
                session.name, session.tag
            ),
        };
        let listed = methods::find(&self.job.method).is_some_and(|facts| facts.dataproc_job);
        let job = listed.then(|| format!("a Dataproc job flinkproc-{}-1", self.deployment));
        job.into_iter().chain([yarn]).collect()
    }
}
