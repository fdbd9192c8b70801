//! What changes for a deployment on another image.

use std::collections::BTreeMap;

use flinkproc_core::{ImageVersion, YarnMode};
use flinkproc_flink_cli::diagnosis::{Severity, diagnose};
use serde::Serialize;

/// What has to be known of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deployment {
    /// The mode that the spec names; `None` where it leaves it to the image.
    pub mode: Option<YarnMode>,
    /// The submission method.
    pub method: String,
    /// Whether the job runs Python functions.
    pub python_functions: bool,
    /// Flink configuration of the job.
    pub flink_config: BTreeMap<String, String>,
    /// Free-form arguments of `flink run`.
    pub flink_args: Vec<String>,
    /// Cluster properties, with their prefix.
    pub properties: BTreeMap<String, String>,
    /// Jars, by their names.
    pub jars: Vec<String>,
    /// Archives, by their names.
    pub archives: Vec<String>,
    /// The state that the job starts from.
    pub restore: Option<String>,
}

/// One thing that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is about, such as `mode` or `python`.
    pub about: &'static str,
    /// `error`: the deployment fails as it is; `warning`: something has to be looked at; `note`: flinkproc sees to it, or nothing
    /// has to be done.
    pub severity: &'static str,
    /// What changes.
    pub what: String,
    /// What to do.
    pub help: String,
}

/// The end of Google's support, and the last day on which a cluster can be made of an image line.
const SUPPORT: [(&str, &str, &str); 5] = [
    ("2.0", "2026-02-24", "2026-08-25"),
    ("2.1", "2026-03-31", "2026-12-31"),
    ("2.2", "2027-03-31", "2027-12-31"),
    ("2.3", "2027-06-09", "2029-06-09"),
    ("3.0", "2028-07-15", "2030-07-15"),
];

/// Says what changes from one image to the other.
///
/// ```
/// use flinkproc_check::{Deployment, migrate};
///
/// let changes = migrate(&Deployment::default(), &"2.2".parse()?, &"3.0".parse()?);
/// assert!(changes.iter().any(|change| change.about == "mode"));
/// # Ok::<(), flinkproc_core::image::UnknownVersion>(())
/// ```
#[must_use]
pub fn migrate(deployment: &Deployment, from: &ImageVersion, to: &ImageVersion) -> Vec<Change> {
    let mut report = Report {
        deployment,
        from,
        to,
        changes: Vec::new(),
    };
    report.versions();
    report.mode();
    report.python();
    report.configuration();
    report.arguments();
    report.files();
    report.components();
    report.support();
    report.changes
}

struct Report<'d> {
    deployment: &'d Deployment,
    from: &'d ImageVersion,
    to: &'d ImageVersion,
    changes: Vec<Change>,
}

