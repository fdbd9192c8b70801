//! [`RelayStream`]: a stream of bytes through Identity-Aware Proxy, that outlives the connections which carry it.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use flinkproc_core::{Clock, messages};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::error::GateError;
use crate::relay_connect::{Begin, Begun, Opener, Socket};
use crate::relay_frames::{FRAME, Frame, Unconfirmed, ack, data};

/// Bytes that may wait between us and the relay, either way.
const PIPE: usize = 4 * FRAME;
/// Bytes that may be under way without the relay's word that they arrived.
const WINDOW: usize = 64 * FRAME;
/// What has arrived is confirmed after so many bytes, as Google's own client does,
const CONFIRM_BYTES: u64 = 2 * FRAME as u64;
/// or after this long a silence.
const CONFIRM_AFTER: Duration = Duration::from_secs(2);
/// For how long a connection that broke is made again.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream to a port of a machine.
#[derive(Debug)]
pub(crate) struct RelayStream {
    near: DuplexStream,
    fate: Arc<Fate>,
}

/// What the stream and the task that carries it know of each other.
#[derive(Debug, Default)]
struct Fate {
    dropped: AtomicBool,
    failure: Mutex<Option<GateError>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RelayStream {
    /// Opens a stream.
    pub(crate) async fn open(opener: Opener, clock: Arc<dyn Clock>) -> Result<Self, GateError> {
        let (socket, begun) = opener.open(&Begin::Connect).await?;
        let Begun::Stream(stream) = begun else {
            return Err(GateError::Unreadable {
                machine: opener.machine,
                message: "the relay goes on with a stream that was never begun".to_owned(),
            });
        };
        let (near, far) = tokio::io::duplex(PIPE);
        let fate = Arc::new(Fate::default());
        let carrier = Carrier {
            opener,
            clock,
            stream,
            fate: Arc::clone(&fate),
            counts: Counts::default(),
        };
        tokio::spawn(carrier.carry(socket, far));
        Ok(Self { near, fate })
    }
}

impl Drop for RelayStream {
    fn drop(&mut self) {
        self.fate.dropped.store(true, Ordering::SeqCst);
    }
}

impl AsyncRead for RelayStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.near).poll_read(context, buffer);
        if matches!(read, Poll::Ready(Ok(()))) && buffer.filled().len() == before {
            // The end: was it meant?
            if let Some(failure) = lock(&self.fate.failure).clone() {
                return Poll::Ready(Err(io::Error::other(failure)));
            }
        }
        read
    }
}

impl AsyncWrite for RelayStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.near).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_shutdown(context)
    }
}

/// What was sent and what has arrived, over all connections.
#[derive(Debug, Default)]
struct Counts {
    sent: Mutex<Unconfirmed>,
    /// Bytes of ours were confirmed.
    confirmed: Notify,
    received: AtomicU64,
    acknowledged: AtomicU64,
    /// Something has arrived that is to be confirmed, at once or soon.
    owed: Notify,
}

impl Counts {
    fn owes(&self) -> u64 {
        let received = self.received.load(Ordering::SeqCst);
        received - self.acknowledged.load(Ordering::SeqCst)
    }
}

/// Why a connection carries no more.
enum Ended {
    /// The user of the stream has closed it.
    Here,
    /// The relay said farewell.
    There(Option<CloseFrame>),
    /// The connection broke.
    Broken(String),
}

struct Carrier {
    opener: Opener,
    clock: Arc<dyn Clock>,
    stream: String,
    fate: Arc<Fate>,
    counts: Counts,
}

impl Carrier {
    async fn carry(self, mut socket: Socket, far: DuplexStream) {
        let (mut from_user, mut to_user) = tokio::io::split(far);
        // Arrived and not yet read; it outlives a connection.
        let mut inbox = Vec::new();
        loop {
            let (sink, source) = socket.split();
            let ended = tokio::select! {
                ended = self.up(sink, &mut from_user) => ended,
                ended = self.down(source, &mut to_user, &mut inbox) => ended,
            };
            let why = match ended {
                Ended::Here => return,
                // 1000 is an end that was meant; 4004 asks for a new token.
                Ended::There(Some(frame)) if u16::from(frame.code) == 1000 => break,
                Ended::There(Some(frame)) if u16::from(frame.code) != 4004 => {
                    *lock(&self.fate.failure) = Some(self.opener.closed(Some(&frame)));
                    break;
                }
                Ended::There(_) => "the relay hung up".to_owned(),
                Ended::Broken(why) => why,
            };
            tracing::debug!(why, "the relay is gone back to");
            match self.go_back().await {
                Ok(again) => socket = again,
                Err(failure) => {
                    *lock(&self.fate.failure) = Some(failure);
                    break;
                }
            }
        }
        // What has arrived before the end is still to be had.
        to_user.write_all(&inbox).await.ok();
        to_user.shutdown().await.ok();
    }

