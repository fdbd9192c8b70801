//! A journal in memory: for tests, and for embedders that need no resume.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use flinkproc_core::DeploymentId;

use crate::journal::{Hold, Journal, JournalError, Record, Scope};

/// A journal that is forgotten with its process. Clones share their records.
#[derive(Clone, Debug, Default)]
pub struct MemoryJournal {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    records: BTreeMap<DeploymentId, Vec<Record>>,
    held: HashSet<Scope>,
}

impl MemoryJournal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A journal that holds these records of one deployment, as another process may have left them.
    #[must_use]
    pub fn with(id: DeploymentId, records: Vec<Record>) -> Self {
        let journal = Self::new();
        journal.lock().records.insert(id, records);
        journal
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Guard {
    journal: MemoryJournal,
    scope: Scope,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.journal.lock().held.remove(&self.scope);
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn hold(&self, scope: &Scope) -> Result<Hold, JournalError> {
        if !self.lock().held.insert(scope.clone()) {
            let holder = String::new();
            let scope = scope.clone();
            return Err(JournalError::Held { scope, holder });
        }
        let journal = self.clone();
        let scope = scope.clone();
        Ok(Hold::new(Guard { journal, scope }))
    }

    async fn append(&self, id: &DeploymentId, record: &Record) -> Result<(), JournalError> {
        let mut shared = self.lock();
        let records = shared.records.entry(id.clone()).or_default();
        records.push(record.clone());
        Ok(())
    }

    async fn load(&self, id: &DeploymentId) -> Result<Vec<Record>, JournalError> {
        Ok(self.lock().records.get(id).cloned().unwrap_or_default())
    }

    async fn list(&self) -> Result<Vec<DeploymentId>, JournalError> {
        Ok(self.lock().records.keys().cloned().collect())
    }
}
