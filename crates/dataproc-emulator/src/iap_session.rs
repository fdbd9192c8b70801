//! One relayed connection: a TCP stream to a machine that outlives the WebSockets over which it is reached.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures::{Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::clock::real_sleep;
use crate::iap_frames::{
    Close, Frame, LARGEST_DATA, ack, connect_success, data, reconnect_success,
};

/// How long a connection without WebSocket waits for its client to come back, in real time.
const WAITS: Duration = Duration::from_secs(60);
/// So much may be on its way to the client without its acknowledgement.
const WINDOW: usize = 4 * 1024 * 1024;
/// So much is received before it is acknowledged, as gcloud does on its side.
const ACK_EVERY: u64 = 2 * LARGEST_DATA as u64;

/// A WebSocket, whatever is below it.
pub(crate) type Socket = WebSocketStream<tokio_rustls::server::TlsStream<TcpStream>>;

/// A client that comes, or comes back with the number of bytes that it has received.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) socket: Socket,
    pub(crate) received: Option<u64>,
    /// Cut by this, as a network would: without a word.
    pub(crate) cut: std::sync::Arc<Notify>,
}

/// How the time over one WebSocket ended.
enum Left {
    /// The client may come back.
    Detached,
    /// For good.
    Ended,
}

/// Relays until either side ends it, or until the client does not come back.
pub(crate) async fn relay(sid: &str, tcp: TcpStream, mut arrivals: mpsc::Receiver<Arrival>) {
    let (mut from_machine, mut to_machine) = tcp.into_split();
    let counts = Counts::default();
    let mut arrival = arrivals.recv().await;
    while let Some(Arrival {
        mut socket,
        received,
        cut,
    }) = arrival.take()
    {
        let greeting = match received {
            None => connect_success(sid),
            Some(received) => match counts.rewind(received) {
                Ok(()) => reconnect_success(counts.received()),
                Err(close) => {
                    end(&mut socket, close).await;
                    return;
                }
            },
        };
        let mut next = None;
        let left = tokio::select! {
            left = serve(&mut socket, greeting, &counts, &mut from_machine, &mut to_machine) => left,
            () = cut.notified() => Left::Detached,
            // It is already back, although the end of its last WebSocket has not been seen here.
            back = arrivals.recv() => {
                next = back;
                Left::Detached
            }
        };
        drop(socket);
        match (left, next) {
            (Left::Ended, _) => return,
            (Left::Detached, Some(back)) => arrival = Some(back),
            (Left::Detached, None) => {
                arrival = tokio::select! {
                    back = arrivals.recv() => back,
                    () = real_sleep(WAITS) => None,
                }
            }
        }
    }
}

/// Closes a WebSocket with a code.
pub(crate) async fn end(socket: &mut Socket, close: Close) {
    let frame = CloseFrame {
        code: CloseCode::from(close.code()),
        reason: close.reason().into(),
    };
    // Whoever has gone needs no reason any more.
    if socket.close(Some(frame)).await.is_ok() {
        let goodbye = async { while let Some(Ok(_)) = socket.next().await {} };
        tokio::select! {
            () = goodbye => {}
            () = real_sleep(Duration::from_secs(2)) => {}
        }
    }
}

async fn serve(
    socket: &mut Socket,
    greeting: Bytes,
    counts: &Counts,
    from_machine: &mut OwnedReadHalf,
    to_machine: &mut OwnedWriteHalf,
) -> Left {
    let outcome = {
        let (mut sink, stream) = socket.split();
        if sink.send(Message::Binary(greeting)).await.is_err() {
            return Left::Detached;
        }
        tokio::select! {
            outcome = upstream(stream, counts, to_machine) => outcome,
            outcome = downstream(sink, counts, from_machine) => outcome,
        }
    };
    match outcome {
        Outcome::Closed(close) => {
            end(socket, close).await;
            Left::Ended
        }
        Outcome::ByClient => Left::Ended,
        Outcome::Lost => Left::Detached,
    }
}

enum Outcome {
    /// Ended from here.
    Closed(Close),
    /// Ended by the client's own close message.
    ByClient,
    /// The WebSocket broke.
    Lost,
}

