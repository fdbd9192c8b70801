//! A plan as text for people: the same plan gives the same text, without colours.

use std::fmt::Write as _;

use crate::methods;
use crate::plan::{
    ClaimMode, OnFailure, OnInterrupt, Plan, PythonPlan, RestorePlan, SessionLifetime, SessionPlan,
};

/// How many of the things that a step makes are shown; `--output json` has all.
const SHOWN: usize = 4;

impl Plan {
    /// What is going to happen, which values nobody wrote, and what the user should know. Equivalent commands are not in it:
    /// they need quoting ([`Plan::equivalents`]).
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.render_into(&mut text);
        text
    }

    fn render_into(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "Deployment {} of {}", self.deployment, self.spec.path)?;
        if let Some(key) = &self.run_key {
            writeln!(out, "Run key    {key}")?;
        }
        writeln!(out, "\nSteps")?;
        for (number, step) in self.steps().iter().enumerate() {
            writeln!(out, "  {:>2}. {:<15} {}", number + 1, step.id, step.title)?;
            for made in step.makes.iter().take(SHOWN) {
                writeln!(out, "      {:<15}   makes {made}", "")?;
            }
            if let more @ 1.. = step.makes.len().saturating_sub(SHOWN) {
                writeln!(out, "      {:<15}   … and {more} more", "")?;
            }
        }
        let cluster = &self.cluster;
        writeln!(out, "\nCluster")?;
        let mut row = |name: &str, value: &str| writeln!(out, "  {name:<14} {value}");
        row("name", &cluster.cluster.to_string())?;
        row(
            "zone",
            cluster
                .zone
                .as_ref()
                .map_or("chosen by Dataproc", |zone| zone.as_str()),
        )?;
        let image = match &cluster.requested_image {
            None => cluster.image.to_string(),
            Some(requested) => format!("{} (the spec names {requested})", cluster.image),
        };
        row("image", &image)?;
        row("Flink", &self.job.flink.to_string())?;
        if cluster.ours {
            for (name, pointer) in [
                ("workers", "/config/workerConfig/numInstances"),
                ("secondary", "/config/secondaryWorkerConfig/numInstances"),
            ] {
                if let Some(count) = cluster.resource.pointer(pointer) {
                    row(name, &count.to_string())?;
                }
            }
            let end = match self.watch.on_failure {
                OnFailure::Delete => "deleted by flinkproc when the run ends, however it ends",
                OnFailure::Keep => "deleted by flinkproc when the run ends, kept if the job fails",
            };
            row("end", end)?;
            let net = format!(
                "Dataproc deletes it after {} without work, and at the age of {}",
                cluster.max_idle, cluster.max_age
            );
            row("safety net", &net)?;
        } else {
            row("end", "it was there before and is never deleted")?;
        }
        row(
            "on Ctrl-C",
            match self.watch.on_interrupt {
                OnInterrupt::Delete => "the job is cancelled and what was made is deleted",
                OnInterrupt::Detach => {
                    "everything goes on; `flinkproc deploy --resume` attaches again"
                }
            },
        )?;
        writeln!(out, "\nJob")?;
        let mut row = |name: &str, value: &str| writeln!(out, "  {name:<14} {value}");
        row("name", &self.job.name)?;
        row("mode", &self.job.mode.to_string())?;
        row("method", &self.method_line())?;
        row("Python", &self.python_line())?;
        if let Some(session) = &self.job.session {
            row("session", &session_line(session))?;
            for (key, value) in &session.flink_config {
                row("session's", &format!("{key} = {value}"))?;
            }
        }
        if let Some(restore) = &self.job.restore {
            row("starts from", &restore_line(restore))?;
        }
        for file in self.job.files.iter().take(SHOWN) {
            row("file", &format!("{} from {}", file.name, file.from))?;
        }
        if let more @ 1.. = self.job.files.len().saturating_sub(SHOWN) {
            row("", &format!("… and {more} more"))?;
        }
        for arg in &self.job.args {
            row("argument", &format!("{:?}", arg.as_str()))?;
        }
        for (name, value) in &self.job.env {
            row("variable", &format!("{name} = {value}"))?;
        }
        for (name, secret) in &self.job.secrets {
            row("secret", &format!("{name} from {secret}"))?;
        }
        for url in &self.job.classpaths {
            row("classpath", url)?;
        }
        for name in &self.job.unresolved {
            row("connector", &format!("{name}, not resolved yet"))?;
        }
        if let Some(parallelism) = self.job.parallelism {
            row("parallelism", &parallelism.to_string())?;
        }
        for (key, value) in &self.job.flink_config {
            row("configuration", &format!("{key} = {value}"))?;
        }
        if !self.defaults.is_empty() {
            writeln!(out, "\nTaken without being written")?;
            let width = self.defaults.iter().map(|taken| taken.key.len()).max();
            let width = width.unwrap_or_default();
            for taken in &self.defaults {
                writeln!(
                    out,
                    "  {:<width$} = {} ({})",
                    taken.key, taken.value, taken.source
                )?;
            }
        }
        if !self.warnings.is_empty() {
            writeln!(out, "\nWarnings")?;
            for warning in &self.warnings {
                writeln!(out, "  - {warning}")?;
            }
        }
        Ok(())
    }
    fn method_line(&self) -> String {
        let facts = methods::find(&self.job.method);
        let listed = facts.is_some_and(|facts| facts.dataproc_job);
        let how = if listed { " (a Dataproc job)" } else { "" };
        format!("{}{how}", self.job.method)
    }

    fn python_line(&self) -> String {
        match (&self.job.python, &self.staging.environment) {
            (PythonPlan::Image, _) => "the image's own".to_owned(),
            (PythonPlan::OnCluster(path), _) => format!("{path} on every machine"),
            (PythonPlan::Shipped, None) => "shipped with the job".to_owned(),
            (PythonPlan::Shipped, Some(environment)) => format!(
                "{} with apache-flink {}, shipped with the job (builder {})",
                environment.python, environment.flink, environment.builder
            ),
        }
    }
}

fn session_line(session: &SessionPlan) -> String {
    let after = match session.lifetime {
        SessionLifetime::Deployment => "ends with the job if it is started for it",
        SessionLifetime::Keep => "stays after the job",
    };
    format!("{}, which {after}", session.name)
}

fn restore_line(restore: &RestorePlan) -> String {
    let owner = match restore.claim {
        None => "",
        Some(ClaimMode::Claim) => ", which the job then owns",
        Some(ClaimMode::NoClaim) => ", which stays yours",
        Some(ClaimMode::Legacy) => ", which stays yours and has to be kept while the job runs",
    };
    let lost = if restore.allow_non_restored {
        "; state that no operator takes is dropped"
    } else {
        ""
    };
    format!("{}{owner}{lost}", restore.from)
}
