//! What happens while the parts are fetched, as values for whoever draws it.

use std::fmt;
use std::sync::Arc;

/// A part that is downloaded once for each user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PartName {
    /// YARN's jars.
    Yarn,
    /// The connector between Hadoop and Cloud Storage.
    GcsConnector,
    /// Flink 1.20 and its PyFlink in a virtual environment.
    PyFlink,
    /// The same of Flink 2.2; fetched by the first cluster with that image.
    PyFlink22,
    /// Pig's jars; fetched by the first Pig job.
    Pig,
    /// Spark with PySpark; fetched by the first PySpark job.
    Spark,
}

impl PartName {
    /// The name as people know it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yarn => "YARN",
            Self::GcsConnector => "GCS connector",
            Self::PyFlink => "PyFlink",
            Self::PyFlink22 => "PyFlink 2.2",
            Self::Pig => "Pig",
            Self::Spark => "Spark",
        }
    }

    /// How many bytes the whole part takes on disk, as measured; to scale a bar with, not to rely on.
    #[must_use]
    pub const fn expected_bytes(self) -> u64 {
        match self {
            Self::Yarn => 79 << 20,
            Self::GcsConnector => 40 << 20,
            Self::PyFlink => 718 << 20,
            Self::PyFlink22 => 828 << 20,
            Self::Pig => 22 << 20,
            Self::Spark => 347 << 20,
        }
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Another run fetches this part; this one waits for it.
    PartWaiting(PartName),
    /// The part is being fetched.
    PartStarted(PartName),
    /// So many bytes of the part are on disk.
    PartBytes(PartName, u64),
    /// The part is whole.
    PartDone(PartName),
    /// A cluster is being started, on this address.
    ClusterStarting {
        /// Its name.
        cluster: String,
        /// Its address.
        address: String,
    },
    /// A cluster gets fewer NodeManagers than it has workers, because memory does not suffice for more.
    WorkersCapped {
        /// The cluster's name.
        cluster: String,
        /// How many workers were asked for.
        wanted: u32,
        /// How many NodeManagers there are.
        given: u32,
    },
    /// The kernel lets nobody hide files from the workers here: what works only because of a shared file system works too.
    WorkersShareFiles {
        /// What the kernel, or the program that asked it, said.
        reason: String,
    },
    /// A cluster is ready.
    ClusterReady {
        /// Its name.
        cluster: String,
    },
    /// Something that a sandbox left behind, which was killed, has been cleaned up.
    CleanedUp {
        /// How many processes were ended.
        processes: usize,
    },
}

/// Takes what happens; called from any thread, must not block.
#[derive(Clone)]
pub struct ProgressSink(Arc<dyn Fn(Progress) + Send + Sync>);

impl ProgressSink {
    /// Calls `sink` for everything that happens.
    pub fn new(sink: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Listens to nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    pub(crate) fn tell(&self, progress: Progress) {
        tracing::debug!(?progress);
        (self.0)(progress);
    }
}

impl fmt::Debug for ProgressSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProgressSink")
    }
}
