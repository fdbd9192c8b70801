//! Which host keys are believed: pinned at first sight in a file of our own, published by the cloud, or given exactly.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ssh_key::{HashAlg, PublicKey};

use crate::error::ShellError;

/// A host's public key.
///
/// ```
/// # use flinkproc_ssh::HostKey;
/// let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ root@m";
/// let key: HostKey = line.parse()?;
/// assert!(key.fingerprint().starts_with("SHA256:"));
/// assert!(line.starts_with(&key.to_string()));
/// # Ok::<(), flinkproc_ssh::InvalidHostKey>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct HostKey(PublicKey);

/// A text that is no public key as OpenSSH writes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no public key: it reads `ssh-ed25519 AAAA…`")]
#[non_exhaustive]
pub struct InvalidHostKey {
    /// What was written.
    pub text: String,
}

impl HostKey {
    /// The fingerprint as `ssh-keygen -l` shows it, `SHA256:…`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Wraps a key as the connection saw it.
    #[cfg(feature = "client")]
    pub(crate) fn from_presented(key: &PublicKey) -> Self {
        Self(PublicKey::from(key.key_data().clone()))
    }

    /// The kind of key, as the handshake names it.
    #[cfg(feature = "client")]
    pub(crate) fn algorithm(&self) -> ssh_key::Algorithm {
        self.0.algorithm()
    }
}

impl FromStr for HostKey {
    type Err = InvalidHostKey;

    fn from_str(text: &str) -> Result<Self, InvalidHostKey> {
        let key = PublicKey::from_openssh(text.trim()).map_err(|_| InvalidHostKey {
            text: text.to_owned(),
        })?;
        // Without its comment, so that equal keys are equal.
        Ok(Self(PublicKey::from(key.key_data().clone())))
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_openssh().map_err(|_| fmt::Error)?;
        f.write_str(text.trim_end())
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostKey({} {})", self.0.algorithm(), self.fingerprint())
    }
}

/// Which host keys are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostKeyPolicy {
    /// The key pinned under a name in a file of our own; the first key seen is pinned.
    Pinned {
        /// The known-hosts file; made at the first pin, readable by its owner only.
        file: PathBuf,
        /// The name that the key is pinned under, as OpenSSH's `HostKeyAlias`: something that changes when the machine is made
        /// anew, such as the cluster's UUID with the machine's name. Never an address, which machines share over time.
        alias: String,
        /// Keys that a trustworthy source has published for this host. When there are any, only they are believed, also
        /// over an older pin.
        published: Vec<HostKey>,
    },
    /// These keys and no other; nothing is written.
    Exactly(Vec<HostKey>),
    /// What the user's own known-hosts files say of this host, as OpenSSH writes them, hashed names included; a host that they
    /// do not know is refused, and nothing is written. Patterns, `@revoked` and `@cert-authority` are not understood.
    KnownTo {
        /// The files; those that are not there are left out.
        files: Vec<PathBuf>,
        /// The host as the files name it.
        host: String,
        /// Its port.
        port: u16,
    },
}

/// What a policy says of a key that it believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The key was known.
    Known,
    /// The key is believed and not yet pinned: [`HostKeyPolicy::pin`] it once the connection stands.
    New,
}

impl HostKeyPolicy {
    /// Pins the first key seen under `alias` in `file`, and refuses another one from then on.
    #[must_use]
    pub fn pinned(file: impl Into<PathBuf>, alias: impl Into<String>) -> Self {
        Self::Pinned {
            file: file.into(),
            alias: alias.into(),
            published: Vec::new(),
        }
    }

    /// As [`pinned`](Self::pinned), and the host's keys are known from a trustworthy source; an empty list adds nothing.
    #[must_use]
    pub fn published(
        file: impl Into<PathBuf>,
        alias: impl Into<String>,
        published: Vec<HostKey>,
    ) -> Self {
        Self::Pinned {
            file: file.into(),
            alias: alias.into(),
            published,
        }
    }

    /// Believes these keys and no other.
    #[must_use]
    pub const fn exactly(keys: Vec<HostKey>) -> Self {
        Self::Exactly(keys)
    }

    /// The keys that would be believed without question; the handshake asks for their kinds first.
    ///
    /// # Errors
    /// [`ShellError::KnownHosts`] when the file cannot be used.
    pub fn expected(&self) -> Result<Vec<HostKey>, ShellError> {
        match self {
            Self::Exactly(keys) => Ok(keys.clone()),
            Self::Pinned { published, .. } if !published.is_empty() => Ok(published.clone()),
            Self::Pinned { file, alias, .. } => pins(file, alias),
            Self::KnownTo { files, host, port } => known_to(files, host, *port),
        }
    }

