//! [`SshConfig`]: what the user's `ssh_config` says of a host, as OpenSSH itself reads it.
//!
//! `ssh -G` reads the file: patterns, `Match` and `Include` mean what they mean to `ssh`. What only `ssh` could carry out
//! (`ProxyCommand`) is refused rather than passed over.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::error::ShellError;
use crate::identity::Identity;
use crate::known_hosts::HostKeyPolicy;
use crate::shell::SshTarget;

/// How many hosts one may go through.
const HOPS: usize = 8;

/// The user's SSH configuration; `ssh` is asked for each host.
///
/// ```
/// # use flinkproc_ssh::SshConfig;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let home = tempfile::tempdir()?;
/// let file = home.path().join("config");
/// std::fs::write(&file, "Host *-m\n  User deploy\n  ProxyJump bastion\n")?;
/// let config = SshConfig::new(&file, home.path());
/// assert_eq!(config.host("batch-1-m").await?.user.as_deref(), Some("deploy"));
/// assert_eq!(config.host("elsewhere").await?.user, None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SshConfig {
    file: PathBuf,
    home: PathBuf,
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
    /// The configuration in `file`; `home` stands for `~` in the names of keys.
    #[must_use]
    pub fn new(file: &Path, home: &Path) -> Self {
        Self {
            file: file.to_owned(),
            home: home.to_owned(),
        }
    }

    fn refused(&self, problem: impl Into<String>) -> ShellError {
        ShellError::Config {
            file: self.file.clone(),
            problem: problem.into(),
        }
    }

    /// What `ssh` makes of a host with this configuration, or with none.
    async fn ask(&self, file: &Path, name: &str) -> Result<Vec<(String, String)>, ShellError> {
        let asked = Command::new("ssh")
            .arg("-F")
            .arg(file)
            .args(["-G", "--", name])
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(|error| self.refused(format!("needs OpenSSH's `ssh` to be read: {error}")))?;
        if !asked.status.success() {
            let said = String::from_utf8_lossy(&asked.stderr);
            let said = said.lines().collect::<Vec<_>>().join("; ");
            return Err(self.refused(format!("is not read by `ssh`: {said}")));
        }
        let text = String::from_utf8_lossy(&asked.stdout);
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        let pairs = lines.map(|(keyword, value)| (keyword.to_owned(), value.to_owned()));
        Ok(pairs.collect())
    }

    /// What it says of a host, by the name that one would type; what it leaves at OpenSSH's own default counts as not said.
    ///
    /// # Errors
    /// [`ShellError::Config`] where it cannot be read or asks for something that is not done here.
    pub async fn host(&self, name: &str) -> Result<HostSettings, ShellError> {
        if let Err(error) = tokio::fs::metadata(&self.file).await {
            return Err(self.refused(format!("cannot be read: {error}")));
        }
        let said = self.ask(&self.file, name).await?;
        let usual = self.ask(Path::new("none"), name).await?;
        let values = |keyword: &'static str| {
            let own = said.iter().filter(|pair| !usual.contains(pair));
            let own = own.filter(move |(found, _)| found == keyword);
            own.map(|(_, value)| value.as_str())
        };
        let first = |keyword| values(keyword).find(|value| *value != "none");
        if first("proxyjump").is_none() && first("proxycommand").is_some() {
            let problem =
                format!("asks for a ProxyCommand for `{name}`; only ProxyJump is followed");
            return Err(self.refused(problem));
        }
        let of = |keyword: &str| {
            let mut all = said.iter().filter(|(found, _)| found == keyword);
            all.next()
                .map(|(_, value)| value.as_str())
                .unwrap_or_default()
        };
        let tokens = Tokens {
            home: &self.home.to_string_lossy(),
            host: of("hostname"),
            port: of("port"),
            name,
            user: of("user"),
        };
        let path = |text: &str| -> Result<PathBuf, ShellError> {
            let filled = tokens.fill(text);
            let filled = filled.map_err(|problem| self.refused(problem))?;
            Ok(match filled.strip_prefix("~/") {
                Some(rest) => self.home.join(rest),
                None => PathBuf::from(filled),
            })
        };
        let keys = values("identityfile").filter(|value| *value != "none");
        let known = first("userknownhostsfile").unwrap_or_default();
        let jumps = first("proxyjump").unwrap_or_default().split(',');
        let seconds = first("connecttimeout").and_then(|value| value.parse().ok());
        Ok(HostSettings {
            host_name: first("hostname").map(str::to_owned),
            port: first("port").and_then(|value| value.parse().ok()),
            user: first("user").map(str::to_owned),
            identity_files: keys.map(path).collect::<Result<_, _>>()?,
            known_hosts: known
                .split_whitespace()
                .map(path)
                .collect::<Result<_, _>>()?,
            connect_timeout: seconds.map(Duration::from_secs),
            jumps: jumps
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }

    /// The hosts to go through on the way to a host, ready to be connected to: the first one first.
    ///
    /// A host on the way is believed only with a key that the user's known-hosts files hold, and is entered with its first
    /// `IdentityFile` that is there, else the agent, else `~/.ssh/id_ed25519` or `~/.ssh/id_ecdsa`.
    ///
    /// # Errors
    /// [`ShellError::Config`].
    pub async fn jumps(&self, name: &str, login: &JumpLogin) -> Result<Vec<SshTarget>, ShellError> {
        let mut way: Vec<SshTarget> = Vec::new();
        let mut words = self.host(name).await?.jumps;
        while let Some(first) = words.first().cloned() {
            let mut part = Vec::new();
            for word in &words {
                part.push(self.jump(word, login).await?);
            }
            part.append(&mut way);
            way = part;
            if way.len() > HOPS {
                return Err(
                    self.refused(format!("goes through more than {HOPS} hosts to `{name}`"))
                );
            }
            // Only the first one is reached from here, so only its own way counts.
            words = self.host(parts(&first).1).await?.jumps;
        }
        Ok(way)
    }

    async fn jump(&self, word: &str, login: &JumpLogin) -> Result<SshTarget, ShellError> {
        let (user, host, port) = parts(word);
        let settings = self.host(host).await?;
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

/// What stands for the tokens of a file's name, which `ssh -G` leaves in it.
struct Tokens<'a> {
    home: &'a str,
    host: &'a str,
    port: &'a str,
    name: &'a str,
    user: &'a str,
}

impl Tokens<'_> {
    fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                filled.push(letter);
                continue;
            }
            filled.push_str(match letters.next() {
                Some('%') => "%",
                Some('d') => self.home,
                Some('h') => self.host,
                Some('n') => self.name,
                Some('p') => self.port,
                Some('r') => self.user,
                _ => return Err(format!("has a token in `{text}` that is not followed")),
            });
        }
        Ok(filled)
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
    use std::fs;
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::{JumpLogin, SshConfig, parts};
    use crate::error::ShellError;
    use crate::identity::Identity;

    fn config(text: &str) -> (TempDir, SshConfig) {
        let home = tempfile::tempdir().expect("a folder");
        let file = home.path().join("config");
        fs::write(&file, text).expect("written");
        let config = SshConfig::new(&file, home.path());
        (home, config)
    }

    fn login() -> JumpLogin {
        JumpLogin {
            user: "me".to_owned(),
            agent: Some("/run/agent".into()),
        }
    }

    #[tokio::test]
    async fn the_first_value_counts_and_patterns_matches_and_includes_are_followed() {
        let (home, config) = config(
            "Host batch-*-m !batch-9-m\n  HostName %h.internal\n  User deploy\n  Port 2222\n  IdentityFile ~/keys/%r-%p-%n\n  \
             ConnectTimeout 7\n  UserKnownHostsFile /etc/cloud_hosts\nMatch host batch-9-m\n  Port 99\nHost *\n  User somebody\n",
        );
        let found = config.host("batch-1-m").await.expect("followed");
        assert_eq!(found.host_name.as_deref(), Some("batch-1-m.internal"));
        assert_eq!(found.user.as_deref(), Some("deploy"));
        assert_eq!(found.port, Some(2222));
        let key = home.path().join("keys/deploy-2222-batch-1-m");
        assert_eq!(found.identity_files, [key]);
        assert_eq!(found.known_hosts, [PathBuf::from("/etc/cloud_hosts")]);
        assert_eq!(found.connect_timeout.map(|span| span.as_secs()), Some(7));
        let included = home.path().join("included");
        fs::write(&included, "Host batch-9-m\n  ProxyJump none\n").expect("written");
        let text = fs::read_to_string(&config.file).expect("read");
        let include = format!("Include {}\n{text}", included.display());
        fs::write(&config.file, include).expect("written");
        let found = config.host("batch-9-m").await.expect("followed");
        assert_eq!(found.user.as_deref(), Some("somebody"));
        assert_eq!(found.port, Some(99));
        assert_eq!(found.host_name, None);
        assert!(found.jumps.is_empty() && found.identity_files.is_empty());
    }

    #[tokio::test]
    async fn the_way_is_made_of_every_hosts_own_jumps() {
        let (_home, config) = config(
            "Host *-m\n  ProxyJump inner,ops@10.0.0.9:2200\nHost inner\n  ProxyJump outer\n  HostName inner.example.com\n\
             Host outer\n  HostName 192.0.2.1\n  Port 443\n  User door\nHost direct-m\n  ProxyJump none\n",
        );
        let way = config.jumps("batch-m", &login()).await.expect("followed");
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
        let way = config.jumps("elsewhere", &login()).await;
        assert!(way.expect("none").is_empty());
    }

    #[tokio::test]
    async fn what_is_not_followed_is_refused() {
        let refused = async |text: &str| {
            let (_home, config) = config(text);
            let asked = config.jumps("batch-m", &login()).await;
            match asked.expect_err("refused") {
                ShellError::Config { problem, .. } => problem,
                other => unreachable!("{other}"),
            }
        };
        insta::assert_snapshot!(refused("Host *\n  ProxyCommand nc %h %p\n").await, @"asks for a ProxyCommand for `batch-m`; only ProxyJump is followed");
        insta::assert_snapshot!(refused("Host *\n  IdentityFile /keys/%C\n").await, @"has a token in `/keys/%C` that is not followed");
        insta::assert_snapshot!(refused("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\nHost *-m\n  ProxyJump a\n").await, @"goes through more than 8 hosts to `batch-m`");
        let said = refused("Hots *\n").await;
        assert!(
            said.starts_with("is not read by `ssh`: ") && said.contains("hots"),
            "{said}"
        );
        let nowhere = SshConfig::new("/nowhere/config".as_ref(), "/nowhere".as_ref());
        let error = nowhere.host("batch-m").await.expect_err("refused");
        assert!(
            error.to_string().contains("/nowhere/config cannot be read"),
            "{error}"
        );
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
