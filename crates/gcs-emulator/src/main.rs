//! The emulator as a program: a folder and a loopback address.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use gcs_emulator::faults::read_rules;
use gcs_emulator::{Emulator, Options};

/// Cloud Storage's JSON API on a folder.
#[derive(Debug, Parser)]
#[command(name = "gcs-emulator", version)]
struct Arguments {
    /// Folder that holds the buckets; made when it is not there
    #[arg(long)]
    root: PathBuf,
    /// Loopback address and port; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Address that upload sessions and links name, instead of the one in the client's Host header
    #[arg(long)]
    public_url: Option<String>,
    /// Bucket to make unless it is there; may be given several times
    #[arg(long = "bucket")]
    buckets: Vec<String>,
    /// Answer only to calls that bring this as `Authorization: Bearer TOKEN`; read from the file after an `@`, so that it
    /// shows in no list of processes
    #[arg(
        long,
        value_name = "TOKEN|@FILE",
        env = "GCS_EMULATOR_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// JSON list of rules by which calls go wrong
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Tell every request on stderr
    #[arg(long, short)]
    verbose: bool,
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
            let _ = writeln!(std::io::stderr(), "{text}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    if arguments.verbose {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(std::io::stderr)
            .init();
    }
    let mut options = Options::new(arguments.root).listen(arguments.listen);
    if let Some(url) = arguments.public_url {
        options = options.public_url(url);
    }
    let closed = arguments.token.is_some();
    if let Some(token) = arguments.token {
        options = match token.strip_prefix('@') {
            Some(file) => options.token(std::fs::read_to_string(file)?.trim()),
            None => options.token(token),
        };
    }
    if let Some(file) = arguments.faults {
        options = options.faults(read_rules(&std::fs::read_to_string(file)?)?);
    }
    let mut emulator = Emulator::start(options).await?;
    for bucket in &arguments.buckets {
        emulator.create_bucket(bucket)?;
    }
    // The one line on stdout is for whoever started it with port 0.
    writeln!(std::io::stdout(), "{}", emulator.url())?;
    let who = if closed {
        "whoever has the token may call"
    } else {
        "every program on this machine may call; --token closes it"
    };
    writeln!(
        std::io::stderr(),
        "Cloud Storage emulator at {}: {who}",
        emulator.url()
    )?;
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
        () = emulator.ended() => {}
    }
    emulator.stop().await;
    Ok(())
}