impl Report<'_> {
    fn say(
        &mut self,
        about: &'static str,
        severity: &'static str,
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        let (what, help) = (what.into(), help.into());
        self.changes.push(Change {
            about,
            severity,
            what,
            help,
        });
    }

    /// Whether the step from Flink 1 to Flink 2 is taken.
    fn to_2(&self) -> bool {
        self.to.flink().is_2() && !self.from.flink().is_2()
    }

    fn versions(&mut self) {
        let (old, new) = (self.from.flink(), self.to.flink());
        if old.minor() == new.minor() {
            return;
        }
        self.say(
            "flink",
            "note",
            format!("Flink {old} becomes {new}"),
            "test the job on it: `deploy --sandbox --image` runs the nearest Flink here",
        );
        if self.to_2() {
            self.say(
                "flink",
                "warning",
                "Flink 2.0 removed the DataSet API and the old sources and sinks (SourceFunction, SinkFunction, FlinkKafkaConsumer, FlinkKafkaProducer)",
                "use the Table API or the DataStream API with the newer sources and sinks",
            );
        }
        if self.deployment.restore.is_some() {
            let (severity, help) = if self.to_2() {
                (
                    "error",
                    "Flink does not promise that 2.x reads the state of 1.x: let the job start anew, or try the savepoint first",
                )
            } else {
                (
                    "note",
                    "take a canonical savepoint on the old image and restore from that",
                )
            };
            self.say(
                "state",
                severity,
                "the job restores state that an older Flink wrote",
                help,
            );
        }
    }

    fn mode(&mut self) {
        let (old, new) = (self.from.flink(), self.to.flink());
        let named = self.deployment.mode;
        let before = named.unwrap_or_else(|| old.default_mode());
        let after = named.unwrap_or_else(|| new.default_mode());
        if !new.supports(after) {
            self.say("mode", "error", format!("per-job mode was removed in Flink 2.0, and Flink {new} fails with `No ExecutorFactory found`"), "write `mode = \"application\"` in [job], or leave the mode to the image");
        } else if before != after {
            self.say(
                "mode",
                "warning",
                format!("the mode becomes {after} instead of {before}: `main()` runs on a worker, not on the master"),
                "flinkproc ships the job's files there; a program that reads other files of the master has to bring them",
            );
        } else if after == YarnMode::PerJob && new.minor() >= (1, 15) && old.minor() < (1, 15) {
            self.say(
                "mode",
                "note",
                "per-job mode is deprecated from Flink 1.15 on",
                "it works until Flink 2.0",
            );
        }
        if self.to_2() && (before == YarnMode::Application || after == YarnMode::Application) {
            self.say(
                "command",
                "note",
                "`flink run-application` becomes `flink run -t yarn-application`",
                "flinkproc writes the one that the image knows",
            );
        }
        if self.deployment.method == "native" && self.to_2() {
            self.say("method", "error", "what a native Flink job does on this image is not confirmed: Dataproc ran these in per-job mode, which is gone", "choose another method");
        }
    }

    fn python(&mut self) {
        let (old, new) = (self.from.python(), self.to.python());
        if old != new {
            self.say(
                "python",
                "note",
                format!("Python {old} becomes {new}"),
                "packages with compiled parts have to be of the new version",
            );
        }
        let (low, high) = self.to.flink().python_wheels();
        let flink = self.to.flink();
        match (self.from.python_fits(), self.to.python_fits()) {
            (_, false) if self.deployment.python_functions => self.say(
                "python",
                "warning",
                format!("apache-flink {flink} has wheels for Python {low} to {high}; the image brings {new}"),
                "flinkproc ships a Python that fits; `python_functions = false` for a job without Python functions",
            ),
            (false, true) => self.say(
                "python",
                "note",
                format!("the image's own Python {new} can have apache-flink {flink}: nothing has to be shipped for it"),
                "`environment = \"image\"` in [python] uses it; whether the image has it installed is not confirmed",
            ),
            _ => {}
        }
        if old != new && !self.deployment.archives.is_empty() {
            self.say(
                "python",
                "warning",
                format!(
                    "{} may hold an interpreter or packages for Python {old}",
                    self.deployment.archives.join(", ")
                ),
                "make it again for the new version",
            );
        }
        let java = (self.from.java(), self.to.java());
        if java.0 != java.1 {
            self.say("java", "note", format!("Java {} becomes {}", java.0, java.1), "jars that were built for an older Java run on a newer one; not the other way round");
        }
    }

    fn configuration(&mut self) {
        if self.to_2() {
            let flink = self
                .deployment
                .properties
                .keys()
                .filter(|key| key.starts_with("flink:"))
                .count();
            if flink > 0 {
                self.say(
                    "configuration",
                    "warning",
                    format!("Flink 2 reads config.yaml alone; what becomes of cluster properties with the prefix `flink:` ({flink} here) is not confirmed"),
                    "put them into [job.flink_config], which goes with the job",
                );
            } else {
                self.say(
                    "configuration",
                    "note",
                    "flink-conf.yaml becomes config.yaml",
                    "initialization actions that write the old file have to write the new one",
                );
            }
        }
        let (old, new) = (self.from.flink().minor(), self.to.flink().minor());
        let renamed: Vec<(String, &str)> = self
            .deployment
            .flink_config
            .keys()
            .filter_map(|key| {
                let (_, to, since) = RENAMED.iter().find(|(from, ..)| from == key)?;
                (old < *since && new >= *since).then(|| (key.clone(), *to))
            })
            .collect();
        for (key, to) in renamed {
            let what =
                format!("`{key}` has another name; the old one is deprecated and still read");
            self.say("configuration", "note", what, format!("write `{to}`"));
        }
    }

    fn arguments(&mut self) {
        if self.deployment.flink_args.is_empty() {
            return;
        }
        let mut line = vec![
            "flink".to_owned(),
            "run".to_owned(),
            "-t".to_owned(),
            "yarn-session".to_owned(),
            "-Dyarn.application.id=application_1_1".to_owned(),
        ];
        line.extend(self.deployment.flink_args.iter().cloned());
        line.extend(["-py".to_owned(), "job.py".to_owned()]);
        let before = diagnose(self.from.flink(), &line);
        for finding in diagnose(self.to.flink(), &line).findings {
            let new = before
                .findings
                .iter()
                .all(|known| known.rule != finding.rule || known.words != finding.words);
            if new && finding.severity() > Severity::Note {
                self.say(
                    "options",
                    "error",
                    format!("job.flink_args: {}", finding.happens),
                    finding.help,
                );
            }
        }
    }

    fn files(&mut self) {
        let (old, new) = (self.from.flink(), self.to.flink());
        if old.minor() == new.minor() || self.deployment.jars.is_empty() {
            return;
        }
        let (major, minor) = old.minor();
        let named = format!("{major}.{minor}");
        for jar in &self.deployment.jars {
            let (severity, what) = if jar.contains(&named) {
                ("error", format!("`{jar}` is a connector for Flink {named}"))
            } else {
                (
                    "warning",
                    format!("`{jar}` was built against Flink {old}, if it is a connector"),
                )
            };
            self.say("connectors", severity, what, format!("take the one for Flink {new}; `packages` in [job] resolves connectors for the image"));
        }
    }

    fn components(&mut self) {
        if self.to.installs_components_at_create() && !self.from.installs_components_at_create() {
            let more = if self.deployment.method == "pig" {
                " (and PIG, which flinkproc adds)"
            } else {
                ""
            };
            self.say(
                "components",
                "note",
                format!("FLINK{more} is installed while the cluster is made, not before: that takes longer, and Google's package sources have to be reachable"),
                "look at `watch.deadline`, and at the network where machines have no external address",
            );
        }
    }

    fn support(&mut self) {
        for (image, name) in [(self.from, "the present image"), (self.to, "the new image")] {
            if let Some((line, support, selectable)) =
                SUPPORT.iter().find(|(line, ..)| *line == image.line())
            {
                self.say("support", "note", format!("{name} {line} is supported until {support}, and can be chosen until {selectable}"), "dates as Google gave them in 2026");
            }
        }
    }
}

/// Keys that got another name: the old one, the new one, since when. Flink 2.2 still reads the old ones.
const RENAMED: [(&str, &str, (u8, u8)); 8] = [
    (
        "execution.savepoint.path",
        "execution.state-recovery.path",
        (1, 20),
    ),
    (
        "execution.savepoint.ignore-unclaimed-state",
        "execution.state-recovery.ignore-unclaimed-state",
        (1, 20),
    ),
    (
        "execution.savepoint-restore-mode",
        "execution.state-recovery.claim-mode",
        (1, 20),
    ),
    (
        "state.checkpoints.dir",
        "execution.checkpointing.dir",
        (1, 20),
    ),
    (
        "state.savepoints.dir",
        "execution.checkpointing.savepoint-dir",
        (1, 20),
    ),
    (
        "state.checkpoints.num-retained",
        "execution.checkpointing.num-retained",
        (1, 20),
    ),
    (
        "state.backend.incremental",
        "execution.checkpointing.incremental",
        (1, 20),
    ),
    (
        "state.backend.local-recovery",
        "execution.checkpointing.local-backup.enabled",
        (1, 20),
    ),
];

#[cfg(test)]
mod tests;
