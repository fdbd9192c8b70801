//! Every submission method in every mode, in one sandbox: until a Python function sees its first record, and what that takes
//! of the master's memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::bench::events::{Events, seconds};
use crate::bench::figures::{Figures, median, rounded};
use crate::bench::master::Watch;
use crate::bench::sandbox::now;
use crate::bench::workplace::{Workplace, text};
use crate::cargo::{program, root, say};

const NAME: &str = "bench";
const IMAGE: &str = "sandbox-1.20";
const MODES: [&str; 3] = ["per-job", "session", "application"];
const METHODS: [&str; 5] = ["ssh", "pig", "pyspark", "hadoop", "native"];
const JOB: &str = include_str!("first_record.py");
/// Where plans read the figures.
const KEPT: &str = "crates/flinkproc-plan/src/methods/measured.json";

/// The figures of one method in one mode.
#[derive(Clone, Copy, Debug, Serialize)]
struct Measured {
    first_record_s: f64,
    peak_master_mb: f64,
}

/// Measures all, writes the figures down for plans to show, and the table.
pub(crate) fn measure(
    workplace: &Workplace,
    runs: usize,
    figures: &mut Figures,
) -> Result<(), String> {
    say("\nEvery method in every mode, in one sandbox");
    let sandbox = Sandbox::start(workplace)?;
    // The first one waits for what is not cached yet.
    sandbox.bare()?;
    let bare = medians(runs, || sandbox.bare())?;
    figures.note("per-job, `flink run` alone", shown(bare));
    let mut kept: BTreeMap<&str, BTreeMap<&str, Measured>> = BTreeMap::new();
    for mode in MODES {
        for method in METHODS {
            // Dataproc's own Flink jobs go into no session of ours.
            if (mode, method) == ("session", "native") {
                continue;
            }
            let what = format!("{mode}, {method}");
            match medians(runs, || sandbox.deploy(mode, method)) {
                Ok(one) => {
                    figures.note(&what, shown(one));
                    kept.entry(mode).or_default().insert(method, one);
                }
                Err(problem) => figures.note(&what, format!("failed: {problem}")),
            }
        }
    }
    if let Some(ssh) = kept.get("per-job").and_then(|methods| methods.get("ssh")) {
        let added = ssh.first_record_s - bare.first_record_s;
        figures.at_most("per-job, what ssh adds to `flink run`", 1.5, added, " s");
    }
    let mut lines = serde_json::to_string_pretty(&kept).map_err(text)?;
    lines.push('\n');
    fs::write(root().join(KEPT), lines).map_err(text)
}

fn medians(runs: usize, run: impl Fn() -> Result<Measured, String>) -> Result<Measured, String> {
    let all: Vec<Measured> = (0..runs).map(|_| run()).collect::<Result<_, _>>()?;
    let one_digit = |value: f64| (value * 10.0).round() / 10.0;
    let first_record_s = median(all.iter().map(|one| one.first_record_s));
    let peak_master_mb = median(all.iter().map(|one| one.peak_master_mb));
    Ok(Measured {
        first_record_s: one_digit(first_record_s),
        peak_master_mb: peak_master_mb.round(),
    })
}

fn shown(one: Measured) -> String {
    let (first, peak) = (rounded(one.first_record_s), rounded(one.peak_master_mb));
    format!("{first} s to the first record, {peak} MB on the master")
}

/// A running sandbox with one cluster; ended when dropped.
struct Sandbox<'a> {
    workplace: &'a Workplace,
    variables: BTreeMap<String, String>,
    /// The cluster's own folder.
    cluster: PathBuf,
}

impl Drop for Sandbox<'_> {
    fn drop(&mut self) {
        if let Err(problem) = self.call(&["sandbox", "down", "--name", NAME]) {
            say(&format!("the sandbox could not be ended: {problem}"));
        }
    }
}

impl<'a> Sandbox<'a> {
    fn start(workplace: &'a Workplace) -> Result<Self, String> {
        let mut sandbox = Self {
            workplace,
            variables: BTreeMap::new(),
            cluster: PathBuf::new(),
        };
        sandbox.call(&["sandbox", "up", "--name", NAME])?;
        let said = sandbox.call(&["sandbox", "vars", "--name", NAME, "--format", "json"])?;
        sandbox.variables = serde_json::from_str(&said).map_err(text)?;
        sandbox.make_cluster()?;
        sandbox.cluster = find(&workplace.path().join("state"), &format!("{NAME}-"))
            .ok_or("the cluster has no folder")?;
        workplace.write("job/first_record.py", JOB)?;
        Ok(sandbox)
    }