    /// From the user of the stream to the relay.
    async fn up(
        &self,
        mut sink: SplitSink<Socket, Message>,
        from_user: &mut (impl AsyncRead + Unpin),
    ) -> Ended {
        let mut piece = vec![0; FRAME];
        loop {
            let room = lock(&self.counts.sent).len() < WINDOW;
            let frame = tokio::select! {
                read = from_user.read(&mut piece), if room => {
                    let bytes = match read {
                        Ok(count) if count > 0 => piece.get(..count).unwrap_or_default(),
                        _ => {
                            sink.send(Message::Close(None)).await.ok();
                            return Ended::Here;
                        }
                    };
                    lock(&self.counts.sent).push(bytes);
                    data(bytes)
                }
                () = self.counts.confirmed.notified(), if !room => continue,
                () = self.counts.owed.notified() => {
                    if self.counts.owes() <= CONFIRM_BYTES {
                        continue;
                    }
                    self.acknowledge()
                }
                () = self.clock.sleep(CONFIRM_AFTER), if self.counts.owes() > 0 => self.acknowledge(),
            };
            if let Err(error) = sink.send(Message::Binary(frame.into())).await {
                return Ended::Broken(messages(&error).join(": "));
            }
        }
    }

    fn acknowledge(&self) -> Vec<u8> {
        let received = self.counts.received.load(Ordering::SeqCst);
        self.counts.acknowledged.store(received, Ordering::SeqCst);
        ack(received)
    }

    /// From the relay to the user of the stream.
    async fn down(
        &self,
        mut source: SplitStream<Socket>,
        to_user: &mut (impl AsyncWrite + Unpin),
        inbox: &mut Vec<u8>,
    ) -> Ended {
        loop {
            // Piece by piece, so that what was handed over is known when the connection breaks meanwhile.
            while !inbox.is_empty() {
                match to_user.write(inbox).await {
                    Ok(count) if count > 0 => drop(inbox.drain(..count)),
                    _ => return Ended::Here,
                }
            }
            let message = match source.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Ended::Broken(messages(&error).join(": ")),
                None => return Ended::There(None),
            };
            let bytes = match message {
                Message::Binary(bytes) => bytes,
                Message::Close(frame) => return Ended::There(frame),
                _ => continue,
            };
            match Frame::read(&bytes) {
                Ok(Frame::Data(bytes)) => {
                    inbox.extend_from_slice(bytes);
                    let count = bytes.len() as u64;
                    self.counts.received.fetch_add(count, Ordering::SeqCst);
                    self.counts.owed.notify_one();
                }
                Ok(Frame::Ack(upto)) => {
                    if let Err(error) = lock(&self.counts.sent).confirm(upto) {
                        return Ended::Broken(error.to_string());
                    }
                    self.counts.confirmed.notify_one();
                }
                Ok(_) => {}
                Err(error) => return Ended::Broken(error.to_string()),
            }
        }
    }

    /// Makes a new connection for the same stream and sends again what was not confirmed.
    async fn go_back(&self) -> Result<Socket, GateError> {
        let began = self.clock.now();
        let mut pause = Duration::from_millis(200);
        loop {
            let begin = Begin::Reconnect {
                stream: self.stream.clone(),
                received: self.counts.received.load(Ordering::SeqCst),
            };
            let failure = match self.opener.open(&begin).await {
                Ok((socket, Begun::Confirmed(upto))) => return self.send_again(socket, upto).await,
                Ok((_, Begun::Stream(_))) => GateError::Unreadable {
                    machine: self.opener.machine.clone(),
                    message: "the relay began another stream".to_owned(),
                },
                Err(failure) => failure,
            };
            let over = self.clock.now().duration_since(began).unsigned_abs() >= PATIENCE;
            let passes = matches!(failure, GateError::Unavailable { .. });
            if over || !passes || self.fate.dropped.load(Ordering::SeqCst) {
                return Err(failure);
            }
            self.clock.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(10));
        }
    }

    async fn send_again(&self, mut socket: Socket, upto: u64) -> Result<Socket, GateError> {
        let again = {
            let mut sent = lock(&self.counts.sent);
            let confirmed = sent.confirm(upto);
            confirmed.map(|()| sent.again())
        };
        let unreadable = |message: String| GateError::Unreadable {
            machine: self.opener.machine.clone(),
            message,
        };
        let received = self.counts.received.load(Ordering::SeqCst);
        self.counts.acknowledged.store(received, Ordering::SeqCst);
        for frame in again.map_err(|error| unreadable(error.to_string()))? {
            if let Err(error) = socket.send(Message::Binary(frame.into())).await {
                tracing::debug!(%error, "the relay broke off again");
                break;
            }
        }
        Ok(socket)
    }
}
