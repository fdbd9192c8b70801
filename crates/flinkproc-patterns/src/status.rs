//! What is known of deployments: from the journal, and from the labels of clusters.

use flinkproc_core::{ClusterRef, DeploymentId, ProjectId, Region, RunKey};
use flinkproc_dataproc::{ClusterApi, ClusterState};
use flinkproc_plan::Plan;
use jiff::Timestamp;

use crate::cluster::LABEL;
use crate::error::RunError;
use crate::journal::{Entry, Journal};
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::step::{Intent, Step};

/// What the journal knows of a deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct DeploymentStatus {
    /// Its id.
    pub deployment: DeploymentId,
    /// The user's own name for the run.
    pub run_key: Option<RunKey>,
    /// Its plan.
    pub plan: Plan,
    /// When it began.
    pub began: Timestamp,
    /// The step that was begun last.
    pub step: Option<Step>,
    /// The clusters that it made or found and that are not known to be deleted.
    pub clusters: Vec<ClusterRef>,
    /// What it came to; [`None`] while it is not finished.
    pub outcome: Option<Outcome>,
}

impl DeploymentStatus {
    /// Reads what the journal knows of a deployment; `None` when it knows none of that id. Holds nothing and changes nothing.
    ///
    /// # Errors
    /// The journal's own failures.
    pub async fn find(journal: &dyn Journal, id: &DeploymentId) -> Result<Option<Self>, RunError> {
        let records = journal.load(id).await?;
        let progress = Progress::replay(&records);
        let (Some(plan), Some(began)) = (progress.plan, progress.began) else {
            return Ok(None);
        };
        let step = records.iter().rev().find_map(|record| match &record.entry {
            Entry::Started { intent } => step_of(intent),
            _ => None,
        });
        let clusters = progress.clusters.into_iter().filter(|one| !one.deleted);
        Ok(Some(Self {
            deployment: id.clone(),
            run_key: plan.run_key.clone(),
            began,
            step,
            clusters: clusters.map(|one| one.cluster).collect(),
            outcome: progress.outcome,
            plan,
        }))
    }

    /// Reads all that the journal knows, oldest first.
    ///
    /// # Errors
    /// The journal's own failures.
    pub async fn list(journal: &dyn Journal) -> Result<Vec<Self>, RunError> {
        let mut all = Vec::new();
        for id in journal.list().await? {
            all.extend(Self::find(journal, &id).await?);
        }
        all.sort_by_key(|one| one.began);
        Ok(all)
    }
}

const fn step_of(intent: &Intent) -> Option<Step> {
    Some(match intent {
        Intent::CheckBucket => Step::CheckBucket,
        Intent::Stage => Step::Stage,
        Intent::Environment { .. } => Step::Environment,
        Intent::CreateCluster { .. } => Step::CreateCluster,
        Intent::Enter { .. } => Step::Enter,
        Intent::Submit { .. } => Step::Submit,
        Intent::Watch => Step::Watch,
        Intent::DeleteCluster { .. } => Step::DeleteCluster,
        Intent::Act { .. } | Intent::End { .. } => return None,
    })
}

/// A cluster that some deployment made, going by its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledCluster {
    /// The cluster.
    pub cluster: ClusterRef,
    /// Its state.
    pub state: ClusterState,
    /// The deployment on its label.
    pub deployment: String,
    /// Whether the journal here knows that deployment and says that it is not finished: then the cluster is in use.
    pub in_use: bool,
}

/// Lists the clusters of a region that bear a deployment's label. Those not in use may belong to somebody else's machine: ask
/// before deleting.
///
/// # Errors
/// Dataproc's and the journal's failures.
pub async fn labelled_clusters(
    clusters: &dyn ClusterApi,
    journal: &dyn Journal,
    project: &ProjectId,
    region: &Region,
) -> Result<Vec<LabelledCluster>, RunError> {
    let mut found = Vec::new();
    for cluster in clusters.list(project, region, "").await? {
        let Some(deployment) = cluster.labels.get(LABEL).cloned() else {
            continue;
        };
        let known = match deployment.parse() {
            Ok(id) => DeploymentStatus::find(journal, &id).await?,
            Err(_) => None,
        };
        found.push(LabelledCluster {
            cluster: cluster.cluster,
            state: cluster.state,
            deployment,
            in_use: known.is_some_and(|known| known.outcome.is_none()),
        });
    }
    Ok(found)
}
