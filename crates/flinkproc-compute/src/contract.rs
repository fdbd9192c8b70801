//! The contract suite: what every [`Gatekeeper`] must do, run against any of them.
//!
//! It works on one machine that is there already, with a key of its own, which it takes out again in every outcome.

use flinkproc_core::MachineRef;
pub use flinkproc_core::contract::Broken;
use flinkproc_core::contract::{hold, must};

use crate::error::GateError;
use crate::gatekeeper::{AdmittedKey, Gatekeeper};

/// Runs the suite on a machine that runs, has an address and reads keys from its metadata.
///
/// `key` must be one that nobody else uses and that expires later.
///
/// # Errors
/// The first clause that does not hold.
pub async fn gatekeeper(
    gate: &dyn Gatekeeper,
    machine: &MachineRef,
    key: &AdmittedKey,
) -> Result<(), Broken> {
    let outcome = visit(gate, machine, key).await;
    let expelled = must("a key is taken out", gate.expel(machine, key).await);
    outcome.and(expelled)
}

async fn visit(
    gate: &dyn Gatekeeper,
    machine: &MachineRef,
    key: &AdmittedKey,
) -> Result<(), Broken> {
    let found = must("a machine is asked for", gate.find(machine).await)?;
    let Some(found) = found else {
        return hold("a machine that is there is found", false, &machine);
    };
    hold(
        "it is the one that was asked for",
        found.machine == *machine,
        &found,
    )?;
    let address = found.internal.or(found.external);
    hold("its address is told", address.is_some(), &found)?;
    hold("its number is told", !found.id.is_empty(), &found)?;
    hold("it reads keys from its metadata", !found.os_login, &found)?;
    must("host keys are asked for", gate.host_keys(machine).await)?;
    for clause in ["a key is let in", "a key is let in twice"] {
        must(clause, gate.admit(machine, key).await)?;
    }
    for clause in ["a key is taken out", "a key that is out is taken out"] {
        must(clause, gate.expel(machine, key).await)?;
    }
    must(
        "a key that was out is let in again",
        gate.admit(machine, key).await,
    )?;
    let broken = AdmittedKey {
        public_key: format!("{}\nroot:{}", key.public_key, key.public_key),
        ..key.clone()
    };
    let refused = gate.admit(machine, &broken).await;
    let invalid = matches!(refused, Err(GateError::Invalid { .. }));
    hold("a key of two lines is not valid", invalid, &refused)?;
    let nowhere = MachineRef {
        instance: format!("{}-nowhere", machine.instance),
        ..machine.clone()
    };
    absent(gate, &nowhere, key).await
}

async fn absent(
    gate: &dyn Gatekeeper,
    nowhere: &MachineRef,
    key: &AdmittedKey,
) -> Result<(), Broken> {
    let found = must("an absent machine is asked for", gate.find(nowhere).await)?;
    hold("an absent machine is none", found.is_none(), &found)?;
    let refused = gate.admit(nowhere, key).await;
    let not_found = matches!(refused, Err(GateError::NotFound { .. }));
    hold("nobody is let into an absent machine", not_found, &refused)?;
    must(
        "taking a key out of an absent machine succeeds",
        gate.expel(nowhere, key).await,
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flinkproc_core::{MachineRef, ManualClock};

    use super::gatekeeper;
    use crate::gatekeeper::{AdmittedKey, Machine};
    use crate::memory::MemoryGatekeeper;

    #[tokio::test]
    async fn the_double_keeps_the_contract() {
        let clock = ManualClock::new("2026-11-22T12:00:00Z".parse().expect("valid"));
        let gate = MemoryGatekeeper::new(Arc::new(clock));
        let machine = MachineRef {
            project: "my-project".parse().expect("valid"),
            zone: "europe-west4-a".parse().expect("valid"),
            instance: "batch-m".to_owned(),
        };
        gate.put(Machine {
            machine: machine.clone(),
            id: "1".to_owned(),
            status: "RUNNING".to_owned(),
            internal: Some("10.0.0.2".parse().expect("valid")),
            external: None,
            os_login: false,
        });
        gate.set_entry(&machine, "alice:ssh-ed25519 AAAAalice");
        let key = AdmittedKey {
            user: "deploy".to_owned(),
            public_key: "ssh-ed25519 AAAAours".to_owned(),
            expires: "2026-11-22T14:00:00Z".parse().expect("valid"),
        };
        gatekeeper(&gate, &machine, &key)
            .await
            .expect("the contract holds");
        assert_eq!(gate.entry(&machine), ["alice:ssh-ed25519 AAAAalice"]);
    }
}
