//! A plan as text for people: the same plan gives the same text, without colours.

use std::fmt::Write as _;

use crate::plan::{OnFailure, OnInterrupt, Plan};

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
        for file in self.job.files.iter().take(SHOWN) {
            row("file", &format!("{} from {}", file.name, file.from))?;
        }
        if let more @ 1.. = self.job.files.len().saturating_sub(SHOWN) {
            row("", &format!("… and {more} more"))?;
        }
        for arg in &self.job.args {
            row("argument", &format!("{:?}", arg.as_str()))?;
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
}
