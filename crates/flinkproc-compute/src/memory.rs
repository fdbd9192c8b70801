//! Machines in memory, with the metadata entry and the OS Login profile that the real services keep.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use flinkproc_core::{Clock, MachineRef};
use tokio::io::DuplexStream;

use crate::error::GateError;
use crate::gatekeeper::{AdmittedKey, Door, Gatekeeper, Machine, Tunnel};
use crate::keys;
use crate::profile::{self, ProfileKey};

/// How much of a tunnel in memory may wait for its reader.
const PIPE: usize = 64 << 10;

/// A stateful double of [`Gatekeeper`].
#[derive(Debug)]
pub struct MemoryGatekeeper {
    clock: Arc<dyn Clock>,
    everywhere: Option<IpAddr>,
    login: String,
    machines: Mutex<HashMap<MachineRef, Kept>>,
    profile: Mutex<Vec<ProfileKey>>,
    far_ends: Mutex<Vec<FarEnd>>,
}

/// The machine's end of a tunnel.
#[derive(Debug)]
pub struct FarEnd {
    /// The machine.
    pub machine: MachineRef,
    /// Its port.
    pub port: u16,
    /// What the machine reads and writes; dropping it ends the tunnel.
    pub stream: DuplexStream,
}

#[derive(Clone, Debug)]
struct Kept {
    machine: Machine,
    entry: String,
    host_keys: Vec<String>,
    ports: Vec<u16>,
}