    fn flinkproc(&self, arguments: &[&str]) -> Command {
        let mut command = program(self.workplace.binary("flinkproc"));
        command
            .args(arguments)
            .env("FLINKPROC_STATE", self.workplace.path().join("state"));
        command
    }

    fn call(&self, arguments: &[&str]) -> Result<String, String> {
        said(&mut self.flinkproc(arguments))
    }

    fn variable(&self, name: &str) -> Result<&str, String> {
        let found = self.variables.get(name).map(String::as_str);
        found.ok_or_else(|| format!("the sandbox does not say {name}"))
    }

    fn make_cluster(&self) -> Result<(), String> {
        let clusters = format!(
            "{}/v1/projects/{}/regions/{}/clusters",
            self.variable("FLINKPROC_DATAPROC_ENDPOINT")?,
            self.variable("FLINKPROC_PROJECT")?,
            self.variable("FLINKPROC_REGION")?,
        );
        let body = json!({
            "clusterName": NAME,
            "config": {
                "workerConfig": {"numInstances": 2},
                "softwareConfig": {"imageVersion": IMAGE, "optionalComponents": ["FLINK", "PIG"]},
            },
        });
        get(&["--json", &body.to_string(), &clusters])?;
        // So long as a person would wait.
        for _ in 0..600 {
            let cluster = get(&["--retry", "0", &format!("{clusters}/{NAME}")])?;
            let cluster: Value = serde_json::from_str(&cluster).map_err(text)?;
            match cluster.pointer("/status/state").and_then(Value::as_str) {
                Some("RUNNING") => return Ok(()),
                Some("CREATING") => said(program("sleep").arg("0.2"))?,
                _ => return Err(format!("the cluster is not made: {cluster}")),
            };
        }
        Err("the cluster is not made in time".to_owned())
    }

    /// What a person would type on the master.
    fn bare(&self) -> Result<Measured, String> {
        let bucket = self.variable("FLINKPROC_BUCKET")?;
        let folder = format!("bare-{}", now().as_millisecond());
        let sshd = fs::read_to_string(self.cluster.join("ssh/sshd_config")).map_err(text)?;
        let mut command = program(self.cluster.join("bin/flink"));
        command.env_clear().envs(login(&sshd));
        let classpath = said(
            program(self.cluster.join("bin/hadoop"))
                .env_clear()
                .envs(login(&sshd))
                .arg("classpath"),
        )?;
        command
            .env("HADOOP_CLASSPATH", classpath.trim())
            .args(["run", "-t", "yarn-per-job", "-py"])
            .arg(self.workplace.path().join("job/first_record.py"))
            .arg(format!("gs://{bucket}/{folder}"));
        let watch = Watch::start(&self.cluster);
        let submitted = now();
        said(&mut command)?;
        let peak_master_mb = watch.peak()?;
        let storage = self.variable("FLINKPROC_STORAGE_ENDPOINT")?;
        let list = format!("{storage}/storage/v1/b/{bucket}/o?prefix={folder}/");
        let list: Value = serde_json::from_str(&get(&[&list])?).map_err(text)?;
        let items = list.get("items").and_then(Value::as_array);
        let mut moments = Vec::new();
        for item in items.into_iter().flatten() {
            let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
            let name = name.replace('/', "%2F");
            let object = format!("{storage}/storage/v1/b/{bucket}/o/{name}?alt=media");
            moments.extend(moments_in(&get(&[&object])?));
        }
        Ok(Measured {
            first_record_s: since(submitted, moments)?,
            peak_master_mb,
        })
    }

