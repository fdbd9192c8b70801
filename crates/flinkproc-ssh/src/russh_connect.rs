//! [`RusshConnector`]: opens a connection, through other hosts where asked to, judges the host's key and shows ours.

use std::borrow::Cow;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use russh::client::{self, AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::error::{Cause, ShellError};
use crate::identity::Identity;
use crate::known_hosts::{HostKey, HostKeyPolicy, Verdict};
use crate::prompt_stream::PromptStream;
use crate::russh_shell::RusshShell;
use crate::shell::{ByteStream, Connect, RemoteShell, SshTarget};

/// How connections are opened and kept.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// How long opening may take, from the first packet to being let in.
    pub connect_timeout: Duration,
    /// After how long a silence the host is asked whether it is still there.
    pub keepalive: Duration,
    /// After how many such questions without an answer the connection is given up.
    pub keepalive_limit: usize,
    /// How many commands and transfers one connection carries at once; more wait their turn. OpenSSH's server allows 10
    /// unless `MaxSessions` says otherwise.
    pub sessions: usize,
    /// How many forwarded connections it carries at once; more wait their turn.
    pub forwarded: usize,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            keepalive: Duration::from_secs(10),
            keepalive_limit: 3,
            sessions: 8,
            forwarded: 64,
        }
    }
}

/// Opens SSH connections with russh, over TCP or a stream that is given. One attempt for each call: who waits for a machine repeats.
#[derive(Clone, Debug, Default)]
pub struct RusshConnector {
    options: ConnectOptions,
}

impl RusshConnector {
    /// A connector with these options.
    #[must_use]
    pub const fn new(options: ConnectOptions) -> Self {
        Self { options }
    }

    /// Opens a connection over TCP, through the target's jumps where it has any.
    async fn open(&self, target: &SshTarget) -> Result<RusshShell, ShellError> {
        let mut through: Option<RusshShell> = None;
        for hop in target.jumps.iter().chain([target]) {
            let opened = match through {
                None => {
                    let stream = dial(hop).await?;
                    self.open_over(hop, stream, None).await?
                }
                Some(before) => {
                    let (host, port) = (hop.host.clone(), hop.port);
                    let stream = before.stream_to(&host, port).await;
                    let stream = stream.map_err(|source| ShellError::Unreachable {
                        host,
                        port,
                        source: io::Error::other(source),
                    })?;
                    self.open_over(hop, stream, Some(before)).await?
                }
            };
            through = Some(opened);
        }
        through.ok_or_else(|| ShellError::NotStarted {
            source: "there is nowhere to connect to".into(),
        })
    }

    /// Opens a connection over a stream that leads to the target's SSH server.
    async fn open_over(
        &self,
        target: &SshTarget,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        through: Option<RusshShell>,
    ) -> Result<RusshShell, ShellError> {
        let key = Key::load(&target.identity).await?;
        let expected = blocking(target.host_keys.clone(), |policy| policy.expected()).await?;
        let fresh = FreshKey::default();
        let gate = Gate {
            policy: target.host_keys.clone(),
            fresh: fresh.clone(),
        };
        let config = Arc::new(self.config(&expected));
        let opened = client::connect_stream(config, stream, gate).await;
        let mut handle = opened.map_err(|error| error.explain(target))?;
        key.show(&mut handle, target).await?;
        if let Some(key) = fresh.take() {
            blocking(target.host_keys.clone(), move |policy| policy.pin(&key)).await?;
        }
        Ok(RusshShell::new(handle, &self.options, through))
    }

    /// Ends an attempt that takes too long.
    async fn in_time(
        &self,
        target: &SshTarget,
        opening: impl Future<Output = Result<RusshShell, ShellError>>,
    ) -> Result<Arc<dyn RemoteShell>, ShellError> {
        let limit = target
            .connect_timeout
            .unwrap_or(self.options.connect_timeout);
        let late = || ShellError::NoAnswer {
            host: target.host.clone(),
            port: target.port,
            limit,
        };
        // The socket decides how long this takes, not the deployment's clock.
        let opened = tokio::time::timeout(limit, Box::pin(opening)).await;
        Ok(Arc::new(opened.map_err(|_| late())??))
    }

