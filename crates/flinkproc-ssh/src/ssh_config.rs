//! [`SshConfig`]: what the user's `ssh_config` says of a host.
//!
//! `Host` with patterns and `Include` are followed, the first value counts. What OpenSSH would follow and is not understood here
//! (`Match`, `ProxyCommand`, tokens beyond `%h` and `%d`) is refused rather than passed over.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::ShellError;
use crate::identity::Identity;
use crate::known_hosts::HostKeyPolicy;
use crate::shell::SshTarget;
use crate::ssh_config_text::{Section, sections, values};

/// How many hosts one may go through.
const HOPS: usize = 8;

/// The user's SSH configuration.
///
/// ```
/// # use std::path::Path;
/// # use flinkproc_ssh::SshConfig;
/// let text = "Host *-m\n  User deploy\n  ProxyJump bastion\n";
/// let config = SshConfig::parse(text, Path::new("/home/me/.ssh/config"), Path::new("/home/me"))?;
/// assert_eq!(config.host("batch-1-m")?.user.as_deref(), Some("deploy"));
/// assert_eq!(config.host("elsewhere")?.user, None);
/// # Ok::<(), flinkproc_ssh::ShellError>(())
/// ```
pub struct SshConfig {
    sections: Vec<Section>,
    file: PathBuf,
    home: PathBuf,
}

impl fmt::Debug for SshConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SshConfig")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// What a configuration says of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSettings {
    /// The name or address to connect to (`HostName`).
    pub host_name: Option<String>,
    /// The port (`Port`).
    pub port: Option<u16>,
    /// The login name (`User`).
    pub user: Option<String>,
    /// Private keys, in their order (`IdentityFile`).
    pub identity_files: Vec<PathBuf>,
    /// Known-hosts files (`UserKnownHostsFile`).
    pub known_hosts: Vec<PathBuf>,
    /// How long connecting may take (`ConnectTimeout`).
    pub connect_timeout: Option<Duration>,
    /// Hosts to go through, as they are written: `[user@]host[:port]` (`ProxyJump`).
    pub jumps: Vec<String>,
}

/// How hosts on the way are entered where the configuration does not say it.
#[derive(Clone, Debug)]
pub struct JumpLogin {
    /// The login name.
    pub user: String,
    /// The socket of the SSH agent.
    pub agent: Option<PathBuf>,
}

impl SshConfig {
    /// Reads a configuration and what it includes; `home` stands for `~`.
    ///
    /// # Errors
    /// [`ShellError::Config`].
    pub fn read(file: &Path, home: &Path) -> Result<Self, ShellError> {
        let text = std::fs::read_to_string(file).map_err(|error| ShellError::Config {
            file: file.to_owned(),
            problem: format!("cannot be read: {error}"),
        })?;
        Self::parse(&text, file, home)
    }

    /// Reads a configuration's text.
    ///
    /// # Errors
    /// [`ShellError::Config`].
    pub fn parse(text: &str, file: &Path, home: &Path) -> Result<Self, ShellError> {
        let read = sections(text, home);
        Ok(Self {
            sections: read.map_err(|problem| ShellError::Config {
                file: file.to_owned(),
                problem,
            })?,
            file: file.to_owned(),
            home: home.to_owned(),
        })
    }

    fn refused(&self, problem: impl Into<String>) -> ShellError {
        ShellError::Config {
            file: self.file.clone(),
            problem: problem.into(),
        }
    }