    /// A deployment onto the cluster, by this method in this mode.
    fn deploy(&self, mode: &str, method: &str) -> Result<Measured, String> {
        let experimental = match method {
            "native" => "experimental = [\"native\"]\n",
            _ => "",
        };
        let spec = format!(
            "[job]\nname = \"first-record\"\nscript = \"first_record.py\"\nmode = \"{mode}\"\nmethod = \"{method}\"\n\
             {experimental}args = [\"${{staging}}/output\"]\nresult = \"${{staging}}/output/\"\n\
             [cluster]\nexisting = \"{NAME}\"\nimage = \"{IMAGE}\"\n[watch]\ndeadline = \"10m\"\n"
        );
        self.workplace.write("job/flinkproc.toml", &spec)?;
        let (folder, events) = (self.workplace.path().join("job"), self.workplace.events());
        let deployments = self.workplace.path().join("state/deployments");
        if deployments.exists() {
            fs::remove_dir_all(&deployments).map_err(text)?;
        }
        let mut command = self.flinkproc(&["deploy", &format!("--sandbox={NAME}"), "--events"]);
        let watch = Watch::start(&self.cluster);
        said(command.arg(&events).arg(&folder))?;
        let peak_master_mb = watch.peak()?;
        let submitted = Events::read(&events)?.started("submit")?;
        let mut moments = Vec::new();
        collect(&deployments, &mut moments);
        Ok(Measured {
            first_record_s: since(submitted, moments)?,
            peak_master_mb,
        })
    }
}

/// Runs a program to its end; what it said on standard output.
fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(text)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    // Not Java's traces: a Python program's own complaint stands before them.
    let lines = errors.lines().filter(|line| !line.starts_with("\tat "));
    let lines: Vec<&str> = lines.collect();
    let last = lines.get(lines.len().saturating_sub(20)..);
    Err(format!(
        "{}: {}",
        output.status,
        last.unwrap_or_default().join("\n")
    ))
}

/// What a server answers.
fn get(arguments: &[&str]) -> Result<String, String> {
    said(
        program("curl")
            .args(["--silent", "--show-error", "--fail"])
            .args(arguments),
    )
}

/// The environment of a login, from the one line in which OpenSSH's server is told of it.
fn login(config: &str) -> Vec<(String, String)> {
    let line = config.lines().find_map(|line| line.strip_prefix("SetEnv "));
    let pairs = line.unwrap_or_default().trim_matches('"').split("\" \"");
    pairs
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The folder below that one whose name starts so, in a folder `clusters`.
fn find(folder: &Path, start: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    let is_it = |path: &&PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy());
        folder.ends_with("clusters") && name.is_some_and(|name| name.starts_with(start))
    };
    let here = folders.iter().find(is_it).cloned();
    here.or_else(|| folders.iter().find_map(|path| find(path, start)))
}

/// What lies in files of results below a folder.
fn collect(folder: &Path, moments: &mut Vec<f64>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, moments);
        } else if path.components().any(|part| part.as_os_str() == "result") {
            moments.extend(moments_in(&fs::read_to_string(path).unwrap_or_default()));
        }
    }
}

fn moments_in(text: &str) -> Vec<f64> {
    text.lines()
        .filter_map(|line| line.trim().parse().ok())
        .collect()
}

/// Seconds to the first of these moments, which are seconds since 1970.
fn since(submitted: Timestamp, moments: Vec<f64>) -> Result<f64, String> {
    let first = moments.into_iter().reduce(f64::min);
    let first = first.ok_or("the job wrote no moment")?;
    let first = Timestamp::from_microsecond((first * 1e6) as i64).map_err(text)?;
    Ok(seconds(submitted, first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_read_from_the_servers_configuration() {
        let config = "HostKey k\nSetEnv \"PATH=/a b:/c\" \"HOME=/h\" \"X=a=b\"\n";
        let expected = [("PATH", "/a b:/c"), ("HOME", "/h"), ("X", "a=b")];
        assert_eq!(
            login(config),
            expected.map(|(n, v)| (n.to_owned(), v.to_owned()))
        );
    }

    #[test]
    fn the_first_moment_counts() {
        let submitted: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        let at = submitted.as_second() as f64;
        let moments = moments_in(&format!("{}\n\nno moment\n{}\n", at + 9.5, at + 2.5));
        assert_eq!(since(submitted, moments), Ok(2.5));
        assert!(since(submitted, Vec::new()).is_err());
    }

    #[test]
    fn the_clusters_folder_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in [
            "sandbox/1/clusters/other-1",
            "sandbox/1/clusters/bench-2",
            "bench-3",
        ] {
            fs::create_dir_all(folder.path().join(name)).expect("made");
        }
        let found = find(folder.path(), "bench-");
        assert_eq!(
            found,
            Some(folder.path().join("sandbox/1/clusters/bench-2"))
        );
    }
}
