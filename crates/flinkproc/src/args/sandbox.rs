//! The flags of `flinkproc sandbox`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// A Dataproc on this machine that stays until it is told to end.
#[derive(Debug, Args)]
#[command(after_help = "\
For example:
  flinkproc sandbox up                    start one
  eval \"$(flinkproc sandbox vars)\"        point gcloud, Google's clients and flinkproc at it
  gcloud dataproc clusters create my-cluster
  flinkproc deploy --sandbox DIR          deploy into it
  flinkproc sandbox down                  end it, and everything in it")]
pub(crate) struct Sandbox {
    #[command(subcommand)]
    pub(crate) command: SandboxCommand,
}

/// What to do with a sandbox.
#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    /// Starts a sandbox, which stays until `down`; one that runs already is left as it is.
    Up(Up),
    /// Ends a sandbox with every cluster and process in it; may be repeated.
    Down(DownSandbox),
    /// Shows the sandboxes that run: where they are, their clusters, their memory.
    Status(StatusSandbox),
    /// Prints the variables that point gcloud, Google's clients and flinkproc at a sandbox.
    Vars(Vars),
    /// Shows what a sandbox, or the daemons of one of its clusters, said.
    Logs(LogsSandbox),
    /// The process of a sandbox, as `up` starts it.
    #[command(hide = true)]
    Serve(Named),
}

/// Which sandbox.
#[derive(Clone, Debug, Args)]
pub(crate) struct Named {
    /// The sandbox's name; several with different names can run at once.
    #[arg(long, value_name = "NAME", default_value = crate::sandbox::DEFAULT)]
    pub(crate) name: String,
}

/// Starts a sandbox.
#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) named: Named,

    /// Stays in the foreground; Ctrl-C ends the sandbox.
    #[arg(long)]
    pub(crate) foreground: bool,

    /// Only the APIs: clusters are nothing but names, and no Java is needed.
    #[arg(long)]
    pub(crate) control_plane_only: bool,

    /// Gives each cluster a real SSH server, and a `flink` that does nothing.
    #[arg(long, requires = "control_plane_only")]
    pub(crate) scripted_machines: bool,

    /// Port of the APIs; any free one by default.
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,

    /// Port of the storage server; any free one by default.
    #[arg(long, value_name = "PORT")]
    pub(crate) storage_port: Option<u16>,

    /// Keeps the objects here, also after the end; by default they go with the sandbox.
    #[arg(long, value_name = "DIR")]
    pub(crate) storage_root: Option<PathBuf>,

    /// Answers only calls that bring this token; without TOKEN it makes one. By default every local user may call.
    #[arg(long, value_name = "TOKEN", num_args = 0..=1, default_missing_value = "")]
    pub(crate) token: Option<String>,

    /// Rules by which calls go wrong, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) faults: Option<PathBuf>,
}

/// Ends a sandbox.
#[derive(Debug, Args)]
pub(crate) struct DownSandbox {
    #[command(flatten)]
    pub(crate) named: Named,

    /// Ends all of them.
    #[arg(long, conflicts_with = "name")]
    pub(crate) all: bool,
}

/// Shows sandboxes.
#[derive(Debug, Args)]
pub(crate) struct StatusSandbox {
    /// Only this one.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// Prints variables.
#[derive(Debug, Args)]
pub(crate) struct Vars {
    #[command(flatten)]
    pub(crate) named: Named,

    /// How they are written: for `eval` in a shell, as JSON, or as a .env file.
    #[arg(long, value_enum, default_value_t = VarsForm::Sh, value_name = "FORM")]
    pub(crate) format: VarsForm,
}

/// How variables are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum VarsForm {
    Sh,
    Json,
    Dotenv,
}

/// Shows logs.
#[derive(Debug, Args)]
pub(crate) struct LogsSandbox {
    /// A cluster, whose daemons' logs are shown; the sandbox's own log when left out.
    #[arg(value_name = "CLUSTER")]
    pub(crate) cluster: Option<String>,

    #[command(flatten)]
    pub(crate) named: Named,

    /// Shows what is written from now on too, until the sandbox ends.
    #[arg(short, long)]
    pub(crate) follow: bool,
}
