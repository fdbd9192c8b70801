//! gcloud's commands and flags: which there are, and what was meant by those that there are not.
//!
//! The table is generated from an installed gcloud, hidden flags included; a test compares them where that gcloud is present.

use std::collections::BTreeSet;
use std::sync::LazyLock;

const TABLE: &str = include_str!("gcloud/commands.txt");

/// A flag, and whether a value follows.
type Flag = (&'static str, bool);

/// A command of gcloud.
#[derive(Debug)]
pub struct GcloudCommand {
    /// Its words behind `gcloud`.
    pub path: Vec<&'static str>,
    /// Its flags, and whether a value follows.
    flags: Vec<Flag>,
}

/// The commands, and the flags that all have.
static COMMANDS: LazyLock<(Vec<GcloudCommand>, Vec<Flag>)> = LazyLock::new(|| {
    let flag = |word: &'static str| (word.trim_end_matches(['=', '?']), word.ends_with('='));
    let flags = |text: &'static str| text.split_whitespace().map(flag).collect::<Vec<_>>();
    let mut everywhere = Vec::new();
    let mut commands = Vec::new();
    for line in TABLE.lines() {
        let Some((head, rest)) = line.split_once(':') else {
            continue;
        };
        if head == "everywhere" {
            everywhere = flags(rest);
        } else {
            let path = head.split('(').next().unwrap_or(head);
            commands.push(GcloudCommand {
                path: path.split_whitespace().collect(),
                flags: flags(rest),
            });
        }
    }
    (commands, everywhere)
});

/// What a line asks of gcloud.
#[derive(Debug)]
pub enum Asked {
    /// A command of the table, and how many words name it, `gcloud` included.
    Command(&'static GcloudCommand, usize),
    /// Something that is not in the table although what stands before it is; the word's index.
    Unknown(usize),
    /// Another part of gcloud, which the table does not hold.
    Elsewhere,
}

/// Finds the command of a line that begins with `gcloud`.
#[must_use]
pub fn command(words: &[String]) -> Asked {
    let mut path: Vec<(usize, &str)> = Vec::new();
    for (index, word) in words.iter().enumerate().skip(1) {
        if word.starts_with('-') {
            break;
        }
        if !matches!(word.as_str(), "alpha" | "beta" | "preview") {
            path.push((index, word));
        }
    }
    let mut best = 0;
    for known in &COMMANDS.0 {
        let same = known
            .path
            .iter()
            .zip(&path)
            .take_while(|(own, (_, word))| *own == word)
            .count();
        if same == known.path.len() {
            let named = path.get(same - 1).map_or(1, |(index, _)| index + 1);
            return Asked::Command(known, named);
        }
        best = best.max(same);
    }
    // Only where a whole group is in the table.
    let whole = matches!(path.first(), Some((_, "dataproc")))
        && matches!(path.get(1), Some((_, "clusters" | "jobs")));
    match path.get(best) {
        Some((index, word)) if whole && best >= 2 && !word.contains('$') => Asked::Unknown(*index),
        _ => Asked::Elsewhere,
    }
}

impl GcloudCommand {
    /// Whether it is this one, such as `dataproc clusters create`.
    #[must_use]
    pub fn is(&self, path: &str) -> bool {
        self.path.join(" ") == path
    }

    /// Whether the flag exists, and whether a value follows it.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        let mut all = self.flags.iter().chain(&COMMANDS.1);
        all.find(|(own, _)| *own == name).map(|(_, value)| *value)
    }

    /// What was meant by a flag that does not exist: its replacement, if any, and words on it.
    #[must_use]
    pub fn meant(&self, name: &str, value: Option<&str>) -> (Option<String>, String) {
        let with =
            |flag: &str| value.map_or_else(|| flag.to_owned(), |value| format!("{flag}={value}"));
        let create = self.is("dataproc clusters create");
        let policy = "a policy of its own says how many workers there may be: make one with `gcloud dataproc autoscaling-policies import`";
        match name {
            "--enable-autoscaling" | "--autoscaling" if create => (Some("--autoscaling-policy=POLICY_ID".to_owned()), policy.to_owned()),
            "--max-workers" | "--min-workers" if create => (Some("--autoscaling-policy=POLICY_ID".to_owned()), policy.to_owned()),
            "--secondary-workers" | "--preemptible-workers" if create => {
                (Some(with("--num-secondary-workers")), "the number of secondary workers is `--num-secondary-workers`".to_owned())
            }
            "--preemptible" | "--spot" if create => (
                Some("--secondary-worker-type=spot".to_owned()),
                "only secondary workers can be taken away again: `--num-secondary-workers=N --secondary-worker-type=spot`".to_owned(),
            ),
            "--workers" if create => (Some(with("--num-workers")), "write `--num-workers`".to_owned()),
            "--machine-type" if create => (Some(with("--worker-machine-type")), "write `--worker-machine-type`, and `--master-machine-type` for the master".to_owned()),
            "--components" if create => (Some(with("--optional-components")), "write `--optional-components`".to_owned()),
            "--init-actions" if create => (Some(with("--initialization-actions")), "write `--initialization-actions`".to_owned()),
            "--script" | "--query" if self.is("dataproc jobs submit pig") => (Some(with("--file")), "write `--file` for a script, `--execute` for text".to_owned()),
            name => match self.nearest(name) {
                Some(near) => (Some(with(near)), format!("write `{near}`")),
                None => (None, "leave it out".to_owned()),
            },
        }
    }

    fn nearest(&self, name: &str) -> Option<&'static str> {
        let all = self.flags.iter().chain(&COMMANDS.1).map(|(own, _)| *own);
        let scored = all.map(|own| (strsim::jaro_winkler(own, name), own));
        let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
        (best.0 > 0.9).then_some(best.1)
    }
}

/// The newer name of a flag that still works.
#[must_use]
pub fn newer(name: &str) -> Option<&'static str> {
    Some(match name {
        "--max-idle" => "--delete-max-idle",
        "--max-age" => "--delete-max-age",
        "--expiration-time" => "--delete-expiration-time",
        "--num-preemptible-workers" => "--num-secondary-workers",
        "--preemptible-worker-boot-disk-size" => "--secondary-worker-boot-disk-size",
        "--preemptible-worker-boot-disk-type" => "--secondary-worker-boot-disk-type",
        "--num-preemptible-worker-local-ssds" => "--num-secondary-worker-local-ssds",
        _ => return None,
    })
}

/// The names of all commands, to be compared.
#[must_use]
pub fn paths() -> BTreeSet<String> {
    COMMANDS
        .0
        .iter()
        .map(|command| command.path.join(" "))
        .collect()
}

#[cfg(test)]
mod tests;
