//! The program `dataproc-emulator`: the API over scripted clusters, until it is interrupted.

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use dataproc_emulator::{
    Addresses, Emulator, EmulatorOptions, FaultRule, FlinkScript, JobScript, ScriptedOptions,
    ScriptedRuntime,
};
use tokio::signal::unix::{SignalKind, signal};

/// The Dataproc API, and what else a deployment calls, on this machine.
///
/// Clusters are scripted: a real SSH server, a `flink` that does nothing, and YARN's and Flink's answers.
#[derive(Parser)]
#[command(name = "dataproc-emulator", version)]
struct Arguments {
    /// Loopback address and port; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Folder of a Cloud Storage emulator to start too, on a port of its own
    #[arg(long)]
    storage_root: Option<PathBuf>,
    /// What machines clusters have
    #[arg(long, value_enum, default_value_t = MachineKind::Shared)]
    machines: MachineKind,
    /// Port of the SSH servers of machines with an address of their own
    #[arg(long, default_value_t = 2222)]
    ssh_port: u16,
    /// Seconds that a cluster takes to be made, such as 3.5
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0")]
    create_time: Duration,
    /// Seconds that a job runs, such as 3.5
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0")]
    job_time: Duration,
    /// Answer only to calls that bring this token as `Authorization: Bearer`; @FILE reads it from a file
    #[arg(long, env = "DATAPROC_EMULATOR_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// File of fault rules, a JSON list
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// File of fault rules for the Cloud Storage emulator, a JSON list
    #[arg(long, value_name = "FILE", requires = "storage_root")]
    storage_faults: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "not a number".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MachineKind {
    /// None: a cluster is nothing but its name
    None,
    /// Machines at 127.0.0.1, on free ports
    Shared,
    /// Machines at loopback addresses of their own, YARN at port 8088 (Linux)
    Own,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("error: {error}");
            let mut cause = error.source();
            while let Some(source) = cause {
                text = format!("{text}: {source}");
                cause = source.source();
            }
            // Nobody may be reading any more.
            writeln!(std::io::stderr(), "{text}").ok();
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let rules: Vec<FaultRule> = match arguments.faults {
        Some(path) => serde_json::from_slice(&std::fs::read(path)?)?,
        None => Vec::new(),
    };
    let mut options = EmulatorOptions::default().listen(arguments.listen);
    let token = match arguments.token {
        Some(token) => Some(match token.strip_prefix('@') {
            Some(file) => std::fs::read_to_string(file)?.trim().to_owned(),
            None => token,
        }),
        None => None,
    };
    if let Some(token) = &token {
        options = options.token(token.clone());
    }
    let mut told = Vec::new();
    let mut storage = None;
    if let Some(root) = arguments.storage_root {
        let mut storage_options = gcs_emulator::Options::new(root);
        if let Some(token) = &token {
            storage_options = storage_options.token(token.clone());
        }
        if let Some(path) = arguments.storage_faults {
            let rules = gcs_emulator::faults::read_rules(&std::fs::read_to_string(path)?)?;
            storage_options = storage_options.faults(rules);
        }
        let started = gcs_emulator::Emulator::start(storage_options).await?;
        told.push(format!("STORAGE_EMULATOR_HOST={}", started.url()));
        options = options.storage(started.url());
        storage = Some(started);
    }
    let mut scripted = ScriptedOptions::default();
    scripted.create_time = arguments.create_time;
    scripted.flink = FlinkScript::running_for(arguments.job_time);
    scripted.job = JobScript::running_for(arguments.job_time);
    scripted.machines = !matches!(arguments.machines, MachineKind::None);
    if let MachineKind::Own = arguments.machines {
        scripted.addresses = Addresses::Own {
            ssh_port: arguments.ssh_port,
        };
    }
    if scripted.machines {
        options = options.login_user(ScriptedRuntime::login_user()?);
    }
    let runtime = Arc::new(ScriptedRuntime::new(scripted));
    let emulator = Emulator::start(runtime, options).await?;
    for rule in rules {
        emulator.faults().add(rule);
    }
    let url = emulator.url();
    let mut out = std::io::stdout();
    // For whoever started it with port 0: what gcloud and Google's clients have to be told.
    writeln!(out, "{url}")?;
    writeln!(out, "CLOUDSDK_API_ENDPOINT_OVERRIDES_DATAPROC={url}/")?;
    writeln!(
        out,
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE={url}/compute/v1/"
    )?;
    writeln!(out, "CLOUDSDK_API_ENDPOINT_OVERRIDES_OSLOGIN={url}/")?;
    for service in [
        "CLOUDRESOURCEMANAGER",
        "LOGGING",
        "SECRETMANAGER",
        "SERVICEUSAGE",
    ] {
        writeln!(out, "CLOUDSDK_API_ENDPOINT_OVERRIDES_{service}={url}/")?;
    }
    let iap = emulator.iap();
    writeln!(out, "IAP_TUNNEL_URL_OVERRIDE={}", iap.url())?;
    writeln!(
        out,
        "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE={}",
        iap.ca_file().display()
    )?;
    for line in told {
        writeln!(out, "{line}")?;
    }
    let who = match token {
        Some(_) => "whoever has the token may call",
        None => "every program on this machine may call; --token closes it",
    };
    // Nobody may be reading.
    writeln!(std::io::stderr(), "{who}").ok();
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminated.recv() => {}
    }
    emulator.stop().await;
    if let Some(storage) = storage {
        storage.stop().await;
    }
    Ok(())
}
