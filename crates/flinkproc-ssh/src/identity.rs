//! Whose key opens the door: one made for the occasion, a file, or an agent.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use flinkproc_core::Secret;
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;

use crate::error::ShellError;

/// The key that is shown to a host.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Identity {
    /// A key made here, which never touches a disk.
    Ephemeral(EphemeralKey),
    /// A private key in OpenSSH's format, ed25519 or ECDSA, without a passphrase. Read when a connection is opened.
    KeyFile(PathBuf),
    /// The keys of the SSH agent behind this socket, tried in the agent's order.
    Agent(PathBuf),
}

/// An ed25519 key that lives in this process only and is wiped when the last copy is dropped.
///
/// ```
/// # use flinkproc_ssh::EphemeralKey;
/// let key = EphemeralKey::generate()?;
/// assert!(key.public_key().starts_with("ssh-ed25519 AAAA"));
/// assert_eq!(format!("{key:?}"), format!("EphemeralKey({})", key.public_key()));
/// # Ok::<(), flinkproc_ssh::ShellError>(())
/// ```
#[derive(Clone)]
pub struct EphemeralKey {
    #[cfg_attr(
        not(feature = "client"),
        expect(dead_code, reason = "only the client shows it")
    )]
    private: Secret<Arc<PrivateKey>>,
    public: String,
}

impl EphemeralKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`ShellError::NoRandomness`] when the system gives none.
    pub fn generate() -> Result<Self, ShellError> {
        let seed = random::<{ ssh_key::private::Ed25519PrivateKey::BYTE_SIZE }>()?;
        let private = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
        let public =
            private
                .public_key()
                .to_openssh()
                .map_err(|source| ShellError::NoRandomness {
                    source: source.into(),
                })?;
        Ok(Self {
            private: Secret::new(Arc::new(private)),
            public: public.trim_end().to_owned(),
        })
    }

    /// The public half as OpenSSH writes it, `ssh-ed25519 AAAA…`, without a comment.
    #[must_use]
    pub fn public_key(&self) -> &str {
        &self.public
    }

    /// The private half, for the connection that shows it.
    #[cfg(feature = "client")]
    pub(crate) const fn private(&self) -> &Secret<Arc<PrivateKey>> {
        &self.private
    }
}

impl fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EphemeralKey({})", self.public)
    }
}

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], ShellError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|source| ShellError::NoRandomness {
        source: source.into(),
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{EphemeralKey, Identity};

    #[test]
    fn keys_differ_and_debug_shows_only_the_public_half() {
        let (one, two) = (
            EphemeralKey::generate().expect("key"),
            EphemeralKey::generate().expect("key"),
        );
        assert_ne!(one.public_key(), two.public_key());
        assert_eq!(one.public_key().split(' ').count(), 2);
        let shown = format!("{:?}", Identity::Ephemeral(one.clone()));
        assert_eq!(
            shown,
            format!("Ephemeral(EphemeralKey({}))", one.public_key())
        );
    }
}
