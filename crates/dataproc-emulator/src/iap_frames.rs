//! The relay's frames and close codes, as gcloud reads and writes them.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The most data that one frame carries.
pub(crate) const LARGEST_DATA: usize = 16 * 1024;
/// What the WebSocket's sub-protocol is called.
pub(crate) const SUBPROTOCOL: &str = "relay.tunnel.cloudproxy.app";

const CONNECT_SUCCESS: u16 = 0x0001;
const RECONNECT_SUCCESS: u16 = 0x0002;
const DATA: u16 = 0x0004;
const ACK: u16 = 0x0007;

/// Why the relay ends a connection; the numbers and words are those of IAP's own clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    SidUnknown,
    FailedToConnect,
    BadAck,
    InvalidAck,
    InvalidOpcode,
    InvalidTag,
    DestinationWriteFailed,
    DestinationReadFailed,
    InvalidData,
    NotAuthorized,
    LookupFailed,
    /// A code that a test asked for.
    Other(u16),
}

impl Close {
    pub(crate) const fn code(self) -> u16 {
        match self {
            Self::SidUnknown => 4001,
            Self::FailedToConnect => 4003,
            Self::BadAck => 4005,
            Self::InvalidAck => 4006,
            Self::InvalidOpcode => 4007,
            Self::InvalidTag => 4008,
            Self::DestinationWriteFailed => 4009,
            Self::DestinationReadFailed => 4010,
            Self::InvalidData => 4013,
            Self::NotAuthorized => 4033,
            Self::LookupFailed => 4047,
            Self::Other(code) => code,
        }
    }

    pub(crate) const fn reason(self) -> &'static str {
        match self.code() {
            4001 => "sid unknown",
            4002 => "sid in use",
            4003 => "failed to connect to backend",
            4004 => "reauthentication required",
            4005 => "bad ack",
            4006 => "invalid ack",
            4007 => "invalid websocket opcode",
            4008 => "invalid tag",
            4009 => "destination write failed",
            4010 => "destination read failed",
            4013 => "invalid data",
            4033 => "not authorized",
            4047 => "failed to lookup instance",
            4051 => "failed to lookup instance on reconnect",
            _ => "unknown error",
        }
    }
}

/// A frame from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Data(Bytes),
    Ack(u64),
}

impl Frame {
    /// Reads a message; more bytes than the frame needs are left aside, as gcloud does.
    pub(crate) fn read(mut message: Bytes) -> Result<Self, Close> {
        match message.try_get_u16().map_err(|_| Close::InvalidData)? {
            DATA => {
                let length = message.try_get_u32().map_err(|_| Close::InvalidData)?;
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                match (1..=LARGEST_DATA).contains(&length) && length <= message.len() {
                    true => Ok(Self::Data(message.split_to(length))),
                    false => Err(Close::InvalidData),
                }
            }
            ACK => match message.try_get_u64() {
                Ok(bytes) => Ok(Self::Ack(bytes)),
                Err(_) => Err(Close::InvalidData),
            },
            _ => Err(Close::InvalidTag),
        }
    }
}

pub(crate) fn connect_success(sid: &str) -> Bytes {
    with_length(CONNECT_SUCCESS, sid.as_bytes())
}

pub(crate) fn reconnect_success(received: u64) -> Bytes {
    with_number(RECONNECT_SUCCESS, received)
}

pub(crate) fn data(bytes: &[u8]) -> Bytes {
    with_length(DATA, bytes)
}

pub(crate) fn ack(received: u64) -> Bytes {
    with_number(ACK, received)
}

fn with_length(tag: u16, bytes: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(6 + bytes.len());
    frame.put_u16(tag);
    frame.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    frame.put_slice(bytes);
    frame.freeze()
}

fn with_number(tag: u16, number: u64) -> Bytes {
    let mut frame = BytesMut::with_capacity(10);
    frame.put_u16(tag);
    frame.put_u64(number);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Close, Frame, LARGEST_DATA, ack, data};

    #[test]
    fn frames_are_read_as_they_are_written_and_bad_ones_are_named() {
        let check = |bytes: &[u8], expected: Result<Frame, Close>| {
            assert_eq!(
                Frame::read(Bytes::copy_from_slice(bytes)),
                expected,
                "{bytes:?}"
            );
        };
        check(&data(b"hi"), Ok(Frame::Data(Bytes::from_static(b"hi"))));
        check(&ack(513), Ok(Frame::Ack(513)));
        check(&[0, 7, 0, 0, 0, 0, 0, 0, 2, 1, 9, 9], Ok(Frame::Ack(513)));
        check(&[], Err(Close::InvalidData));
        check(&[0, 7, 1], Err(Close::InvalidData));
        check(&[0, 4, 0, 0, 0, 2, b'h'], Err(Close::InvalidData));
        check(&[0, 4, 0, 0, 0, 0], Err(Close::InvalidData));
        check(&[0, 9], Err(Close::InvalidTag));
        check(&data(&vec![0; LARGEST_DATA + 1]), Err(Close::InvalidData));
    }
}
