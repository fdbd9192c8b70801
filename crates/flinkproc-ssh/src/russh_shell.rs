//! [`RusshShell`]: commands, files and forwards over one SSH connection.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use russh::ChannelMsg;
use russh::client::{Handle, Msg};
use russh::{Channel, ChannelReadHalf, ChannelStream, ChannelWriteHalf};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::abort_on_drop::AbortOnDrop;
use crate::command::RemoteCommand;
use crate::error::{Cause, ShellError};
use crate::part_file::{PartFile, cannot_read, cannot_write};
use crate::russh_connect::{ConnectOptions, Gate};
use crate::shell::{
    Content, ExitStatus, FileMode, Forward, Output, ProcessEvent, RemoteProcess, RemoteShell,
};
use crate::transfer::{download_command, judge, upload_command};

/// Pieces of output that wait for a reader, of at most 32 KiB each.
const PIECES: usize = 16;
/// How often a channel is asked for before the host's refusal is believed.
const OPENINGS: u32 = 5;
/// Bytes read from a local file at once.
const CHUNK: usize = 256 << 10;
/// The kind of extended data that is standard error (RFC 4254, 5.2).
const STDERR: u32 = 1;

/// An open SSH connection.
///
/// It closes when the last copy, process and forward that uses it is dropped. All of them share the connection's window:
/// a process whose output nobody reads holds up the others once some MiB wait for it, so read it or drop it.
#[derive(Clone)]
pub struct RusshShell {
    connection: Arc<Connection>,
}

struct Connection {
    handle: Handle<Gate>,
    /// The connection that this one goes through, kept open for it.
    _through: Option<RusshShell>,
    sessions: Arc<Semaphore>,
    forwarded: Arc<Semaphore>,
}

impl Connection {
    /// Opens a channel for one command.
    ///
    /// OpenSSH counts a session until it has come round its loop after the close: a new one that is asked for in the same
    /// breath may be refused although its turn has come. Nothing was started then, and a ping lets the loop come round.
    async fn open_session(&self) -> Result<Channel<Msg>, russh::Error> {
        for _ in 1..OPENINGS {
            match self.handle.channel_open_session().await {
                Err(russh::Error::ChannelOpenFailure(_)) => self.handle.send_ping().await?,
                opened => return opened,
            }
        }
        self.handle.channel_open_session().await
    }
}

impl fmt::Debug for RusshShell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RusshShell")
            .field("closed", &self.connection.handle.is_closed())
            .finish_non_exhaustive()
    }
}

/// What goes into a command's standard input.
enum Input {
    Bytes(Bytes),
    File(File, std::path::PathBuf),
}

impl RusshShell {
    pub(crate) fn new(
        handle: Handle<Gate>,
        options: &ConnectOptions,
        through: Option<Self>,
    ) -> Self {
        let connection = Connection {
            handle,
            _through: through,
            sessions: Arc::new(Semaphore::new(options.sessions.max(1))),
            forwarded: Arc::new(Semaphore::new(options.forwarded.max(1))),
        };
        Self {
            connection: Arc::new(connection),
        }
    }

    /// Opens a stream to `host:port` as seen from this host.
    pub(crate) async fn stream_to(
        &self,
        host: &str,
        port: u16,
    ) -> Result<ChannelStream<Msg>, russh::Error> {
        let handle = &self.connection.handle;
        let from = ("127.0.0.1", 0);
        let channel = handle
            .channel_open_direct_tcpip(host, port.into(), from.0, from.1)
            .await?;
        Ok(channel.into_stream())
    }

    async fn start(
        &self,
        command: &RemoteCommand,
        input: Input,
    ) -> Result<RusshProcess, ShellError> {
        let line = command.line()?;
        let permit = permit(&self.connection.sessions).await?;
        let channel = self.connection.open_session().await.map_err(not_started)?;
        channel.exec(true, line).await.map_err(not_started)?;
        let (sender, events) = mpsc::channel(PIECES);
        let session = Session {
            events: sender,
            _permit: permit,
            _connection: Arc::clone(&self.connection),
        };
        tokio::spawn(session.carry(channel, input));
        Ok(RusshProcess { events })
    }
}

