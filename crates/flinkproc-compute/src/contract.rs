//! The contract suite: what every [`Gatekeeper`] must do, run against any of them.
//!
//! It works on one machine that is there already, with a key of its own, which it takes out again in every outcome.

use flinkproc_core::MachineRef;
pub use flinkproc_core::contract::Broken;
use flinkproc_core::contract::{hold, must};

use crate::error::GateError;
use crate::gatekeeper::{AdmittedKey, Door, Gatekeeper};

/// Runs the suite on a machine that runs, has an address and lets keys in by the door that `key` names.
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
    hold("its door is the key's", found.door() == key.door, &found)?;
    must("host keys are asked for", gate.host_keys(machine).await)?;
    let login = must("a key is let in", gate.admit(machine, key).await)?;
    let own = key.door == Door::OsLogin || login == key.user;
    hold("its login name is told", own && !login.is_empty(), &login)?;
    let again = must("a key is let in twice", gate.admit(machine, key).await)?;
    hold("the login name stays", again == login, &again)?;
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
    // A profile takes a key without looking at a machine.
    let not_found = matches!(refused, Err(GateError::NotFound { .. }));
    let right = not_found || key.door == Door::OsLogin;
    hold("nobody is let into an absent machine", right, &refused)?;
    must(
        "taking a key out of an absent machine succeeds",
        gate.expel(nowhere, key).await,
    )
}

/// Runs the suite of tunnels on a machine where somebody listens on one port and nobody on another.
///
/// # Errors
/// The first clause that does not hold.
pub async fn tunnels(
    gate: &dyn Gatekeeper,
    machine: &MachineRef,
    open: u16,
    closed: u16,
) -> Result<(), Broken> {
    let opened = gate.open_tunnel(machine, open).await;
    drop(must("a tunnel to an open port is opened", opened)?);
    let opened = gate.open_tunnel(machine, open).await;
    drop(must("another one too", opened)?);
    let refused = gate.open_tunnel(machine, closed).await;
    let right = matches!(refused, Err(GateError::TunnelNoBackend { .. }));
    hold("one to a closed port is refused", right, &refused.err())?;
    let nowhere = MachineRef {
        instance: format!("{}-nowhere", machine.instance),
        ..machine.clone()
    };
    let refused = gate.open_tunnel(&nowhere, open).await;
    let right = matches!(refused, Err(GateError::TunnelNoMachine { .. }));
    hold("one to an absent machine is refused", right, &refused.err())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flinkproc_core::{MachineRef, ManualClock};

    use super::{gatekeeper, tunnels};
    use crate::gatekeeper::{AdmittedKey, Door, Machine};
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
            door: Door::Metadata,
        };
        gatekeeper(&gate, &machine, &key)
            .await
            .expect("the contract holds");
        assert_eq!(gate.entry(&machine), ["alice:ssh-ed25519 AAAAalice"]);
        tunnels(&gate, &machine, 22, 2222)
            .await
            .expect("the contract of tunnels holds");
        gate.alter(&machine, |machine| machine.os_login = true);
        let key = AdmittedKey {
            door: Door::OsLogin,
            ..key
        };
        gatekeeper(&gate, &machine, &key)
            .await
            .expect("the contract holds by OS Login");
        assert!(gate.profile().is_empty());
    }
}