impl Kept {
    const fn new(machine: Machine, ports: Vec<u16>) -> Self {
        Self {
            machine,
            entry: String::new(),
            host_keys: Vec::new(),
            ports,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryGatekeeper {
    /// A project without machines.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            everywhere: None,
            login: "ext_me_example_com".to_owned(),
            machines: Mutex::default(),
            profile: Mutex::default(),
            far_ends: Mutex::default(),
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

    /// The login name of the caller's OS Login profile.
    #[must_use]
    pub fn login(&self) -> &str {
        &self.login
    }

    /// Puts a machine there, without keys and with an SSH server on port 22; one of the same name is replaced.
    pub fn put(&self, machine: Machine) {
        let kept = Kept::new(machine.clone(), vec![22]);
        lock(&self.machines).insert(machine.machine, kept);
    }

    /// Takes a machine away.
    pub fn remove(&self, machine: &MachineRef) {
        lock(&self.machines).remove(machine);
    }

    /// Changes what is seen of a machine, such as its addresses or whether OS Login decides.
    pub fn alter(&self, machine: &MachineRef, alter: impl FnOnce(&mut Machine)) {
        self.change(machine, |kept| alter(&mut kept.machine));
    }

    /// Writes the whole metadata entry `ssh-keys` of a machine, as somebody else would.
    pub fn set_entry(&self, machine: &MachineRef, entry: &str) {
        self.change(machine, |kept| entry.clone_into(&mut kept.entry));
    }

    /// Publishes host keys for a machine.
    pub fn set_host_keys(&self, machine: &MachineRef, host_keys: Vec<String>) {
        self.change(machine, |kept| kept.host_keys = host_keys);
    }

    /// Lets these ports of a machine be listened on, and no other.
    pub fn set_ports(&self, machine: &MachineRef, ports: &[u16]) {
        self.change(machine, |kept| kept.ports = ports.to_vec());
    }

    /// Puts a key into the OS Login profile, as somebody else would: type, base64 and comment, and when it expires, in
    /// microseconds since 1970 (0 is never).
    pub fn put_profile_key(&self, text: &str, expires: i64) {
        let mut profile = lock(&self.profile);
        let name = format!("users/me/sshPublicKeys/{}", profile.len());
        profile.push(ProfileKey {
            name,
            text: text.to_owned(),
            expires,
        });
    }

    /// The keys of the OS Login profile, each as type, base64 and comment.
    #[must_use]
    pub fn profile(&self) -> Vec<String> {
        let profile = lock(&self.profile);
        profile.iter().map(|key| key.text.clone()).collect()
    }

    /// Takes the machine's end of the oldest tunnel that nobody has taken yet.
    #[must_use]
    pub fn take_far_end(&self) -> Option<FarEnd> {
        let mut ends = lock(&self.far_ends);
        (!ends.is_empty()).then(|| ends.remove(0))
    }

    /// The lines of a machine's metadata entry `ssh-keys`; empty when there is no machine.
    #[must_use]
    pub fn entry(&self, machine: &MachineRef) -> Vec<String> {
        let entry = self
            .change(machine, |kept| kept.entry.clone())
            .unwrap_or_default();
        entry.lines().map(str::to_owned).collect()
    }

    fn change<T>(&self, machine: &MachineRef, change: impl FnOnce(&mut Kept) -> T) -> Option<T> {
        let mut machines = lock(&self.machines);
        if let (None, Some(address)) = (machines.get(machine), self.everywhere) {
            let found = Machine {
                machine: machine.clone(),
                id: format!("{}", machines.len() + 1),
                status: "RUNNING".to_owned(),
                internal: Some(address),
                external: Some(address),
                os_login: false,
            };
            machines.insert(machine.clone(), Kept::new(found, vec![22]));
        }
        machines.get_mut(machine).map(change)
    }

    fn admit_to_profile(&self, key: &AdmittedKey) {
        let now = self.clock.now();
        let mut profile = lock(&self.profile);
        profile.retain(|known| !known.is(key) && !known.is_left_over(now));
        drop(profile);
        self.put_profile_key(&profile::marked(key), profile::expiry(key));
    }
}

#[async_trait]
impl Gatekeeper for MemoryGatekeeper {
    async fn find(&self, machine: &MachineRef) -> Result<Option<Machine>, GateError> {
        Ok(self.change(machine, |kept| kept.machine.clone()))
    }

    async fn admit(&self, machine: &MachineRef, key: &AdmittedKey) -> Result<String, GateError> {
        if let Some(problem) = keys::problem(key) {
            let message = problem.to_owned();
            return Err(GateError::Invalid {
                machine: machine.clone(),
                message,
            });
        }
        let now = self.clock.now();
        let admitted = self.change(machine, |kept| {
            let metadata = key.door == Door::Metadata;
            if metadata && !kept.machine.os_login {
                kept.entry = keys::with(&kept.entry, key, now);
            }
            !(metadata && kept.machine.os_login)
        });
        let machine = machine.clone();
        match (admitted, key.door) {
            (Some(true), Door::Metadata) => Ok(key.user.clone()),
            (Some(true), Door::OsLogin) => {
                self.admit_to_profile(key);
                Ok(self.login.clone())
            }
            (Some(false), _) => Err(GateError::OsLoginRequired { machine }),
            (None, _) => Err(GateError::NotFound { machine }),
        }
    }

    async fn expel(&self, machine: &MachineRef, key: &AdmittedKey) -> Result<(), GateError> {
        let now = self.clock.now();
        match key.door {
            Door::Metadata => {
                self.change(machine, |kept| {
                    kept.entry = keys::without(&kept.entry, key, now);
                });
            }
            Door::OsLogin => {
                lock(&self.profile).retain(|known| !known.is(key) && !known.is_left_over(now));
            }
        }
        Ok(())
    }

    async fn host_keys(&self, machine: &MachineRef) -> Result<Vec<String>, GateError> {
        let found = self.change(machine, |kept| kept.host_keys.clone());
        found.ok_or_else(|| GateError::NotFound {
            machine: machine.clone(),
        })
    }

    async fn open_tunnel(
        &self,
        machine: &MachineRef,
        port: u16,
    ) -> Result<Box<dyn Tunnel>, GateError> {
        let listens = self.change(machine, |kept| kept.ports.contains(&port));
        let machine = machine.clone();
        match listens {
            None => Err(GateError::TunnelNoMachine {
                machine,
                message: "there is no such machine".to_owned(),
            }),
            Some(false) => Err(GateError::TunnelNoBackend {
                machine,
                port,
                message: "nobody listens".to_owned(),
            }),
            Some(true) => {
                let (near, stream) = tokio::io::duplex(PIPE);
                let far = FarEnd {
                    machine,
                    port,
                    stream,
                };
                lock(&self.far_ends).push(far);
                Ok(Box::new(near))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flinkproc_core::{MachineRef, ManualClock};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::MemoryGatekeeper;
    use crate::error::GateError;
    use crate::gatekeeper::{AdmittedKey, Door, Gatekeeper};

    fn world() -> (MemoryGatekeeper, MachineRef) {
        let clock = ManualClock::new("2026-11-22T12:00:00Z".parse().expect("valid"));
        let address = "192.0.2.7".parse().expect("valid");
        let gate = MemoryGatekeeper::everywhere(Arc::new(clock), address);
        let machine = MachineRef {
            project: "my-project".parse().expect("valid"),
            zone: "europe-west4-a".parse().expect("valid"),
            instance: "batch-m".to_owned(),
        };
        (gate, machine)
    }

    #[tokio::test]
    async fn a_key_of_the_profile_spares_those_of_others() {
        let (gate, machine) = world();
        gate.alter(&machine, |machine| machine.os_login = true);
        gate.put_profile_key("ssh-ed25519 AAAAold flinkproc", 1);
        gate.put_profile_key("ssh-ed25519 AAAAalice alice@example.com", 1);
        let key = AdmittedKey {
            user: "deploy".to_owned(),
            public_key: "ssh-ed25519 AAAAours".to_owned(),
            expires: "2026-11-22T14:00:00Z".parse().expect("valid"),
            door: Door::OsLogin,
        };
        assert_eq!(
            gate.admit(&machine, &key).await,
            Ok("ext_me_example_com".to_owned())
        );
        let alice = "ssh-ed25519 AAAAalice alice@example.com";
        assert_eq!(gate.profile(), [alice, "ssh-ed25519 AAAAours flinkproc"]);
        gate.expel(&machine, &key).await.expect("taken out");
        assert_eq!(gate.profile(), [alice]);
    }

    #[tokio::test]
    async fn a_tunnel_leads_to_a_port_that_is_listened_on() {
        let (gate, machine) = world();
        let refused = gate.open_tunnel(&machine, 8088).await;
        assert!(matches!(refused, Err(GateError::TunnelNoBackend { .. })));
        let mut near = gate.open_tunnel(&machine, 22).await.expect("opened");
        let mut far = gate.take_far_end().expect("the other end").stream;
        near.write_all(b"hello").await.expect("written");
        let mut heard = [0; 5];
        far.read_exact(&mut heard).await.expect("read");
        assert_eq!(&heard, b"hello");
        drop(far);
        assert_eq!(near.read(&mut heard).await.expect("the end"), 0);
    }
}