    /// What it says of a host, by the name that one would type.
    ///
    /// # Errors
    /// [`ShellError::Config`] where it asks for something that is not done here.
    pub fn host(&self, name: &str) -> Result<HostSettings, ShellError> {
        let all = |keyword| values(&self.sections, name, keyword);
        let first = |keyword: &'static str| {
            let words = values(&self.sections, name, keyword).next()?;
            words.first().map(String::as_str)
        };
        let jump = first("proxyjump");
        if jump.is_none() && first("proxycommand").is_some_and(|word| word != "none") {
            let problem =
                format!("asks for a ProxyCommand for `{name}`; only ProxyJump is followed");
            return Err(self.refused(problem));
        }
        let jump = jump.filter(|word| *word != "none").unwrap_or_default();
        let jumps = jump.split(',').filter(|word| !word.is_empty());
        let number = |keyword: &'static str| -> Result<Option<u16>, ShellError> {
            let parsed = first(keyword).map(|word| {
                let wrong = || self.refused(format!("has no number for {keyword} in `{word}`"));
                word.parse().map_err(|_| wrong())
            });
            parsed.transpose()
        };
        let paths = |words: &[String]| -> Result<Vec<PathBuf>, ShellError> {
            let words = words.iter().filter(|word| *word != "none");
            let path = |word: &String| {
                let text = self.filled(word, name)?;
                Ok(match text.strip_prefix("~/") {
                    Some(rest) => self.home.join(rest),
                    None => PathBuf::from(text),
                })
            };
            words.map(path).collect()
        };
        let host_name = first("hostname").map(|text| self.filled(text, name));
        let timeout = number("connecttimeout")?;
        Ok(HostSettings {
            host_name: host_name.transpose()?,
            port: number("port")?,
            user: first("user").map(str::to_owned),
            identity_files: paths(&all("identityfile").flatten().cloned().collect::<Vec<_>>())?,
            known_hosts: paths(all("userknownhostsfile").next().unwrap_or_default())?,
            connect_timeout: timeout.map(|seconds| Duration::from_secs(seconds.into())),
            jumps: jumps.map(str::to_owned).collect(),
        })
    }

    /// A value with its tokens replaced.
    fn filled(&self, text: &str, name: &str) -> Result<String, ShellError> {
        let mut parts = text.split('%');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        while let Some(part) = parts.next() {
            match part.chars().next() {
                Some('h') => filled.push_str(name),
                Some('d') => filled.push_str(&self.home.to_string_lossy()),
                // `%%`: the sign itself, and the next part is plain.
                None => {
                    filled.push('%');
                    filled.push_str(parts.next().unwrap_or_default());
                    continue;
                }
                Some(other) => {
                    return Err(self.refused(format!("has a token `%{other}` in `{text}`")));
                }
            }
            filled.push_str(part.get(1..).unwrap_or_default());
        }
        Ok(filled)
    }

    /// The hosts to go through on the way to a host, ready to be connected to: the first one first.
    ///
    /// A host on the way is believed only with a key that the user's known-hosts files hold, and is entered with its first
    /// `IdentityFile` that is there, else the agent, else `~/.ssh/id_ed25519` or `~/.ssh/id_ecdsa`.
    ///
    /// # Errors
    /// [`ShellError::Config`].
    pub fn jumps(&self, name: &str, login: &JumpLogin) -> Result<Vec<SshTarget>, ShellError> {
        let mut way: Vec<SshTarget> = Vec::new();
        let mut words = self.host(name)?.jumps;
        while let Some(first) = words.first().cloned() {
            let mut part = Vec::new();
            for word in &words {
                part.push(self.jump(word, login)?);
            }
            part.append(&mut way);
            way = part;
            if way.len() > HOPS {
                return Err(
                    self.refused(format!("goes through more than {HOPS} hosts to `{name}`"))
                );
            }
            // Only the first one is reached from here, so only its own way counts.
            words = self.host(parts(&first).1)?.jumps;
        }
        Ok(way)
    }

    fn jump(&self, word: &str, login: &JumpLogin) -> Result<SshTarget, ShellError> {
        let (user, host, port) = parts(word);
        let settings = self.host(host)?;
        let port = match port {
            Some(text) => Some(
                text.parse()
                    .map_err(|_| self.refused(format!("has no port in `{word}`")))?,
            ),
            None => settings.port,
        };
        let port = port.unwrap_or(22);
        let user = user.map(str::to_owned).or(settings.user);
        let host_name = settings.host_name.unwrap_or_else(|| host.to_owned());
        let usual = ["id_ed25519", "id_ecdsa"].map(|file| self.home.join(".ssh").join(file));
        let there = |file: &&PathBuf| file.exists();
        let file = settings.identity_files.iter().find(there);
        let identity = match (file, &login.agent) {
            (Some(file), _) => Identity::KeyFile(file.clone()),
            (None, Some(agent)) => Identity::Agent(agent.clone()),
            (None, None) => match usual.iter().find(there) {
                Some(file) => Identity::KeyFile(file.clone()),
                None => {
                    return Err(self.refused(format!("names no key that is there for `{host}`")));
                }
            },
        };
        let mut files = settings.known_hosts;
        if files.is_empty() {
            files = vec![
                self.home.join(".ssh/known_hosts"),
                PathBuf::from("/etc/ssh/ssh_known_hosts"),
            ];
        }
        Ok(SshTarget {
            host: host_name.clone(),
            port,
            user: user.unwrap_or_else(|| login.user.clone()),
            identity,
            host_keys: HostKeyPolicy::KnownTo {
                files,
                host: host_name,
                port,
            },
            jumps: Vec::new(),
            connect_timeout: settings.connect_timeout,
        })
    }
}