    fn config(&self, expected: &[HostKey]) -> client::Config {
        let mut preferred = russh::Preferred::default();
        // Ask for the kind of key that is pinned, or another key of the same host would look like a changed one.
        let wanted =
            |kind: &russh::keys::Algorithm| expected.iter().any(|k| k.algorithm() == *kind);
        let (mut first, rest): (Vec<_>, Vec<_>) =
            preferred.key.iter().cloned().partition(|kind| wanted(kind));
        first.extend(rest);
        preferred.key = Cow::Owned(first);
        client::Config {
            preferred,
            nodelay: true,
            keepalive_interval: Some(self.options.keepalive),
            keepalive_max: self.options.keepalive_limit,
            ..client::Config::default()
        }
    }
}

#[async_trait]
impl Connect for RusshConnector {
    async fn connect(&self, target: &SshTarget) -> Result<Arc<dyn RemoteShell>, ShellError> {
        self.in_time(target, self.open(target)).await
    }

    async fn connect_over(
        &self,
        target: &SshTarget,
        stream: Box<dyn ByteStream>,
    ) -> Result<Arc<dyn RemoteShell>, ShellError> {
        let opening = self.open_over(target, stream, None);
        self.in_time(target, opening).await
    }
}

async fn dial(target: &SshTarget) -> Result<PromptStream, ShellError> {
    let (host, port) = (target.host.clone(), target.port);
    let dialled = TcpStream::connect((host.as_str(), port)).await;
    let stream = dialled.map_err(|source| match source.kind() {
        io::ErrorKind::ConnectionRefused => ShellError::Refused { host, port },
        _ => ShellError::Unreachable { host, port, source },
    })?;
    Ok(PromptStream::new(stream))
}

/// Runs a piece of the policy that reads or writes its file.
async fn blocking<T: Send + 'static>(
    policy: HostKeyPolicy,
    work: impl FnOnce(HostKeyPolicy) -> Result<T, ShellError> + Send + 'static,
) -> Result<T, ShellError> {
    let done = tokio::task::spawn_blocking(move || work(policy)).await;
    done.map_err(|source| ShellError::LocalMachine {
        action: "read the known-hosts file",
        source: source.into(),
    })?
}

/// The host key that is to be pinned once we were let in.
#[derive(Clone, Debug, Default)]
struct FreshKey(Arc<Mutex<Option<HostKey>>>);

impl FreshKey {
    fn put(&self, key: HostKey) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
    }

    fn take(&self) -> Option<HostKey> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Judges the host's key during the handshake.
#[derive(Debug)]
pub(crate) struct Gate {
    policy: HostKeyPolicy,
    fresh: FreshKey,
}

/// Why a handshake ended: russh's reason, or our refusal of the host's key.
#[derive(Debug)]
pub(crate) enum GateError {
    Protocol(russh::Error),
    Refused(ShellError),
}

impl From<russh::Error> for GateError {
    fn from(error: russh::Error) -> Self {
        Self::Protocol(error)
    }
}

impl GateError {
    fn explain(self, target: &SshTarget) -> ShellError {
        match self {
            Self::Refused(error) => error,
            Self::Protocol(error) => handshake(target, error.into()),
        }
    }
}

impl client::Handler for Gate {
    type Error = GateError;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, GateError> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else {
            let presented = "in a certificate".to_owned();
            return Err(GateError::Refused(ShellError::HostKeyUnexpected {
                presented,
            }));
        };
        let key = HostKey::from_presented(key);
        let judged = key.clone();
        let verdict = blocking(self.policy.clone(), move |policy| policy.judge(&judged)).await;
        if verdict.map_err(GateError::Refused)? == Verdict::New {
            self.fresh.put(key);
        }
        Ok(true)
    }
}

/// Our key, ready to be shown.
enum Key<'a> {
    Private(Arc<PrivateKey>),
    Agent(&'a std::path::Path),
}

