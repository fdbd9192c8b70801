//! What a process tree costs: wall time, CPU time and the largest process's memory.
//!
//! The kernel counts these for *all* children of a process together, so each measurement is made by a process of its own,
//! which is this program started again as `xtask measure`.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use clap::Args;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::{Deserialize, Serialize};

use crate::bench::figures::{median, rounded};
use crate::cargo::program;

/// Runs a program and writes down what it cost; what `bench` starts for each measurement.
#[derive(Args)]
pub(crate) struct Measured {
    /// Where to write it.
    #[arg(long)]
    cost: PathBuf,
    /// Where the program's output goes.
    #[arg(long)]
    log: PathBuf,
    /// The program and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    line: Vec<OsString>,
}

/// The cost of one process and of every descendant that was waited for.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// From its start to its end, in seconds.
    pub(crate) wall: f64,
    /// In user and kernel mode, in seconds.
    pub(crate) cpu: f64,
    /// The largest resident set of any one of them, in MB.
    pub(crate) memory: f64,
}

impl Cost {
    /// The cost of this and then that.
    pub(crate) fn then(self, next: Self) -> Self {
        Self {
            wall: self.wall + next.wall,
            cpu: self.cpu + next.cpu,
            memory: self.memory.max(next.memory),
        }
    }

    /// The median of each.
    pub(crate) fn median<'a>(costs: impl Iterator<Item = &'a Self> + Clone) -> Self {
        Self {
            wall: median(costs.clone().map(|cost| cost.wall)),
            cpu: median(costs.clone().map(|cost| cost.cpu)),
            memory: median(costs.map(|cost| cost.memory)),
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (wall, cpu, memory) = (self.wall, self.cpu, self.memory);
        let (wall, cpu, memory) = (rounded(wall), rounded(cpu), rounded(memory));
        write!(f, "{wall} s wall, {cpu} s CPU, {memory} MB")
    }
}

/// The measuring process: runs the program, waits, and writes its cost.
pub(crate) fn measured(wish: &Measured) -> Result<(), String> {
    let (name, arguments) = wish.line.split_first().ok_or("no program")?;
    let told = |what: &Path| format!("{}: ", what.display());
    let log = File::create(&wish.log).map_err(|error| told(&wish.log) + &error.to_string())?;
    let errors = log.try_clone().map_err(|error| error.to_string())?;
    let mut command = program(name);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors);
    let started = Instant::now();
    let status = command
        .status()
        .map_err(|error| told(Path::new(name)) + &error.to_string())?;
    let wall = started.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("ended with {status}"));
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
    let cost = Cost {
        wall,
        cpu: seconds(usage.user_time()) + seconds(usage.system_time()),
        // Linux counts KiB.
        memory: usage.max_rss() as f64 * 1024.0 / 1e6,
    };
    let text = serde_json::to_string(&cost).map_err(|error| error.to_string())?;
    std::fs::write(&wish.cost, text).map_err(|error| told(&wish.cost) + &error.to_string())
}

fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

/// A program to be measured.
pub(crate) struct Program {
    line: Vec<OsString>,
    environment: Vec<(String, OsString)>,
}

impl Program {
    pub(crate) fn new(name: impl Into<OsString>) -> Self {
        Self {
            line: vec![name.into()],
            environment: Vec::new(),
        }
    }

    pub(crate) fn args<T: Into<OsString>>(mut self, more: impl IntoIterator<Item = T>) -> Self {
        self.line.extend(more.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Runs it to its end; what it said is in the error when it fails.
    pub(crate) fn measure(self, folder: &Path) -> Result<Cost, String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let this = std::env::current_exe().map_err(|error| text(&error))?;
        let (cost, log) = (folder.join("cost.json"), folder.join("output.log"));
        let line: Vec<_> = self
            .line
            .iter()
            .map(|part| part.to_string_lossy())
            .collect();
        let line = line.join(" ");
        let output = program(this)
            .args(["measure", "--cost"])
            .arg(&cost)
            .arg("--log")
            .arg(&log)
            .arg("--")
            .args(&self.line)
            .envs(self.environment)
            .output()
            .map_err(|error| text(&error))?;
        if !output.status.success() {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(format!("`{line}`: {why}\n{said}"));
        }
        let found = std::fs::read_to_string(&cost).map_err(|error| text(&error))?;
        serde_json::from_str(&found).map_err(|error| text(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_follow_one_another() {
        let one = Cost {
            wall: 1.0,
            cpu: 0.5,
            memory: 90.0,
        };
        let other = Cost {
            wall: 2.0,
            cpu: 0.25,
            memory: 10.0,
        };
        let both = one.then(other);
        assert_eq!((both.wall, both.cpu, both.memory), (3.0, 0.75, 90.0));
    }

    #[test]
    fn a_program_costs_what_the_kernel_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        let wish = Measured {
            cost: folder.path().join("cost"),
            log: folder.path().join("log"),
            line: vec![
                "sh".into(),
                "-c".into(),
                "echo said; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done".into(),
            ],
        };
        measured(&wish).expect("a run");
        let text = std::fs::read_to_string(&wish.cost).expect("a cost");
        let cost: Cost = serde_json::from_str(&text).expect("a cost");
        assert!(
            cost.wall > 0.0 && cost.cpu > 0.0 && cost.memory > 0.1,
            "{cost:?}"
        );
        assert_eq!(std::fs::read_to_string(&wish.log).expect("a log"), "said\n");
    }

    #[test]
    fn a_program_that_fails_has_no_cost() {
        let folder = tempfile::tempdir().expect("a folder");
        let wish = Measured {
            cost: folder.path().join("cost"),
            log: folder.path().join("log"),
            line: vec!["false".into()],
        };
        assert!(measured(&wish).is_err());
        assert!(!wish.cost.exists());
    }
}
