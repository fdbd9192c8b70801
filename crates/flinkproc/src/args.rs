//! What was typed, exactly: nothing is resolved, defaulted or checked against anything here.

mod job;
mod sandbox;

use std::path::PathBuf;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};
pub(crate) use job::{Job, JobCommand, SessionCommand, SessionPlaceArgs, WhichJob};
pub(crate) use sandbox::{
    DownSandbox, LogsSandbox, Sandbox, SandboxCommand, StatusSandbox, Up, Vars, VarsForm,
};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Start with:
  flinkproc init                        write a commented flinkproc.toml
  flinkproc plan flinkproc.toml         see every step, default and equivalent command
  flinkproc deploy --sandbox DIR        run it on a Dataproc on this machine, without an account";

/// Deploys PyFlink jobs on Google Cloud Dataproc.
#[derive(Debug, Parser)]
#[command(name = "flinkproc", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(
    subcommand_required = false,
    arg_required_else_help = true,
    infer_subcommands = false
)]
pub(crate) struct Cli {
    /// Prints completions for a shell, the manual page, or the JSON Schema of flinkproc.toml.
    #[arg(long, value_name = "WHAT", exclusive = true)]
    pub(crate) generate: Option<Generated>,

    #[command(flatten)]
    pub(crate) common: Common,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Says which of our words someone may have meant with a word of another tool.
pub(crate) fn in_our_words(mut error: clap::Error) -> clap::Error {
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => return error,
    };
    if unknown == "--dry-run" {
        let tip = StyledStr::from(
            "did you mean `flinkproc plan`? It shows everything and changes nothing",
        );
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

/// What `--generate` prints.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Generated {
    Bash,
    Zsh,
    Fish,
    Man,
    Schema,
}

/// Flags that every verb takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// Form of the result on standard output.
    #[arg(long, global = true, value_enum, default_value_t = OutputForm::Text, value_name = "FORM")]
    pub(crate) output: OutputForm,

    /// Tells nothing but errors on standard error.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    /// Tells more on standard error; twice for the details of every call.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// The form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputForm {
    Text,
    Json,
}

/// One of the verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Writes a commented flinkproc.toml.
    Init(Init),
    /// Checks a spec, a script, a page or a command, without asking any service.
    Check(Check),
    /// Shows what a deployment would do, step by step, and changes nothing.
    Plan(PlanArgs),
    /// Makes it so: runs the job and ends what it made.
    Deploy(Deploy),
    /// Ends what a deployment made; may be repeated.
    Down(Down),
    /// Shows deployments and where they stand.
    Status(Status),
    /// Shows what a deployment's programs said.
    Logs(Logs),
    /// Lists a deployment's Flink jobs, takes savepoints of them, stops or cancels them.
    Job(Job),
    /// Lists, describes or deletes Dataproc clusters, and keeps Flink sessions on them.
    Cluster(Cluster),
    /// Starts and ends a Dataproc on this machine that stays.
    Sandbox(Sandbox),
}

/// Writes a commented flinkproc.toml.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Where to write it.
    #[arg(default_value = "flinkproc.toml", value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Makes it of a script with gcloud and Flink commands, and says which of its mistakes that mends.
    #[arg(long, value_name = "FILE", conflicts_with = "from_cluster")]
    pub(crate) from_script: Option<PathBuf>,

    /// Makes it of a cluster that there is.
    #[arg(long, value_name = "NAME")]
    pub(crate) from_cluster: Option<String>,

    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// How a spec is named and changed from the command line.
#[derive(Clone, Debug, Args)]
pub(crate) struct SpecArgs {
    /// The spec: a flinkproc.toml or the directory that holds it.
    #[arg(default_value = ".", value_name = "SPEC")]
    pub(crate) spec: PathBuf,

    /// Gives a declared parameter its value.
    #[arg(long = "param", value_name = "K=V")]
    pub(crate) params: Vec<String>,

    /// Lays the spec's [target.NAME] over it.
    #[arg(long, value_name = "NAME", env = "FLINKPROC_TARGET")]
    pub(crate) target: Option<String>,

    /// Sets any value of the spec, such as cluster.workers=3.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<String>,

    /// The Google Cloud project.
    #[arg(long, value_name = "ID")]
    pub(crate) project: Option<String>,

    /// The region.
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,

    /// The zone; left out, Dataproc chooses one.
    #[arg(long, value_name = "NAME")]
    pub(crate) zone: Option<String>,

    /// The bucket for code, input and output (staging.bucket).
    #[arg(long, value_name = "NAME")]
    pub(crate) bucket: Option<String>,

    /// The Dataproc image (cluster.image).
    #[arg(long, value_name = "VERSION")]
    pub(crate) image: Option<String>,

    /// How Flink runs on YARN: auto, per-job, session or application (job.mode).
    #[arg(long, value_name = "MODE")]
    pub(crate) mode: Option<String>,

