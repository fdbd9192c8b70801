//! Which way leads to the master: an address, hosts to go through, or Identity-Aware Proxy; and what the user's SSH configuration
//! adds to it.

use std::path::PathBuf;
use std::time::Duration;

use flinkproc_compute::{Access, Machine, Reach};
use flinkproc_core::MachineRef;
use flinkproc_plan::{AccessSpec, IdentityPlan};
use flinkproc_ssh::{HostKeyPolicy, HostSettings, Identity, JumpLogin, SshConfig, SshTarget};

use crate::error::RunError;
use crate::run::Run;

/// The way to the master.
#[derive(Debug)]
pub(crate) struct Way {
    /// The name or address of the master, as it is connected to or shown.
    pub(crate) host: String,
    port: u16,
    /// The login name, unless OS Login has another one.
    pub(crate) user: String,
    /// A key that the user's configuration names.
    pub(crate) identity_file: Option<PathBuf>,
    jumps: Vec<SshTarget>,
    connect_timeout: Option<Duration>,
    /// The machine that Identity-Aware Proxy is to lead to, where it is.
    pub(crate) tunnel_to: Option<MachineRef>,
    /// The way and why it was taken, for people.
    pub(crate) words: String,
}

impl Way {
    /// What is connected to on this way.
    pub(crate) fn target(
        &self,
        user: String,
        identity: Identity,
        host_keys: HostKeyPolicy,
    ) -> SshTarget {
        SshTarget {
            host: self.host.clone(),
            port: self.port,
            user,
            identity,
            host_keys,
            jumps: self.jumps.clone(),
            connect_timeout: self.connect_timeout,
        }
    }
}

impl Run {
    /// Chooses the way by what the machine has, what the spec says and, where that is asked for, the user's configuration.
    pub(crate) async fn way(&self, machine: &Machine) -> Result<Way, RunError> {
        let (settings, jumps) = self.user_settings(&machine.machine.instance).await?;
        let silent = |key: &str| self.plan.defaults.iter().any(|taken| taken.key == key);
        let plan = &self.plan.ssh;
        let user = settings.user.filter(|_| silent("ssh.user"));
        let port = settings.port.filter(|_| silent("ssh.port"));
        let mut files = settings.identity_files.into_iter();
        let named = plan.identity == IdentityPlan::Ephemeral && silent("ssh.identity");
        let mut way = Way {
            host: machine.machine.instance.clone(),
            port: port.unwrap_or(plan.port),
            user: user.unwrap_or_else(|| plan.user.clone()),
            identity_file: files.find(|file| named && file.exists()),
            jumps,
            connect_timeout: settings.connect_timeout,
            tunnel_to: None,
            words: String::new(),
        };
        if let Some(name) = settings.host_name.filter(|_| silent("ssh.access")) {
            way.host = name;
            way.words = format!("as your SSH configuration says{}", through(&way.jumps));
            return Ok(way);
        }
        let access = match plan.access {
            AccessSpec::External => Access::Only(Reach::External),
            AccessSpec::Internal => Access::Only(Reach::Internal),
            AccessSpec::Iap => Access::Only(Reach::Iap),
            // Who never enters does not ask for a way.
            AccessSpec::Never => Access::Auto,
            // Who goes through a host of their own goes to the machine's network.
            AccessSpec::Auto if !way.jumps.is_empty() => Access::Only(Reach::Internal),
            AccessSpec::Auto => Access::Auto,
        };
        let chosen = machine.way(access)?;
        way.words = match (chosen.reach, plan.access) {
            (Reach::Iap, AccessSpec::Auto) => {
                format!("through Identity-Aware Proxy since {}", chosen.why)
            }
            (Reach::Iap, _) => "through Identity-Aware Proxy".to_owned(),
            (reach, _) => format!("its {reach} address{}", through(&way.jumps)),
        };
        match chosen.address {
            Some(address) => way.host = address.to_string(),
            None => {
                way.jumps.clear();
                way.tunnel_to = Some(machine.machine.clone());
            }
        }
        Ok(way)
    }

    /// What the user's configuration says of a host, and the hosts to go through; nothing where it is not to be followed.
    async fn user_settings(&self, name: &str) -> Result<(HostSettings, Vec<SshTarget>), RunError> {
        let Some(home) = self.options.home.clone().filter(|_| self.plan.ssh.config) else {
            return Ok((HostSettings::default(), Vec::new()));
        };
        let login = JumpLogin {
            user: self.plan.ssh.user.clone(),
            agent: self.options.agent.clone(),
        };
        let config = SshConfig::new(&home.join(".ssh").join("config"), &home);
        // Boxed: the process that reads it would make every future on the way as large.
        let settings = Box::pin(config.host(name)).await?;
        Ok((settings, Box::pin(config.jumps(name, &login)).await?))
    }
}

fn through(jumps: &[SshTarget]) -> String {
    let names: Vec<&str> = jumps.iter().map(|hop| hop.host.as_str()).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(" through {}", names.join(" and "))
    }
}
