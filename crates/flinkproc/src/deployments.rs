//! The deployments that this machine knows.

use std::path::PathBuf;
use std::sync::Arc;

use flinkproc_core::DeploymentId;
use flinkproc_patterns::{Entry, FileJournal, Journal, Record};
use flinkproc_plan::Plan;

use crate::environment::Environment;
use crate::error::AppError;
use crate::report::Problem;

/// The state directory's deployments.
#[derive(Clone, Debug)]
pub(crate) struct Deployments {
    journal: Arc<FileJournal>,
}

impl Deployments {
    pub(crate) fn new(environment: &Environment) -> Self {
        Self {
            journal: Arc::new(FileJournal::new(environment.state().join("deployments"))),
        }
    }

    pub(crate) fn journal(&self) -> Arc<dyn Journal> {
        Arc::clone(&self.journal) as Arc<dyn Journal>
    }

    /// A deployment's own directory.
    pub(crate) fn directory(&self, id: &DeploymentId) -> PathBuf {
        self.journal.directory(id)
    }

    /// Whether some process runs this deployment now.
    pub(crate) fn runs(&self, id: &DeploymentId) -> bool {
        self.journal.is_held(id)
    }

    /// Every deployment with its records, oldest first.
    pub(crate) async fn all(&self) -> Result<Vec<(DeploymentId, Vec<Record>)>, Problem> {
        let mut all = Vec::new();
        for id in self.journal.list().await? {
            let records = self.journal.load(&id).await?;
            all.push((id, records));
        }
        all.sort_by_key(|(_, records)| records.first().map(|record| record.at));
        Ok(all)
    }

    /// The deployment whose id this is, or begins like this.
    pub(crate) async fn find(&self, prefix: &str) -> Result<DeploymentId, Problem> {
        let known = self.journal.list().await?;
        if let Some(exact) = known.iter().find(|id| id.as_str() == prefix) {
            return Ok(exact.clone());
        }
        let mut fitting: Vec<DeploymentId> = known
            .into_iter()
            .filter(|id| id.as_str().starts_with(prefix))
            .collect();
        match fitting.len() {
            1 => Ok(fitting.remove(0)),
            0 => Err(AppError::UnknownDeployment {
                id: prefix.to_owned(),
            }
            .into()),
            _ => Err(AppError::AmbiguousDeployment {
                prefix: prefix.to_owned(),
                candidates: fitting.iter().map(ToString::to_string).collect(),
            }
            .into()),
        }
    }

    /// The newest deployment that has not ended.
    pub(crate) async fn newest_unfinished(&self) -> Result<DeploymentId, Problem> {
        let all = self.all().await?;
        let unfinished =
            |(id, records): (DeploymentId, Vec<Record>)| ended(&records).is_none().then_some(id);
        let newest = all.into_iter().rev().find_map(unfinished);
        Ok(newest.ok_or(AppError::UnknownDeployment {
            id: "(the newest unfinished one)".to_owned(),
        })?)
    }

    /// Whether a deployment has come to its end.
    pub(crate) async fn is_over(&self, id: &DeploymentId) -> Result<bool, Problem> {
        Ok(ended(&self.journal.load(id).await?).is_some())
    }

    /// The plan of a deployment.
    pub(crate) async fn plan(&self, id: &DeploymentId) -> Result<Plan, Problem> {
        let records = self.journal.load(id).await?;
        let plan = plan(&records).cloned();
        Ok(plan.ok_or_else(|| AppError::UnknownDeployment { id: id.to_string() })?)
    }
}

/// The plan in a journal.
pub(crate) fn plan(records: &[Record]) -> Option<&Plan> {
    records.iter().find_map(|record| match &record.entry {
        Entry::Planned { plan } => Some(plan.as_ref()),
        _ => None,
    })
}

/// The outcome in a journal.
pub(crate) fn ended(records: &[Record]) -> Option<&flinkproc_patterns::Outcome> {
    records.iter().rev().find_map(|record| match &record.entry {
        Entry::Ended { outcome } => Some(outcome.as_ref()),
        _ => None,
    })
}
