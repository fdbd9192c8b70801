//! What was typed after `flinkproc job` and `flinkproc cluster session`.

use clap::{Args, Subcommand};

use super::PlaceArgs;

/// Works on the Flink jobs of a deployment.
#[derive(Debug, Args)]
pub(crate) struct Job {
    #[command(subcommand)]
    pub(crate) command: JobCommand,
}

/// What to do with the Flink jobs of a deployment.
#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// Lists the Flink jobs of a deployment and their states.
    List {
        /// The deployment's id or the beginning of it.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Takes a savepoint; the job goes on.
    Savepoint {
        #[command(flatten)]
        job: WhichJob,
        /// The folder for it, such as gs://bucket/savepoints; the one in Flink's configuration when left out.
        #[arg(long, value_name = "FOLDER")]
        to: Option<String>,
    },
    /// Takes a savepoint and ends the job.
    Stop {
        #[command(flatten)]
        job: WhichJob,
        /// The folder for it, such as gs://bucket/savepoints; the one in Flink's configuration when left out.
        #[arg(long, value_name = "FOLDER")]
        to: Option<String>,
        /// Lets all windows fire first, as if time had come to its end: nothing can go on from that savepoint.
        #[arg(long)]
        drain: bool,
    },
    /// Ends the job without a savepoint.
    Cancel {
        #[command(flatten)]
        job: WhichJob,
    },
}

/// Which Flink job.
#[derive(Clone, Debug, Args)]
pub(crate) struct WhichJob {
    /// The deployment's id or the beginning of it.
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// The Flink job; the only one that runs when left out.
    #[arg(long, value_name = "JOB_ID")]
    pub(crate) job: Option<String>,
}

/// Works on the Flink sessions of a cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// Lists the sessions that flinkproc started on a cluster.
    List {
        #[command(flatten)]
        on: SessionPlaceArgs,
    },
    /// Starts a session, or finds the one of that name.
    Start {
        #[command(flatten)]
        on: SessionPlaceArgs,
        /// The session's name.
        #[arg(long, default_value = "default", value_name = "NAME")]
        name: String,
        /// The session's Flink configuration, such as -D taskmanager.memory.process.size=4g.
        #[arg(short = 'D', value_name = "KEY=VALUE")]
        config: Vec<String>,
    },
    /// Ends a session.
    Stop {
        #[command(flatten)]
        on: SessionPlaceArgs,
        /// The session's name.
        #[arg(long, default_value = "default", value_name = "NAME")]
        name: String,
        /// Ends it although jobs run in it.
        #[arg(long)]
        force: bool,
    },
}

/// On which cluster, and how its master is entered.
#[derive(Clone, Debug, Args)]
pub(crate) struct SessionPlaceArgs {
    /// The cluster's name.
    #[arg(value_name = "CLUSTER")]
    pub(crate) cluster: String,

    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    /// The way to the master: auto, external, internal or iap.
    #[arg(long, default_value = "auto", value_name = "WAY")]
    pub(crate) access: String,

    /// The login name; yours when left out.
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
}
