//! Machines in memory, with the metadata entry that the real service keeps.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use flinkproc_core::{Clock, MachineRef};

use crate::error::GateError;
use crate::gatekeeper::{AdmittedKey, Gatekeeper, Machine};
use crate::keys;

/// A stateful double of [`Gatekeeper`].
#[derive(Debug)]
pub struct MemoryGatekeeper {
    clock: Arc<dyn Clock>,
    everywhere: Option<IpAddr>,
    machines: Mutex<HashMap<MachineRef, Kept>>,
}

#[derive(Clone, Debug)]
struct Kept {
    machine: Machine,
    entry: String,
    host_keys: Vec<String>,
}

impl MemoryGatekeeper {
    /// A project without machines.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            everywhere: None,
            machines: Mutex::default(),
        }
    }

    /// A project where every machine that is asked for runs, at this internal and external address.
    #[must_use]
    pub fn everywhere(clock: Arc<dyn Clock>, address: IpAddr) -> Self {
        Self {
            everywhere: Some(address),
            ..Self::new(clock)
        }
    }

    /// Puts a machine there, without keys; one of the same name is replaced.
    pub fn put(&self, machine: Machine) {
        let kept = Kept {
            machine: machine.clone(),
            entry: String::new(),
            host_keys: Vec::new(),
        };
        self.lock().insert(machine.machine, kept);
    }

    /// Takes a machine away.
    pub fn remove(&self, machine: &MachineRef) {
        self.lock().remove(machine);
    }

    /// Writes the whole metadata entry `ssh-keys` of a machine, as somebody else would.
    pub fn set_entry(&self, machine: &MachineRef, entry: &str) {
        self.change(machine, |kept| entry.clone_into(&mut kept.entry));
    }

    /// Publishes host keys for a machine.
    pub fn set_host_keys(&self, machine: &MachineRef, host_keys: Vec<String>) {
        self.change(machine, |kept| kept.host_keys = host_keys);
    }

    /// The lines of a machine's metadata entry `ssh-keys`; empty when there is no machine.
    #[must_use]
    pub fn entry(&self, machine: &MachineRef) -> Vec<String> {
        let entry = self
            .change(machine, |kept| kept.entry.clone())
            .unwrap_or_default();
        entry.lines().map(str::to_owned).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MachineRef, Kept>> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, machine: &MachineRef, change: impl FnOnce(&mut Kept) -> T) -> Option<T> {
        let mut machines = self.lock();
        if let (None, Some(address)) = (machines.get(machine), self.everywhere) {
            let found = Machine {
                machine: machine.clone(),
                id: format!("{}", machines.len() + 1),
                status: "RUNNING".to_owned(),
                internal: Some(address),
                external: Some(address),
                os_login: false,
            };
            let kept = Kept {
                machine: found,
                entry: String::new(),
                host_keys: Vec::new(),
            };
            machines.insert(machine.clone(), kept);
        }
        machines.get_mut(machine).map(change)
    }
}

#[async_trait]
impl Gatekeeper for MemoryGatekeeper {
    async fn find(&self, machine: &MachineRef) -> Result<Option<Machine>, GateError> {
        Ok(self.change(machine, |kept| kept.machine.clone()))
    }

    async fn admit(&self, machine: &MachineRef, key: &AdmittedKey) -> Result<(), GateError> {
        if let Some(problem) = keys::problem(key) {
            let message = problem.to_owned();
            return Err(GateError::Invalid {
                machine: machine.clone(),
                message,
            });
        }
        let now = self.clock.now();
        let admitted = self.change(machine, |kept| {
            if !kept.machine.os_login {
                kept.entry = keys::with(&kept.entry, key, now);
            }
            !kept.machine.os_login
        });
        let machine = machine.clone();
        match admitted {
            Some(true) => Ok(()),
            Some(false) => Err(GateError::OsLoginRequired { machine }),
            None => Err(GateError::NotFound { machine }),
        }
    }

    async fn expel(&self, machine: &MachineRef, key: &AdmittedKey) -> Result<(), GateError> {
        let now = self.clock.now();
        self.change(machine, |kept| {
            kept.entry = keys::without(&kept.entry, key, now);
        });
        Ok(())
    }

    async fn host_keys(&self, machine: &MachineRef) -> Result<Vec<String>, GateError> {
        let found = self.change(machine, |kept| kept.host_keys.clone());
        found.ok_or_else(|| GateError::NotFound {
            machine: machine.clone(),
        })
    }
}
