//! Which of a machine's addresses to connect to.

use std::fmt;
use std::net::IpAddr;

use crate::error::GateError;
use crate::gatekeeper::Machine;

/// How a machine is to be reached.
///
/// A way through Identity-Aware Proxy, which needs no address, will be one more variant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reach {
    /// At its address outside.
    #[default]
    External,
    /// At its address inside the network, for callers that are in it too.
    Internal,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::External => "external",
            Self::Internal => "internal",
        })
    }
}

impl Machine {
    /// The address to connect to; never one of another kind than was asked for.
    ///
    /// # Errors
    /// [`GateError::NoAddress`] when the machine has none of that kind.
    pub fn address(&self, reach: Reach) -> Result<IpAddr, GateError> {
        let address = match reach {
            Reach::External => self.external,
            Reach::Internal => self.internal,
        };
        address.ok_or_else(|| GateError::NoAddress {
            machine: self.machine.clone(),
            reach,
        })
    }
}

#[cfg(test)]
mod tests {
    use flinkproc_core::{Explain, MachineRef};

    use super::Reach;
    use crate::gatekeeper::Machine;

    fn machine(internal: Option<&str>, external: Option<&str>) -> Machine {
        Machine {
            machine: MachineRef {
                project: "my-project".parse().expect("valid"),
                zone: "europe-west4-a".parse().expect("valid"),
                instance: "batch-m".to_owned(),
            },
            id: "1".to_owned(),
            status: "RUNNING".to_owned(),
            internal: internal.map(|text| text.parse().expect("valid")),
            external: external.map(|text| text.parse().expect("valid")),
            os_login: false,
        }
    }

    #[test]
    fn the_address_is_the_one_that_was_asked_for() {
        let both = machine(Some("10.0.0.2"), Some("192.0.2.7"));
        assert_eq!(
            both.address(Reach::default()).expect("there").to_string(),
            "192.0.2.7"
        );
        assert_eq!(
            both.address(Reach::Internal).expect("there").to_string(),
            "10.0.0.2"
        );
    }

    #[test]
    fn without_an_external_address_the_way_out_is_named() {
        let error = machine(Some("10.0.0.2"), None)
            .address(Reach::External)
            .expect_err("none");
        insta::assert_snapshot!(error, @"machine `batch-m` has no external address");
        assert!(error.help().is_some_and(|help| help.contains("internal")));
    }
}
