//! What can go wrong in the sandbox, and what to do about it.

use std::path::PathBuf;

use flinkproc_core::{ErrorCode, Explain, FailureKind, RetryHint};

use crate::prerequisites::Missing;

/// Why the sandbox could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The machine lacks something; every item is named, and nothing was downloaded.
    #[error("this machine lacks {}", list(.missing))]
    Prerequisites {
        /// Everything that is missing.
        missing: Vec<Missing>,
    },
    /// The sandbox needs Linux's loopback network and `/proc`.
    #[error("the sandbox runs on Linux only, this is {system}")]
    NotLinux {
        /// The operating system.
        system: &'static str,
    },
    /// A part could not be downloaded or built.
    #[error("{part} could not be made: `{program}` {outcome}\n{tail}")]
    PartFailed {
        /// Which part.
        part: &'static str,
        /// The program that failed.
        program: String,
        /// How it ended.
        outcome: String,
        /// The last lines of what it said.
        tail: String,
    },
    /// A file or folder could not be used.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Every loopback address that the sandbox uses for clusters is taken.
    #[error("no loopback address is free for one more cluster ({tried} tried)")]
    NoAddress {
        /// How many were tried.
        tried: usize,
    },
    /// A program could not be started.
    #[error("cannot start `{program}`")]
    NotStarted {
        /// Which.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A service of a cluster ended or did not get ready in time.
    #[error("{service} {outcome}\n{tail}")]
    NotReady {
        /// Which service.
        service: String,
        /// What happened.
        outcome: String,
        /// The last lines of its log.
        tail: String,
    },
    /// A server of the sandbox could not be opened.
    #[error("the sandbox's {server} cannot be opened")]
    NotServed {
        /// Which server.
        server: &'static str,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file of fault rules is not what it should be.
    #[error("{} is no list of fault rules", path.display())]
    FaultRules {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Processes are left that could not be ended.
    #[error("processes could not be ended: {pids:?}")]
    LeftOver {
        /// Their process ids.
        pids: Vec<u32>,
    },
    /// A file that a job names could not be had.
    #[error("the job's file {uri} cannot be had: {detail}")]
    JobFile {
        /// As the job names it.
        uri: String,
        /// Why not.
        detail: String,
    },
    /// A job's body is not what its type wants.
    #[error("the job's {kind} cannot be run: {detail}")]
    JobBody {
        /// Its type's field, such as `pigJob`.
        kind: String,
        /// What is wrong.
        detail: String,
    },
    /// The cluster is stopped.
    #[error("the cluster {cluster} is stopped")]
    Stopped {
        /// Its name.
        cluster: String,
    },
    /// The storage server of the sandbox refused a bucket.
    #[error("the bucket `{bucket}` could not be made: {detail}")]
    Bucket {
        /// Its name.
        bucket: String,
        /// What the server said.
        detail: String,
    },
}

fn list(missing: &[Missing]) -> String {
    let names: Vec<String> = missing.iter().map(|one| one.found.clone()).collect();
    names.join("; ")
}

impl SandboxError {
    /// Turns an error of the file system into one that says what was tried.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}

impl Explain for SandboxError {
    fn code(&self) -> ErrorCode {
        ErrorCode::new(match self {
            Self::Prerequisites { .. } => "SBX001",
            Self::NotLinux { .. } => "SBX002",
            Self::PartFailed { .. } => "SBX003",
            Self::File { .. } => "SBX004",
            Self::NoAddress { .. } => "SBX005",
            Self::NotStarted { .. } => "SBX006",
            Self::NotReady { .. } => "SBX007",
            Self::NotServed { .. } => "SBX008",
            Self::LeftOver { .. } => "SBX009",
            Self::Bucket { .. } => "SBX010",
            Self::JobFile { .. } => "SBX011",
            Self::JobBody { .. } => "SBX012",
            Self::Stopped { .. } => "SBX013",
            Self::FaultRules { .. } => "SBX014",
        })
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Prerequisites { .. }
            | Self::NotLinux { .. }
            | Self::Bucket { .. }
            | Self::JobFile { .. }
            | Self::JobBody { .. }
            | Self::Stopped { .. }
            | Self::FaultRules { .. } => FailureKind::Input,
            Self::NoAddress { .. } => FailureKind::Capacity,
            _ => FailureKind::Cluster,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Prerequisites { missing } => {
                let lines: Vec<String> = missing.iter().map(|one| one.install.clone()).collect();
                lines.join("\n")
            }
            Self::NotLinux { .. } => {
                "run it in a Linux machine or container, or deploy to Google Cloud".to_owned()
            }
            Self::PartFailed { program, .. } => format!(
                "the part is tried again from its start by the next run; see whether `{program}` can reach its package \
                 repository and whether the disk is full"
            ),
            Self::File { .. } => {
                "see whether the folder exists, belongs to you and has space left".to_owned()
            }
            Self::NoAddress { .. } => {
                "end sandboxes that are not needed: each cluster takes one address of 127.0.10.2 to 127.0.250.2"
                    .to_owned()
            }
            Self::NotStarted { program, .. } => {
                format!("see whether `{program}` can be run by hand")
            }
            Self::NotReady { .. } => {
                "the log above says why; often too little memory, or a Java that is not 17".to_owned()
            }
            Self::NotServed { .. } => {
                "both servers listen on a free port of 127.0.0.1: see whether the loopback network is up".to_owned()
            }
            Self::FaultRules { .. } => {
                "write a JSON list, such as [{\"path\": \"*/clusters\", \"effect\": {\"answer\": {\"status\": 503}}}]".to_owned()
            }
            Self::LeftOver { pids } => {
                let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
                format!("end them by hand: kill -KILL {}", pids.join(" "))
            }
            Self::JobFile { .. } => {
                "name a `gs://` object of the sandbox's storage, or a `file:///` path of the master".to_owned()
            }
            Self::JobBody { .. } => "see the fields of this type of job in Dataproc's reference".to_owned(),
            Self::Stopped { .. } => "start the cluster first".to_owned(),
            Self::Bucket { .. } => "a bucket name has 3 to 63 lower-case letters, digits, hyphens, dots".to_owned(),
        })
    }

    fn retry(&self) -> RetryHint {
        match self {
            Self::PartFailed { .. } | Self::LeftOver { .. } | Self::NotReady { .. } => {
                RetryHint::Safe
            }
            _ => RetryHint::Never,
        }
    }
}