    /// Judges the key that a host shows. Reads the file, changes nothing.
    ///
    /// # Errors
    /// [`ShellError::HostKeyChanged`], [`ShellError::HostKeyUnexpected`], or [`ShellError::KnownHosts`] when the file cannot be
    /// used.
    pub fn judge(&self, presented: &HostKey) -> Result<Verdict, ShellError> {
        let unexpected = || ShellError::HostKeyUnexpected {
            presented: presented.fingerprint(),
        };
        let (file, alias, published) = match self {
            Self::Exactly(keys) if keys.contains(presented) => return Ok(Verdict::Known),
            Self::Exactly(_) => return Err(unexpected()),
            Self::KnownTo { files, host, port } => {
                let known = known_to(files, host, *port)?;
                return match known.first() {
                    _ if known.contains(presented) => Ok(Verdict::Known),
                    Some(_) => Err(unexpected()),
                    None => Err(ShellError::HostKeyUnknown {
                        host: host.clone(),
                        presented: presented.fingerprint(),
                    }),
                };
            }
            Self::Pinned {
                file,
                alias,
                published,
            } => (file, alias, published),
        };
        let pinned = pins(file, alias)?;
        let trusted = published.is_empty() || published.contains(presented);
        match pinned.first() {
            _ if !trusted => Err(unexpected()),
            _ if pinned.contains(presented) => Ok(Verdict::Known),
            Some(first) if published.is_empty() => Err(ShellError::HostKeyChanged {
                alias: alias.clone(),
                pinned: first.fingerprint(),
                presented: presented.fingerprint(),
                file: file.clone(),
            }),
            _ => Ok(Verdict::New),
        }
    }

    /// Pins a key that was judged [`Verdict::New`]. Safe beside other processes; the file is whole at every instant. Idempotent.
    ///
    /// # Errors
    /// As [`judge`](Self::judge), when somebody pinned another key meanwhile, and [`ShellError::KnownHosts`].
    pub fn pin(&self, key: &HostKey) -> Result<(), ShellError> {
        let Self::Pinned {
            file,
            alias,
            published,
        } = self
        else {
            return Ok(());
        };
        let unusable =
            |source: io::Error| known_hosts(file, format!("cannot be written: {source}"));
        let lock = lock(file).map_err(unusable)?;
        if self.judge(key)? == Verdict::New {
            let old = read(file)?;
            // A published key takes the place of an older pin.
            let keep = |line: &&str| published.is_empty() || !names(line, alias);
            let mut text: String = old.lines().filter(keep).flat_map(|l| [l, "\n"]).collect();
            text.push_str(&format!("{alias} {key}\n"));
            replace(file, &text).map_err(unusable)?;
        }
        drop(lock);
        Ok(())
    }
}

/// The keys that OpenSSH's files hold for a host.
#[cfg(feature = "client")]
fn known_to(files: &[PathBuf], host: &str, port: u16) -> Result<Vec<HostKey>, ShellError> {
    let mut keys = Vec::new();
    for file in files.iter().filter(|file| file.exists()) {
        let found = russh::keys::known_hosts::known_host_keys_path(host, port, file);
        let found = found.map_err(|error| known_hosts(file, format!("cannot be read: {error}")))?;
        keys.extend(found.iter().map(|(_, key)| HostKey::from_presented(key)));
    }
    Ok(keys)
}

/// Without the client there is nobody who reads them, nor a connection that would be judged.
#[cfg(not(feature = "client"))]
fn known_to(files: &[PathBuf], host: &str, port: u16) -> Result<Vec<HostKey>, ShellError> {
    let file = files.first().cloned().unwrap_or_default();
    let problem = format!("is not read for {host}:{port} without the feature `client`");
    Err(known_hosts(&file, problem))
}

/// The keys pinned for a name.
fn pins(file: &Path, alias: &str) -> Result<Vec<HostKey>, ShellError> {
    // These would be read back as something else: a list, a pattern, a marker, a comment, a hash.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/');
    if alias.is_empty() || !alias.chars().all(plain) {
        return Err(known_hosts(
            file,
            format!("cannot hold a key under the name {alias:?}"),
        ));
    }
    let mut keys = Vec::new();
    for (number, line) in read(file)?.lines().enumerate() {
        if !names(line, alias) {
            continue;
        }
        let key = line
            .split_once(char::is_whitespace)
            .map_or("", |(_, key)| key);
        // A damaged pin must not turn into trust at first sight.
        let key = key.parse().map_err(|_| {
            known_hosts(file, format!("has no readable key in line {}", number + 1))
        })?;
        keys.push(key);
    }
    Ok(keys)
}

/// Whether a line is about `alias`.
fn names(line: &str, alias: &str) -> bool {
    let hosts = line.split_whitespace().next().unwrap_or_default();
    hosts.split(',').any(|host| host == alias)
}

