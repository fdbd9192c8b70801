//! A loopback address for each cluster, never one that another sandbox uses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use crate::error::SandboxError;

/// Addresses are `127.0.N.2` with these N.
const BLOCKS: std::ops::RangeInclusive<u8> = 10..=250;
/// Ports that a cluster needs on its address; the ResourceManager's, the first NodeManager's and OpenSSH's.
const PORTS: [u16; 8] = [8030, 8031, 8032, 8033, 8040, 8041, 8042, 8088];
const CLAIM: u16 = 8088;
/// OpenSSH's port where an ordinary user may not take 22.
pub const HIGH_SSH_PORT: u16 = 2222;

/// An address that is ours as long as this value lives.
///
/// The claim is a UDP socket on the address: the kernel gives it to one process only and frees it when that process ends,
/// however it ends, and nothing listens there for connections.
#[derive(Debug)]
pub(crate) struct Address {
    ip: Ipv4Addr,
    _claim: UdpSocket,
}

impl Address {
    /// Takes the first address that no one has claimed and on which nobody listens.
    pub(crate) fn take(ssh_port: u16) -> Result<Self, SandboxError> {
        BLOCKS
            .map(|block| Ipv4Addr::new(127, 0, block, 2))
            .find_map(|ip| {
                let claim = UdpSocket::bind((ip, CLAIM)).ok()?;
                let free = |port: u16| TcpListener::bind((ip, port)).is_ok();
                (PORTS.into_iter().all(free) && free(ssh_port))
                    .then_some(Self { ip, _claim: claim })
            })
            .ok_or(SandboxError::NoAddress {
                tried: BLOCKS.len(),
            })
    }

    pub(crate) const fn ip(&self) -> Ipv4Addr {
        self.ip
    }
}

/// The port OpenSSH gets on every cluster: 22 where this user may bind it, else [`HIGH_SSH_PORT`].
#[must_use]
pub fn ssh_port() -> u16 {
    // An address that no cluster uses, so that a server of the machine itself on port 22 does not matter.
    let probe = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 9, 22)), 22);
    match TcpListener::bind(probe) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => HIGH_SSH_PORT,
        // A server on every address of the machine leaves no room for ours on 22.
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => HIGH_SSH_PORT,
        _ => 22,
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, HIGH_SSH_PORT};

    #[test]
    fn two_clusters_never_share_an_address_and_a_free_one_comes_back() {
        let first = Address::take(HIGH_SSH_PORT).expect("free");
        let second = Address::take(HIGH_SSH_PORT).expect("free");
        assert_ne!(first.ip(), second.ip());
        let ip = first.ip();
        drop(first);
        assert_eq!(Address::take(HIGH_SSH_PORT).expect("free").ip(), ip);
    }
}
