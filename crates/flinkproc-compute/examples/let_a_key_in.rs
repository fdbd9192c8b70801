//! Lets a key into a machine beside somebody else's and takes it out again; all in memory.
//!
//! `cargo run -p flinkproc-compute --example let_a_key_in`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::Arc;

use flinkproc_compute::{Access, AdmittedKey, Gatekeeper, Machine, MemoryGatekeeper, Reach};
use flinkproc_core::{Explain, MachineRef, ManualClock};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let clock = ManualClock::new("2026-11-22T12:00:00Z".parse()?);
    let gate = MemoryGatekeeper::new(Arc::new(clock));
    let machine = MachineRef {
        project: "my-project".parse()?,
        zone: "europe-west4-a".parse()?,
        instance: "batch-1-m".to_owned(),
    };
    gate.put(Machine {
        machine: machine.clone(),
        id: "4711".to_owned(),
        status: "RUNNING".to_owned(),
        internal: Some("10.0.0.2".parse()?),
        external: None,
        os_login: false,
    });
    gate.set_entry(&machine, "alice:ssh-ed25519 AAAAC3alice alice@example.com");

    let found = gate.find(&machine).await?.ok_or("no machine")?;
    if let Err(error) = found.address(Reach::External) {
        println!("error[{}]: {error}", error.code());
    }
    println!("inside the network: {}", found.address(Reach::Internal)?);
    let way = found.way(Access::Auto)?;
    println!("else by {}, since {}", way.reach, way.why);

    let key = AdmittedKey {
        user: "deploy".to_owned(),
        public_key: "ssh-ed25519 AAAAC3ours".to_owned(),
        expires: "2026-11-22T14:00:00Z".parse()?,
        door: found.door(),
    };
    gate.admit(&machine, &key).await?;
    println!("with our key:\n  {}", gate.entry(&machine).join("\n  "));
    gate.expel(&machine, &key).await?;
    println!("without it:\n  {}", gate.entry(&machine).join("\n  "));
    Ok(())
}