#[async_trait]
impl RemoteShell for RusshShell {
    async fn run(&self, command: &RemoteCommand) -> Result<Output, ShellError> {
        let input = Input::Bytes(command.input().clone());
        Output::collect(&mut self.start(command, input).await?).await
    }

    async fn spawn(&self, command: &RemoteCommand) -> Result<Box<dyn RemoteProcess>, ShellError> {
        let input = Input::Bytes(command.input().clone());
        Ok(Box::new(self.start(command, input).await?))
    }

    async fn upload(&self, content: &Content, to: &str, mode: FileMode) -> Result<(), ShellError> {
        let (input, size) = match content {
            Content::Bytes(bytes) => (Input::Bytes(bytes.clone()), bytes.len() as u64),
            Content::File(path) => {
                let file = File::open(path).await.map_err(cannot_read(path))?;
                let size = file.metadata().await.map_err(cannot_read(path))?.len();
                (Input::File(file, path.clone()), size)
            }
        };
        let command = upload_command(to, mode, size)?;
        let mut process = self.start(&command, input).await?;
        let output = Output::collect(&mut process).await;
        judge(
            "write",
            to,
            &output.map_err(|error| lost("an upload", error))?,
        )
    }

    async fn download(&self, from: &str, to: &Path) -> Result<u64, ShellError> {
        let part = PartFile::beside(to)?;
        let mut file = File::create(part.path()).await.map_err(cannot_write(to))?;
        let mut process = self
            .start(&download_command(from), Input::Bytes(Bytes::new()))
            .await?;
        let (mut size, mut stderr) = (0, BytesMut::new());
        loop {
            let event = process.next().await;
            match event.map_err(|error| lost("a download", error))? {
                Some(ProcessEvent::Stdout(bytes)) => {
                    size += bytes.len() as u64;
                    file.write_all(&bytes).await.map_err(cannot_write(to))?;
                }
                Some(ProcessEvent::Stderr(bytes)) => stderr.extend_from_slice(&bytes),
                Some(ProcessEvent::Exited(status)) => {
                    let (stdout, stderr) = (Bytes::new(), stderr.freeze());
                    let output = Output {
                        status,
                        stdout,
                        stderr,
                    };
                    judge("read", from, &output)?;
                    break;
                }
                None => return Err(lost("a download", broken())),
            }
        }
        file.flush().await.map_err(cannot_write(to))?;
        part.finish().await.map_err(cannot_write(to))?;
        Ok(size)
    }

    async fn forward(&self, host: &str, port: u16) -> Result<Forward, ShellError> {
        let cannot = |source| ShellError::LocalMachine {
            action: "listen on loopback",
            source,
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let connection = Arc::clone(&self.connection);
        let carrying = tokio::spawn(carry_all(listener, connection, host.to_owned(), port));
        Ok(Forward::new(address, AbortOnDrop(carrying.abort_handle())))
    }
}

/// Carries every connection that comes in, until the forward is dropped; then what is carried ends too.
async fn carry_all(listener: TcpListener, connection: Arc<Connection>, host: String, port: u16) {
    let mut carried = JoinSet::new();
    while let Ok((stream, peer)) = listener.accept().await {
        while carried.try_join_next().is_some() {}
        let (connection, host) = (Arc::clone(&connection), host.clone());
        carried.spawn(async move {
            if let Err(error) = carry_one(stream, peer.port(), &connection, &host, port).await {
                tracing::debug!(%error, host, port, "a forwarded connection ended early");
            }
        });
    }
}

async fn carry_one(
    mut stream: TcpStream,
    from: u16,
    connection: &Connection,
    host: &str,
    port: u16,
) -> Result<(), Cause> {
    let _permit = permit(&connection.forwarded).await?;
    stream.set_nodelay(true)?;
    let opened = connection.handle.channel_open_direct_tcpip(
        host,
        u32::from(port),
        "127.0.0.1",
        u32::from(from),
    );
    let mut channel = opened.await?.into_stream();
    tokio::io::copy_bidirectional(&mut stream, &mut channel).await?;
    Ok(())
}

/// A command under way; its task ends, and its channel closes, when nobody listens any more.
struct Session {
    events: mpsc::Sender<Result<ProcessEvent, ShellError>>,
    _permit: OwnedSemaphorePermit,
    _connection: Arc<Connection>,
}

impl Session {
    async fn carry(self, channel: Channel<Msg>, input: Input) {
        let (mut reader, writer) = channel.split();
        let end = tokio::select! {
            end = self.listen(&mut reader) => end,
            error = feed(&writer, input) => Some(Err(error)),
            () = self.events.closed() => None,
        };
        if let Some(end) = end {
            self.events.send(end).await.ok();
        }
        // After the host has closed the channel this does nothing.
        writer.close().await.ok();
    }

