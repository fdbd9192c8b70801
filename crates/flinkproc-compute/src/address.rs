//! Which way to go to a machine: one of its addresses, or Identity-Aware Proxy.

use std::fmt;
use std::net::IpAddr;

use crate::error::GateError;
use crate::gatekeeper::Machine;

/// How a machine is to be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reach {
    /// At its address outside.
    #[default]
    External,
    /// At its address inside the network, for callers that are in it too.
    Internal,
    /// Through Identity-Aware Proxy, which needs no address.
    Iap,
}

/// How a machine may be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// At its address outside where it has one, else through Identity-Aware Proxy.
    #[default]
    Auto,
    /// In this way only.
    Only(Reach),
}

/// The way that was chosen, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// How the machine is reached.
    pub reach: Reach,
    /// The address to connect to; none through Identity-Aware Proxy.
    pub address: Option<IpAddr>,
    /// Why this way, in words for people.
    pub why: &'static str,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::External => "external",
            Self::Internal => "internal",
            Self::Iap => "IAP",
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
            Reach::Iap => None,
        };
        address.ok_or_else(|| GateError::NoAddress {
            machine: self.machine.clone(),
            reach,
        })
    }

    /// Chooses the way to the machine by what it has.
    ///
    /// # Errors
    /// [`GateError::NoAddress`] when only an address would do and the machine has none of that kind.
    pub fn way(&self, access: Access) -> Result<Way, GateError> {
        let (reach, why) = match access {
            Access::Auto if self.external.is_some() => {
                (Reach::External, "the machine has an external address")
            }
            Access::Auto => (Reach::Iap, "the machine has no external address"),
            Access::Only(reach) => (reach, "it was asked for"),
        };
        let address = match reach {
            Reach::Iap => None,
            reach => Some(self.address(reach)?),
        };
        Ok(Way {
            reach,
            address,
            why,
        })
    }
}

#[cfg(test)]
mod tests {
    use flinkproc_core::{Explain, MachineRef};

    use super::{Access, Reach};
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
    fn the_way_is_chosen_by_what_the_machine_has() {
        let check = |external: Option<&str>, access: Access| {
            let way = machine(Some("10.0.0.2"), external).way(access);
            way.map(|way| {
                let address = way.address.map(|address| address.to_string());
                (way.reach, address.unwrap_or_default())
            })
        };
        let at = |reach, address: &str| Ok((reach, address.to_owned()));
        let outside = Some("192.0.2.7");
        assert_eq!(
            check(outside, Access::Auto),
            at(Reach::External, "192.0.2.7")
        );
        assert_eq!(check(None, Access::Auto), at(Reach::Iap, ""));
        let only = Access::Only(Reach::Internal);
        assert_eq!(check(outside, only), at(Reach::Internal, "10.0.0.2"));
        let only = Access::Only(Reach::Iap);
        assert_eq!(check(outside, only), at(Reach::Iap, ""));
        assert!(check(None, Access::Only(Reach::External)).is_err());
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
