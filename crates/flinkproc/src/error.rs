//! What can go wrong before a deployment begins: the command line, the state directory, credentials.

use std::path::PathBuf;

use flinkproc_core::{ErrorCode, Explain, FailureKind, RetryHint};

/// An error of the binary itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// A file could not be read or written.
    #[error("{what} {path} cannot be used", path = path.display())]
    File {
        /// What the file is.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// No credentials of any kind were found, or what was found cannot be used.
    #[error("no usable Google Cloud credentials")]
    Credentials {
        /// What Google's library says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A value is needed that nobody gave.
    #[error("no {what} is set")]
    Missing {
        /// What is missing.
        what: &'static str,
        /// How to give it.
        how: &'static str,
    },
    /// No deployment has this id.
    #[error("no deployment is called `{id}`")]
    UnknownDeployment {
        /// What was asked for.
        id: String,
    },
    /// More than one deployment begins like this.
    #[error("`{prefix}` could be {}", candidates.join(" or "))]
    AmbiguousDeployment {
        /// What was asked for.
        prefix: String,
        /// What it could mean.
        candidates: Vec<String>,
    },
    /// A text on the command line is not what it should be.
    #[error("`{text}` is no {what}")]
    Argument {
        /// What was written.
        text: String,
        /// What it should have been.
        what: &'static str,
        /// How to write it.
        how: String,
    },
    /// A plan file no longer says what would be planned now.
    #[error("the plan in {path} does not hold any more: {drift}", path = path.display())]
    Drifted {
        /// The plan.
        path: PathBuf,
        /// What changed.
        drift: String,
    },
    /// A client library could not be set up.
    #[error("the client of {service} could not be set up")]
    Client {
        /// The service.
        service: &'static str,
        /// What the library says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A cluster does not exist.
    #[error("there is no cluster `{name}` in {region}")]
    UnknownCluster {
        /// Its name.
        name: String,
        /// Where it was looked for.
        region: String,
    },
    /// An interrupt came before anything was made.
    #[error("interrupted before anything was made")]
    InterruptedEarly,
    /// There is no spec where one was looked for.
    #[error("there is no spec {path}", path = path.display())]
    NoSpec {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file that was to be written is there already.
    #[error("{path} is there already", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A sandbox ends with its process, and something was asked for that goes on after it.
    #[error("{what} cannot be had in a sandbox, which ends with this process")]
    SandboxEnds {
        /// What was asked for.
        what: String,
    },
    /// A deployment ran in a sandbox that has ended.
    #[error("the deployment {id} ran in a sandbox, which ended with its process")]
    SandboxEnded {
        /// The deployment.
        id: String,
    },
    /// No sandbox of that name runs.
    #[error("no sandbox `{name}` runs")]
    NoSandbox {
        /// Its name.
        name: String,
    },
    /// A sandbox of that name runs, and is not what was asked for.
    #[error("the sandbox `{name}` runs already, as another: {what}")]
    OtherSandbox {
        /// Its name.
        name: String,
        /// What it is.
        what: String,
    },
    /// The process of a sandbox ended before it was ready, and said no more than its log.
    #[error("the sandbox `{name}` ended before it was ready ({status})\n{tail}")]
    SandboxDied {
        /// Its name.
        name: String,
        /// How it ended.
        status: String,
        /// The end of its log.
        tail: String,
    },
    /// A running sandbox does not do what it is asked for.
    #[error("the sandbox `{name}` does not answer as it should")]
    SandboxSilent {
        /// Its name.
        name: String,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A defect: something that cannot happen did.
    #[error("{what}")]
    Defect {
        /// What happened.
        what: String,
    },
}

impl AppError {
    /// Wraps what happened to a file.
    pub(crate) fn file(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}

impl Explain for AppError {
    fn code(&self) -> ErrorCode {
        ErrorCode::new(match self {
            Self::File { .. } => "APP001",
            Self::Credentials { .. } => "APP002",
            Self::Missing { .. } => "APP003",
            Self::UnknownDeployment { .. } => "APP004",
            Self::AmbiguousDeployment { .. } => "APP005",
            Self::Argument { .. } => "APP006",
            Self::Drifted { .. } => "APP007",
            Self::Client { .. } => "APP008",
            Self::UnknownCluster { .. } => "APP009",
            Self::Defect { .. } => "APP010",
            Self::InterruptedEarly => "APP011",
            Self::NoSpec { .. } => "APP012",
            Self::Exists { .. } => "APP013",
            Self::SandboxEnds { .. } => "APP014",
            Self::SandboxEnded { .. } => "APP015",
            Self::NoSandbox { .. } => "APP020",
            Self::OtherSandbox { .. } => "APP021",
            Self::SandboxDied { .. } => "APP022",
            Self::SandboxSilent { .. } => "APP023",
        })
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Credentials { .. } => FailureKind::Credentials,
            Self::InterruptedEarly => FailureKind::Interrupted,
            Self::Defect { .. } | Self::Client { .. } => FailureKind::Internal,
            Self::SandboxDied { .. } | Self::SandboxSilent { .. } => FailureKind::Cluster,
            _ => FailureKind::Input,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::File { .. } | Self::InterruptedEarly => return None,
            Self::Credentials { .. } => "run `gcloud auth application-default login`, or point GOOGLE_APPLICATION_CREDENTIALS to a \
                 service account, impersonation or workload identity federation file; `--sandbox` needs no credentials"
                .to_owned(),
            Self::Missing { how, .. } => (*how).to_owned(),
            Self::UnknownDeployment { .. } => "`flinkproc status` lists the deployments that are known here".to_owned(),
            Self::AmbiguousDeployment { .. } => "write more of the id".to_owned(),
            Self::Argument { how, .. } => how.clone(),
            Self::Drifted { .. } => "make the plan again with `flinkproc plan --out`".to_owned(),
            Self::Client { .. } | Self::Defect { .. } => "please report this with the whole message".to_owned(),
            Self::NoSpec { .. } => "`flinkproc init` writes one with comments; a spec elsewhere is named as in `flinkproc deploy DIR`".to_owned(),
            Self::Exists { .. } => "edit it, or name another file: `flinkproc init FILE`".to_owned(),
            Self::SandboxEnds { .. } => "start one that stays, `flinkproc sandbox up`, and try again; or leave it out".to_owned(),
            Self::SandboxEnded { id } => format!(
                "nothing of it runs or costs money; `flinkproc down {id}` closes it, then deploy again"
            ),
            Self::NoSandbox { .. } => "`flinkproc sandbox up` starts one, `flinkproc sandbox status` shows those that run".to_owned(),
            Self::OtherSandbox { .. } => "end it first with `flinkproc sandbox down`, or give the new one another name with `--name`".to_owned(),
            Self::SandboxDied { .. } => "its whole log is shown by `flinkproc sandbox logs`".to_owned(),
            Self::SandboxSilent { name, .. } => format!("see `flinkproc sandbox logs --name {name}`; `flinkproc sandbox down --name {name}` ends it whatever it does"),
            Self::UnknownCluster { .. } => "`flinkproc cluster list` shows the clusters of a region".to_owned(),
        })
    }

    fn retry(&self) -> RetryHint {
        RetryHint::Never
    }
}