    /// Hands on what the host says, and returns the last word.
    async fn listen(
        &self,
        reader: &mut ChannelReadHalf,
    ) -> Option<Result<ProcessEvent, ShellError>> {
        let mut status = None;
        while let Some(message) = reader.wait().await {
            let event = match message {
                ChannelMsg::Data { data } => ProcessEvent::Stdout(data),
                ChannelMsg::ExtendedData { data, ext } if ext == STDERR => {
                    ProcessEvent::Stderr(data)
                }
                ChannelMsg::Failure => {
                    let source = "the host refused to start it".into();
                    return Some(Err(ShellError::NotStarted { source }));
                }
                // The status may come before the last output: it is handed out when the channel closes.
                ChannelMsg::ExitStatus { exit_status } => {
                    status = Some(ExitStatus::Code(exit_status));
                    continue;
                }
                ChannelMsg::ExitSignal { signal_name, .. } => {
                    status = Some(ExitStatus::Signal(signal(&signal_name)));
                    continue;
                }
                _ => continue,
            };
            self.events.send(Ok(event)).await.ok()?;
        }
        Some(status.map(ProcessEvent::Exited).ok_or_else(broken))
    }
}

/// Feeds a command's standard input and ends it; returns only when the input cannot be read.
async fn feed(writer: &ChannelWriteHalf<Msg>, input: Input) -> ShellError {
    let sent = match input {
        Input::Bytes(bytes) => writer.data_bytes(bytes).await,
        Input::File(mut file, path) => loop {
            let mut buffer = BytesMut::with_capacity(CHUNK);
            match file.read_buf(&mut buffer).await {
                Ok(0) => break Ok(()),
                Err(error) => return cannot_read(&path)(error),
                Ok(_) => match writer.data_bytes(buffer.freeze()).await {
                    Ok(()) => {}
                    Err(error) => break Err(error),
                },
            }
        },
    };
    // A connection that is gone is noticed by the listener, which knows what came of it.
    if sent.is_ok() {
        writer.eof().await.ok();
    }
    std::future::pending().await
}

#[derive(Debug)]
struct RusshProcess {
    events: mpsc::Receiver<Result<ProcessEvent, ShellError>>,
}

#[async_trait]
impl RemoteProcess for RusshProcess {
    async fn next(&mut self) -> Result<Option<ProcessEvent>, ShellError> {
        self.events.recv().await.transpose()
    }
}

async fn permit(semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ShellError> {
    let permit = Arc::clone(semaphore).acquire_owned().await;
    permit.map_err(|error| ShellError::NotStarted {
        source: error.into(),
    })
}

fn not_started(error: russh::Error) -> ShellError {
    ShellError::NotStarted {
        source: error.into(),
    }
}

fn broken() -> ShellError {
    ShellError::OutcomeUnknown {
        source: "the channel closed without an exit status".into(),
    }
}

/// A transfer may be repeated where a command may not.
fn lost(during: &'static str, error: ShellError) -> ShellError {
    match error {
        ShellError::OutcomeUnknown { source } => ShellError::ConnectionLost { during, source },
        other => other,
    }
}

fn signal(signal: &russh::Sig) -> String {
    match signal {
        russh::Sig::Custom(name) => name.clone(),
        known => format!("{known:?}"),
    }
}

#[cfg(test)]
mod tests;