    /// How the job is handed over: ssh, pig, pyspark, hadoop or native (job.method).
    #[arg(long, value_name = "METHOD")]
    pub(crate) method: Option<String>,

    /// The number of workers (cluster.workers).
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<String>,

    /// Follows your ~/.ssh/config on the way to the master (ssh.config).
    #[arg(long)]
    pub(crate) ssh_config: bool,

    /// The deadline of the whole deployment, such as 2h (watch.deadline).
    #[arg(long, value_name = "SPAN")]
    pub(crate) deadline: Option<String>,

    /// Uses a Dataproc on this machine: the sandbox of this name that runs (`default` when none is named), else one that ends
    /// with this process.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) sandbox: Option<String>,
}

/// Checks a spec, a script, a page or a command.
#[derive(Debug, Args)]
#[command(after_help = "\
For example:
  flinkproc check                                  the spec in this folder
  flinkproc check run.sh                           every command of Flink and gcloud in a script (or .md, .pig, .py)
  flinkproc check --flink 1.17 -- flink run -py x  one command, as Flink 1.17 would read it
  flinkproc check --image 3.0 flinkproc.toml       what another image changes for a deployment")]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,

    /// The Flink that reads the commands; by default that of --image, of the image that the text names, or of image 2.2.
    #[arg(long, value_name = "VERSION")]
    pub(crate) flink: Option<String>,

    /// A command of Flink or gcloud, behind `--`.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) line: Vec<String>,
}

/// Shows the plan of a deployment.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,

    /// Names the run; the same key is the same run.
    #[arg(long, value_name = "KEY")]
    pub(crate) run_key: Option<String>,

    /// Writes the plan as JSON, for `flinkproc deploy PLAN`.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// Shows the ways to hand a job over side by side, instead of a plan.
    #[arg(long, conflicts_with = "out")]
    pub(crate) compare_methods: bool,
}

/// Makes a deployment.
#[derive(Debug, Args)]
pub(crate) struct Deploy {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,

    /// Names the run; the same key attaches to the run that it named before.
    #[arg(long, value_name = "KEY")]
    pub(crate) run_key: Option<String>,

    /// Goes on with an unfinished deployment; the newest one when no id is given.
    #[arg(long, value_name = "ID", num_args = 0..=1, default_missing_value = "")]
    pub(crate) resume: Option<String>,

    /// Stops after this step, leaving what was made.
    #[arg(long, value_name = "STEP")]
    pub(crate) until: Option<String>,

    /// Leaves as soon as the job is submitted; the cluster's own limits and `flinkproc down` end it.
    #[arg(long)]
    pub(crate) detach: bool,

    /// What Ctrl-C does: delete or detach (watch.on_interrupt).
    #[arg(long, value_name = "WHAT")]
    pub(crate) on_interrupt: Option<String>,

    /// Writes every event as a line of JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<PathBuf>,
}

/// Where a project's clusters are looked for.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlaceArgs {
    /// The Google Cloud project.
    #[arg(long, value_name = "ID")]
    pub(crate) project: Option<String>,

    /// The region.
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,

    /// Looks in the sandbox of this name that runs (`default` when none is named).
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) sandbox: Option<String>,
}

/// Ends what a deployment made.
#[derive(Debug, Args)]
pub(crate) struct Down {
    /// A deployment's id or the beginning of it.
    #[arg(value_name = "ID", required_unless_present = "orphans")]
    pub(crate) id: Option<String>,

    /// Finds clusters of a region that some deployment made and that no unfinished deployment here uses.
    #[arg(long, conflicts_with = "id")]
    pub(crate) orphans: bool,

    /// With --orphans: deletes them. They may be in use from another machine.
    #[arg(long, requires = "orphans")]
    pub(crate) delete: bool,

    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// Shows deployments.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// A deployment's id or the beginning of it; all when left out.
    #[arg(value_name = "ID")]
    pub(crate) id: Option<String>,
}

/// Shows logs.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// A deployment's id or the beginning of it.
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// Which logs: driver (what the program said) or yarn (JobManager and TaskManagers).
    #[arg(long, value_enum, value_name = "WHICH")]
    pub(crate) source: Option<LogSource>,
}

/// Which logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogSource {
    Driver,
    Yarn,
}

/// Works on clusters.
#[derive(Debug, Args)]
pub(crate) struct Cluster {
    #[command(subcommand)]
    pub(crate) command: ClusterCommand,
}

/// What to do with clusters.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Lists the clusters of a region.
    List {
        #[command(flatten)]
        place: PlaceArgs,
        /// A filter in Dataproc's own language, such as `status.state = RUNNING`.
        #[arg(long, default_value = "", hide_default_value = true)]
        filter: String,
    },
    /// Shows one cluster.
    Describe {
        /// Its name.
        name: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Starts, lists or ends Flink sessions on a cluster.
    #[command(subcommand)]
    Session(SessionCommand),
    /// Deletes one cluster and waits until it is gone.
    Delete {
        /// Its name.
        name: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
}