/// `[user@]host[:port]`, with an IPv6 address in brackets.
fn parts(word: &str) -> (Option<&str>, &str, Option<&str>) {
    let word = word.strip_prefix("ssh://").unwrap_or(word);
    let (user, place) = match word.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, word),
    };
    if let Some((host, rest)) = place
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        return (user, host, rest.strip_prefix(':'));
    }
    match place.split_once(':') {
        Some((host, port)) if !port.contains(':') => (user, host, Some(port)),
        _ => (user, place, None),
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{JumpLogin, SshConfig, parts};
    use crate::error::ShellError;
    use crate::identity::Identity;

    fn config(text: &str) -> Result<SshConfig, ShellError> {
        SshConfig::parse(
            text,
            Path::new("/home/me/.ssh/config"),
            Path::new("/home/me"),
        )
    }

    fn login() -> JumpLogin {
        JumpLogin {
            user: "me".to_owned(),
            agent: Some("/run/agent".into()),
        }
    }

    #[test]
    fn the_first_value_counts_and_patterns_are_followed() {
        let config = config(
            "Host batch-*-m !batch-9-m\n  HostName %h.internal\n  User deploy\n  Port 2222\n  IdentityFile ~/.ssh/cloud\n  \
             ConnectTimeout 7\n  UserKnownHostsFile ~/.ssh/cloud_hosts\nHost *\n  User somebody\n",
        )
        .expect("read");
        let found = config.host("batch-1-m").expect("followed");
        assert_eq!(found.host_name.as_deref(), Some("batch-1-m.internal"));
        assert_eq!(found.user.as_deref(), Some("deploy"));
        assert_eq!(found.port, Some(2222));
        assert_eq!(found.identity_files, [PathBuf::from("/home/me/.ssh/cloud")]);
        assert_eq!(
            found.known_hosts,
            [PathBuf::from("/home/me/.ssh/cloud_hosts")]
        );
        assert_eq!(found.connect_timeout.map(|span| span.as_secs()), Some(7));
        let found = config.host("batch-9-m").expect("followed");
        assert_eq!(found.user.as_deref(), Some("somebody"));
        assert_eq!(found.host_name, None);
    }

    #[test]
    fn the_way_is_made_of_every_hosts_own_jumps() {
        let config = config(
            "Host *-m\n  ProxyJump inner,ops@10.0.0.9:2200\nHost inner\n  ProxyJump outer\n  HostName inner.example.com\n\
             Host outer\n  HostName 192.0.2.1\n  Port 443\n  User door\nHost direct-m\n  ProxyJump none\n",
        )
        .expect("read");
        let way = config.jumps("batch-m", &login()).expect("followed");
        let shown: Vec<String> = way
            .iter()
            .map(|hop| format!("{}@{}:{}", hop.user, hop.host, hop.port))
            .collect();
        assert_eq!(
            shown,
            [
                "door@192.0.2.1:443",
                "me@inner.example.com:22",
                "ops@10.0.0.9:2200"
            ]
        );
        assert!(matches!(way[0].identity, Identity::Agent(_)));
        assert!(
            config
                .jumps("elsewhere", &login())
                .expect("none")
                .is_empty()
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let refused = |text: &str| {
            let asked = config(text).and_then(|config| config.jumps("batch-m", &login()));
            asked.expect_err("refused").to_string()
        };
        insta::assert_snapshot!(refused("Host a\n  User b\nMatch host batch-m\n  User c\n"), @"the SSH configuration /home/me/.ssh/config has a section `Match`, which is not understood");
        insta::assert_snapshot!(refused("Host *\n  ProxyCommand nc %h %p\n"), @"the SSH configuration /home/me/.ssh/config asks for a ProxyCommand for `batch-m`; only ProxyJump is followed");
        insta::assert_snapshot!(refused("Host *\n  IdentityFile /keys/%r\n"), @"the SSH configuration /home/me/.ssh/config has a token `%r` in `/keys/%r`");
        insta::assert_snapshot!(refused("Host *\n  ProxyJump a:b\n"), @"the SSH configuration /home/me/.ssh/config has no port in `a:b`");
        insta::assert_snapshot!(refused("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\nHost *-m\n  ProxyJump a\n"), @"the SSH configuration /home/me/.ssh/config goes through more than 8 hosts to `batch-m`");
    }

    #[test]
    fn jumps_are_taken_apart() {
        assert_eq!(parts("bastion"), (None, "bastion", None));
        assert_eq!(
            parts("me@bastion:2222"),
            (Some("me"), "bastion", Some("2222"))
        );
        assert_eq!(
            parts("ssh://me@[2001:db8::1]:22"),
            (Some("me"), "2001:db8::1", Some("22"))
        );
        assert_eq!(parts("2001:db8::1"), (None, "2001:db8::1", None));
    }
}