impl<'a> Key<'a> {
    async fn load(identity: &'a Identity) -> Result<Self, ShellError> {
        let file = match identity {
            Identity::Ephemeral(key) => {
                return Ok(Self::Private(Arc::clone(key.private().reveal())));
            }
            Identity::Agent(socket) => return Ok(Self::Agent(socket)),
            Identity::KeyFile(file) => file,
        };
        let unusable = |problem: String| ShellError::UnusableKey {
            file: file.clone(),
            problem,
        };
        let text = tokio::fs::read(file).await;
        let text = text.map_err(|error| unusable(format!("cannot be read: {error}")))?;
        let key = PrivateKey::from_openssh(&text)
            .map_err(|error| unusable(format!("is not in OpenSSH's format: {error}")))?;
        if key.is_encrypted() {
            return Err(ShellError::EncryptedKey { file: file.clone() });
        }
        match key.algorithm() {
            russh::keys::Algorithm::Ed25519 | russh::keys::Algorithm::Ecdsa { .. } => {
                Ok(Self::Private(Arc::new(key)))
            }
            other => Err(unusable(format!(
                "is of the kind {other}, which only an agent can use"
            ))),
        }
    }

    async fn show(&self, handle: &mut Handle<Gate>, target: &SshTarget) -> Result<(), ShellError> {
        let user = target.user.as_str();
        match self {
            Self::Private(key) => {
                let shown = PrivateKeyWithHashAlg::new(Arc::clone(key), None);
                let answer = handle.authenticate_publickey(user, shown).await;
                let answer = answer.map_err(|error| handshake(target, error.into()))?;
                let words = match &target.identity {
                    Identity::Ephemeral(_) => "the ephemeral key".to_owned(),
                    Identity::KeyFile(file) => format!("the key {}", file.display()),
                    Identity::Agent(socket) => format!("the agent at {}", socket.display()),
                };
                accepted(&answer, target, words)
            }
            Self::Agent(socket) => show_agent_keys(handle, target, socket).await,
        }
    }
}

/// Tries the agent's keys in turn, until one is accepted.
async fn show_agent_keys(
    handle: &mut Handle<Gate>,
    target: &SshTarget,
    socket: &std::path::Path,
) -> Result<(), ShellError> {
    let problem = |problem: String| ShellError::Agent {
        socket: socket.to_owned(),
        problem,
    };
    let silent = |error: &dyn std::fmt::Display| problem(format!("does not answer: {error}"));
    let mut agent = AgentClient::connect_uds(socket)
        .await
        .map_err(|e| silent(&e))?;
    let identities = agent.request_identities().await.map_err(|e| silent(&e))?;
    if identities.is_empty() {
        return Err(problem("holds no key".to_owned()));
    }
    let mut hash = None;
    if identities
        .iter()
        .any(|i| i.public_key().algorithm().is_rsa())
    {
        let best = handle.best_supported_rsa_hash().await;
        hash = best
            .map_err(|error| handshake(target, error.into()))?
            .flatten();
    }
    let count = identities.len();
    for identity in identities {
        let AgentIdentity::PublicKey { key, .. } = identity else {
            continue;
        };
        let hash = hash.filter(|_| key.algorithm().is_rsa());
        let user = target.user.as_str();
        let answer = handle
            .authenticate_publickey_with(user, key, hash, &mut agent)
            .await;
        if answer
            .map_err(|e| problem(format!("did not sign: {e}")))?
            .success()
        {
            return Ok(());
        }
    }
    let words = format!(
        "any of the {count} keys of the agent at {}",
        socket.display()
    );
    Err(denied(target, words))
}

fn accepted(answer: &AuthResult, target: &SshTarget, words: String) -> Result<(), ShellError> {
    if answer.success() {
        Ok(())
    } else {
        Err(denied(target, words))
    }
}

fn denied(target: &SshTarget, identity: String) -> ShellError {
    ShellError::Denied {
        host: target.host.clone(),
        user: target.user.clone(),
        identity,
    }
}

fn handshake(target: &SshTarget, source: Cause) -> ShellError {
    ShellError::Handshake {
        host: target.host.clone(),
        port: target.port,
        source,
    }
}

#[cfg(test)]
mod jumps;
