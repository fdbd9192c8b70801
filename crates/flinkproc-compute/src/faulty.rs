//! Failures on demand: [`Faulty`] is a [`Gatekeeper`] again; methods are counted under their own names.

use async_trait::async_trait;
use flinkproc_core::{Fault, Faulty, MachineRef};

use crate::error::GateError;
use crate::gatekeeper::{AdmittedKey, Gatekeeper, Machine, Tunnel};

/// Makes the call unless a fault forbids it, and loses the answer where a fault says so.
async fn suffer<T: Send>(
    fault: Option<Fault>,
    machine: &MachineRef,
    call: impl Future<Output = Result<T, GateError>> + Send,
) -> Result<T, GateError> {
    let machine = machine.clone();
    match fault {
        None => call.await,
        Some(Fault::Before) => {
            let message = "injected: the connection was refused".to_owned();
            Err(GateError::Unavailable { machine, message })
        }
        Some(Fault::AnswerLost) => {
            // The effect is what matters; what became of it is lost on purpose.
            drop(call.await);
            let message = "injected: the connection was dropped".to_owned();
            Err(GateError::OutcomeUnknown { machine, message })
        }
    }
}

#[async_trait]
impl<T: Gatekeeper> Gatekeeper for Faulty<T> {
    async fn find(&self, machine: &MachineRef) -> Result<Option<Machine>, GateError> {
        suffer(self.strike("find"), machine, self.inner().find(machine)).await
    }

    async fn admit(&self, machine: &MachineRef, key: &AdmittedKey) -> Result<String, GateError> {
        suffer(
            self.strike("admit"),
            machine,
            self.inner().admit(machine, key),
        )
        .await
    }

    async fn expel(&self, machine: &MachineRef, key: &AdmittedKey) -> Result<(), GateError> {
        suffer(
            self.strike("expel"),
            machine,
            self.inner().expel(machine, key),
        )
        .await
    }

    async fn host_keys(&self, machine: &MachineRef) -> Result<Vec<String>, GateError> {
        suffer(
            self.strike("host_keys"),
            machine,
            self.inner().host_keys(machine),
        )
        .await
    }

    async fn open_tunnel(
        &self,
        machine: &MachineRef,
        port: u16,
    ) -> Result<Box<dyn Tunnel>, GateError> {
        suffer(
            self.strike("open_tunnel"),
            machine,
            self.inner().open_tunnel(machine, port),
        )
        .await
    }
}
