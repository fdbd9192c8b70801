//! What a look at a cluster finds: its configuration, its logs and what YARN knows, as one archive.

use std::process::Stdio;

use tokio::process::Command;

use crate::error::SandboxError;
use crate::layout::Layout;
use crate::machine::ProcessRef;
use crate::resource_manager::ResourceManager;

const FOLDER: &str = "diagnosis";
/// What YARN is asked, and the file that takes its answer.
const QUESTIONS: [(&str, &str); 5] = [
    ("info", "cluster.json"),
    ("metrics", "metrics.json"),
    ("nodes", "nodes.json"),
    ("apps", "applications.json"),
    ("scheduler", "scheduler.json"),
];
/// What of the cluster's folder goes along, where it is there. No keys, no homes, no container's working folders.
const PARTS: [&str; 8] = [
    "hadoop-conf",
    "flink-conf",
    "log",
    "flink-log",
    "app-log",
    "ssh/sshd_config",
    "processes",
    FOLDER,
];

/// A gzipped tar archive.
pub(crate) async fn archive(
    layout: &Layout,
    http: &reqwest::Client,
    processes: &[ProcessRef],
) -> Result<Vec<u8>, SandboxError> {
    layout.create_folders(&[FOLDER])?;
    let manager = ResourceManager::of(layout, http);
    for (question, file) in QUESTIONS {
        let answer = manager.ask(question).await;
        let text = answer.map_or_else(|| "no answer\n".to_owned(), |value| format!("{value:#}\n"));
        layout.write(&format!("{FOLDER}/{file}"), &text)?;
    }
    layout.write(&format!("{FOLDER}/processes.txt"), &told(processes))?;
    let mut names: Vec<String> = PARTS.map(str::to_owned).to_vec();
    let entries = std::fs::read_dir(&layout.folder).into_iter().flatten();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("node-") {
            names.extend([format!("{name}/conf"), format!("{name}/log")]);
        }
    }
    names.retain(|name| layout.at(name).exists());
    let not_started = |source| SandboxError::NotStarted {
        program: "tar".to_owned(),
        source,
    };
    let output = Command::new("tar")
        .args(["--create", "--gzip", "--file", "-", "--"])
        .args(names)
        .current_dir(&layout.folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(not_started)?;
    // 1 is for files that grew meanwhile, as logs do.
    if matches!(output.status.code(), Some(0 | 1)) {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(not_started(std::io::Error::other(said)))
}

/// Each process with its resident memory and its program.
fn told(processes: &[ProcessRef]) -> String {
    let line = |process: &ProcessRef| {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", process.pid));
        let status = read("status").unwrap_or_default();
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let command = read("comm").unwrap_or_default();
        let memory = memory.unwrap_or_default().trim();
        format!("{}\t{memory}\t{}\n", process.pid, command.trim())
    };
    processes.iter().map(line).collect()
}