fn read(file: &Path) -> Result<String, ShellError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(known_hosts(file, format!("cannot be read: {error}"))),
    }
}

/// Takes the lock beside the file; it goes with the handle.
fn lock(file: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let lock = options
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(beside(file, "lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// Puts a new text in the file's place, in one step. Called under the lock.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let new = beside(file, "new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut handle = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&new)?;
    handle.write_all(text.as_bytes())?;
    handle.sync_all()?;
    fs::rename(&new, file)
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

fn known_hosts(file: &Path, problem: String) -> ShellError {
    ShellError::KnownHosts {
        file: file.to_owned(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use tempfile::tempdir;

    use super::{HostKey, HostKeyPolicy, Verdict};
    use crate::error::ShellError;
    use crate::identity::EphemeralKey;

    fn key() -> HostKey {
        let key = EphemeralKey::generate().expect("key");
        key.public_key().parse().expect("a public key")
    }

    #[test]
    fn the_first_key_is_pinned_and_another_one_refused() {
        let dir = tempdir().expect("dir");
        let file = dir.path().join("known_hosts");
        let policy = HostKeyPolicy::pinned(&file, "uuid-1");
        let (first, second) = (key(), key());
        assert_eq!(policy.judge(&first).expect("new"), Verdict::New);
        policy.pin(&first).expect("pinned");
        policy.pin(&first).expect("pinned twice is pinned once");
        assert_eq!(policy.judge(&first).expect("known"), Verdict::Known);
        let error = policy.judge(&second).expect_err("changed");
        assert!(
            matches!(error, ShellError::HostKeyChanged { .. }),
            "{error}"
        );
        assert!(policy.pin(&second).is_err());
        assert_eq!(
            fs::read_to_string(&file).expect("text"),
            format!("uuid-1 {first}\n")
        );
        assert_eq!(
            fs::metadata(&file).expect("meta").permissions().mode() & 0o777,
            0o600
        );
        let other = HostKeyPolicy::pinned(&file, "uuid-2");
        assert_eq!(other.judge(&second).expect("another host"), Verdict::New);
    }

    #[test]
    fn published_keys_decide_also_over_an_older_pin() {
        let dir = tempdir().expect("dir");
        let file = dir.path().join("known_hosts");
        let (old, new) = (key(), key());
        HostKeyPolicy::pinned(&file, "a").pin(&old).expect("pinned");
        HostKeyPolicy::pinned(&file, "b").pin(&old).expect("pinned");
        let policy = HostKeyPolicy::published(&file, "a", vec![new.clone()]);
        assert!(matches!(
            policy.judge(&old),
            Err(ShellError::HostKeyUnexpected { .. })
        ));
        assert_eq!(policy.judge(&new).expect("believed"), Verdict::New);
        policy.pin(&new).expect("pinned");
        let text = fs::read_to_string(&file).expect("text");
        assert_eq!(text, format!("b {old}\na {new}\n"));
    }

    #[test]
    fn a_damaged_pin_is_never_trust_at_first_sight() {
        let dir = tempdir().expect("dir");
        let file = dir.path().join("known_hosts");
        fs::write(&file, "# ours\nother garbage\nuuid ssh-ed25519 AAAA\n").expect("written");
        let error = HostKeyPolicy::pinned(&file, "uuid")
            .judge(&key())
            .expect_err("damaged");
        assert!(error.to_string().contains("line 3"), "{error}");
        for name in ["", "a b", "a,b", "*", "#a", "|1|x", "@revoked"] {
            let policy = HostKeyPolicy::pinned(&file, name);
            assert!(
                matches!(policy.judge(&key()), Err(ShellError::KnownHosts { .. })),
                "{name}"
            );
        }
    }

    #[test]
    fn writers_side_by_side_lose_no_pin() {
        let dir = tempdir().expect("dir");
        let file = Arc::new(dir.path().join("known_hosts"));
        let writers: Vec<_> = (0..16)
            .map(|n| {
                let file = Arc::clone(&file);
                std::thread::spawn(move || {
                    HostKeyPolicy::pinned(file.as_path(), format!("h{n}")).pin(&key())
                })
            })
            .collect();
        for writer in writers {
            writer.join().expect("no panic").expect("pinned");
        }
        assert_eq!(
            fs::read_to_string(file.as_path())
                .expect("text")
                .lines()
                .count(),
            16
        );
    }

    #[test]
    fn exact_keys_write_nothing() {
        let (ours, other) = (key(), key());
        let policy = HostKeyPolicy::exactly(vec![ours.clone()]);
        assert_eq!(policy.judge(&ours).expect("known"), Verdict::Known);
        assert!(matches!(
            policy.judge(&other),
            Err(ShellError::HostKeyUnexpected { .. })
        ));
    }
}