/// Client to machine.
///
/// Bytes are counted as they are written, so that whatever is cut off in between is known to the byte.
async fn upstream(
    mut stream: impl Stream<Item = Result<Message, WsError>> + Unpin,
    counts: &Counts,
    machine: &mut OwnedWriteHalf,
) -> Outcome {
    loop {
        let message = match stream.next().await {
            None | Some(Err(_)) => return Outcome::Lost,
            Some(Ok(message)) => message,
        };
        let frame = match message {
            Message::Binary(bytes) => Frame::read(bytes),
            Message::Text(_) => Err(Close::InvalidOpcode),
            Message::Close(_) => return Outcome::ByClient,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        match frame {
            Err(close) => return Outcome::Closed(close),
            Ok(Frame::Ack(bytes)) => {
                if let Err(close) = counts.acknowledge(bytes) {
                    return Outcome::Closed(close);
                }
            }
            Ok(Frame::Data(mut bytes)) => {
                while bytes.has_remaining() {
                    match machine.write_buf(&mut bytes).await {
                        Ok(written) if written > 0 => counts.count_received(written),
                        _ => return Outcome::Closed(Close::DestinationWriteFailed),
                    }
                }
            }
        }
    }
}

/// Machine to client: first what it lacks, then what comes; acknowledgements in between.
async fn downstream(
    mut sink: impl Sink<Message, Error = WsError> + Unpin,
    counts: &Counts,
    machine: &mut OwnedReadHalf,
) -> Outcome {
    let mut buffer = vec![0; LARGEST_DATA];
    for piece in counts.unacknowledged() {
        for part in piece.chunks(LARGEST_DATA) {
            if sink.send(Message::Binary(data(part))).await.is_err() {
                return Outcome::Lost;
            }
        }
    }
    loop {
        let has_room = counts.has_room();
        let message = tokio::select! {
            () = counts.wants_ack.notified() => ack(counts.received()),
            () = counts.freed.notified(), if !has_room => continue,
            read = machine.read(&mut buffer), if has_room => match read {
                Ok(length) if length > 0 => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    counts.count_sent(Bytes::copy_from_slice(bytes));
                    data(bytes)
                }
                // What was sent before arrives before the close message.
                _ => return Outcome::Closed(Close::DestinationReadFailed),
            },
        };
        if sink.send(Message::Binary(message)).await.is_err() {
            return Outcome::Lost;
        }
    }
}

/// What has gone each way, and what the client may have to be told again.
#[derive(Debug, Default)]
struct Counts {
    inner: Mutex<Inner>,
    wants_ack: Notify,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    received: u64,
    told: u64,
    /// How many bytes the client has acknowledged, and those that it has not.
    acknowledged: u64,
    unacknowledged: VecDeque<Bytes>,
    waiting: usize,
}

impl Inner {
    fn drop_until(&mut self, bytes: u64) -> Result<(), ()> {
        let mut left = bytes
            .checked_sub(self.acknowledged)
            .and_then(|left| usize::try_from(left).ok())
            .filter(|left| *left <= self.waiting)
            .ok_or(())?;
        self.acknowledged = bytes;
        self.waiting -= left;
        while left > 0 {
            let Some(front) = self.unacknowledged.front_mut() else {
                break;
            };
            let part = left.min(front.len());
            front.advance(part);
            left -= part;
            if front.is_empty() {
                self.unacknowledged.pop_front();
            }
        }
        Ok(())
    }
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn received(&self) -> u64 {
        let mut inner = self.lock();
        inner.told = inner.received;
        inner.received
    }

    fn count_received(&self, bytes: usize) {
        let mut inner = self.lock();
        inner.received += bytes as u64;
        if inner.received - inner.told >= ACK_EVERY {
            self.wants_ack.notify_one();
        }
    }

    fn count_sent(&self, bytes: Bytes) {
        let mut inner = self.lock();
        inner.waiting += bytes.len();
        inner.unacknowledged.push_back(bytes);
    }

    fn acknowledge(&self, bytes: u64) -> Result<(), Close> {
        let done = self.lock().drop_until(bytes);
        self.freed.notify_one();
        done.map_err(|()| Close::InvalidAck)
    }

    /// A client comes back that has so many bytes.
    fn rewind(&self, bytes: u64) -> Result<(), Close> {
        self.lock().drop_until(bytes).map_err(|()| Close::BadAck)
    }

    fn has_room(&self) -> bool {
        self.lock().waiting < WINDOW
    }

    fn unacknowledged(&self) -> Vec<Bytes> {
        self.lock().unacknowledged.iter().cloned().collect()
    }
}
