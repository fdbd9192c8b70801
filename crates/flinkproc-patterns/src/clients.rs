//! Everything outside that a deployment talks to, so that each part can be replaced.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use flinkproc_compute::Gatekeeper;
use flinkproc_core::{Clock, ClusterRef, GcsUri, YarnApplicationId};
use flinkproc_dataproc::{ClusterApi, JobApi};
use flinkproc_env::EnvironmentBuilder;
use flinkproc_rest::{FlinkApi, Route, YarnApi};
use flinkproc_ssh::{Connect, RemoteShell};
use flinkproc_staging::Staging;
use flinkproc_submit::{SubmissionMethod, SubmitError};

/// Makes a client of YARN's ResourceManager on this host (the master's internal address), reached by this route.
pub type OpenYarn = Arc<dyn Fn(Arc<dyn Route>, &str) -> Arc<dyn YarnApi> + Send + Sync>;

/// Makes a client of an application's JobManager, through the ResourceManager on this host, reached by this route.
pub type OpenFlink =
    Arc<dyn Fn(Arc<dyn Route>, &str, &YarnApplicationId) -> Arc<dyn FlinkApi> + Send + Sync>;

/// Makes a submission method from what there is on the way to the cluster.
pub type OpenMethod =
    Arc<dyn Fn(&Reachable) -> Result<Arc<dyn SubmissionMethod>, SubmitError> + Send + Sync>;

/// What a submission method may use.
#[derive(Clone, Debug)]
pub struct Reachable {
    /// The connection to the master; there is none when nobody enters it.
    pub shell: Option<Arc<dyn RemoteShell>>,
    /// Dataproc's Jobs API.
    pub jobs: Arc<dyn JobApi>,
    /// Cloud Storage.
    pub staging: Arc<dyn Staging>,
    /// The cluster.
    pub cluster: ClusterRef,
    /// The deployment's own place in the bucket.
    pub home: GcsUri,
}

/// Everything outside that a deployment talks to.
#[derive(Clone)]
pub struct Clients {
    /// Dataproc's clusters.
    pub clusters: Arc<dyn ClusterApi>,
    /// Dataproc's jobs.
    pub jobs: Arc<dyn JobApi>,
    /// Cloud Storage.
    pub staging: Arc<dyn Staging>,
    /// Addresses, and who may enter.
    pub gate: Arc<dyn Gatekeeper>,
    /// SSH.
    pub connect: Arc<dyn Connect>,
    /// YARN.
    pub yarn: OpenYarn,
    /// Flink.
    pub flink: OpenFlink,
    /// Those who build Python environments, by the name that a spec chooses them by: `auto`, `local`, `uv`.
    pub environments: BTreeMap<String, Arc<dyn EnvironmentBuilder>>,
    /// The submission methods by name.
    pub methods: BTreeMap<String, OpenMethod>,
    /// Time. Sleeps must run side by side: a clock that jumps whenever anybody sleeps would end every deployment at once.
    pub clock: Arc<dyn Clock>,
}

impl Clients {
    /// Adds a builder of Python environments under its own name.
    #[must_use]
    pub fn with_environments(mut self, builder: impl EnvironmentBuilder + 'static) -> Self {
        let name = builder.name().to_owned();
        self.environments.insert(name, Arc::new(builder));
        self
    }

    /// Adds a submission method under its name.
    #[must_use]
    pub fn with_method(
        mut self,
        name: impl Into<String>,
        open: impl Fn(&Reachable) -> Result<Arc<dyn SubmissionMethod>, SubmitError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.methods.insert(name.into(), Arc::new(open));
        self
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("clusters", &self.clusters)
            .field("staging", &self.staging)
            .field("gate", &self.gate)
            .field("connect", &self.connect)
            .field("environments", &self.environments.keys())
            .field("methods", &self.methods.keys())
            .finish_non_exhaustive()
    }
}
