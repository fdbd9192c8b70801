//! The frames of Identity-Aware Proxy's relay, and the count of what has arrived: pure.
//!
//! The protocol is `relay.tunnel.cloudproxy.app` version 4, as Google Cloud SDK 528 speaks it
//! (`api_lib/compute/iap_tunnel_websocket_utils.py`): one binary WebSocket message is one frame, a 16-bit tag and its content,
//! big-endian.

use std::collections::VecDeque;

/// The most data that one frame may hold.
pub(crate) const FRAME: usize = 16 << 10;

const CONNECTED: u16 = 0x0001;
const RECONNECTED: u16 = 0x0002;
const DATA: u16 = 0x0004;
const ACK: u16 = 0x0007;

/// A frame from the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// The machine is reached; this names the stream.
    Connected(&'a str),
    /// The stream goes on; the relay has had so many bytes of ours.
    Reconnected(u64),
    /// Bytes of the machine.
    Data(&'a [u8]),
    /// The relay has had so many bytes of ours.
    Ack(u64),
    /// One of a kind that is to be ignored.
    Unknown(u16),
}

/// What is wrong with a frame, or with a count in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("a frame of the relay is cut off")]
    CutOff,
    #[error("the relay's name for the stream is no text")]
    NoText,
    #[error("the relay confirms bytes that were never sent")]
    NeverSent,
    #[error("the relay takes a confirmation back")]
    TakenBack,
}

fn split<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), Malformed> {
    let (head, rest) = bytes.split_first_chunk().ok_or(Malformed::CutOff)?;
    Ok((*head, rest))
}

fn sized(bytes: &[u8]) -> Result<&[u8], Malformed> {
    let (length, rest) = split(bytes)?;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| Malformed::CutOff)?;
    rest.get(..length).ok_or(Malformed::CutOff)
}

fn count(bytes: &[u8]) -> Result<u64, Malformed> {
    Ok(u64::from_be_bytes(split(bytes)?.0))
}

impl<'a> Frame<'a> {
    /// Reads a frame; what follows its content is ignored, as Google's own client does.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (tag, rest) = split(bytes)?;
        Ok(match u16::from_be_bytes(tag) {
            CONNECTED => {
                let name = std::str::from_utf8(sized(rest)?).map_err(|_| Malformed::NoText)?;
                Self::Connected(name)
            }
            RECONNECTED => Self::Reconnected(count(rest)?),
            DATA => Self::Data(sized(rest)?),
            ACK => Self::Ack(count(rest)?),
            other => Self::Unknown(other),
        })
    }
}

/// A frame with bytes for the machine, at most [`FRAME`] of them.
pub(crate) fn data(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&DATA.to_be_bytes()[..], &length.to_be_bytes(), bytes].concat()
}

/// A frame that says how many bytes have arrived here.
pub(crate) fn ack(received: u64) -> Vec<u8> {
    [&ACK.to_be_bytes()[..], &received.to_be_bytes()].concat()
}

/// What was sent and not yet confirmed, to be sent again on the next connection.
#[derive(Debug, Default)]
pub(crate) struct Unconfirmed {
    confirmed: u64,
    bytes: VecDeque<u8>,
}

impl Unconfirmed {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Forgets what the relay has had: `upto` counts from the stream's first byte.
    pub(crate) fn confirm(&mut self, upto: u64) -> Result<(), Malformed> {
        let more = upto
            .checked_sub(self.confirmed)
            .ok_or(Malformed::TakenBack)?;
        let more = usize::try_from(more).map_err(|_| Malformed::NeverSent)?;
        if more > self.bytes.len() {
            return Err(Malformed::NeverSent);
        }
        self.bytes.drain(..more);
        self.confirmed = upto;
        Ok(())
    }

    /// Everything that has to be sent again, in frames.
    pub(crate) fn again(&self) -> Vec<Vec<u8>> {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        bytes.chunks(FRAME).map(data).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Frame, Malformed, Unconfirmed, ack, data};

    #[test]
    fn frames_are_read() {
        let check = |bytes: &[u8], expected| assert_eq!(Frame::read(bytes), expected, "{bytes:?}");
        check(b"\x00\x01\x00\x00\x00\x03sid", Ok(Frame::Connected("sid")));
        check(b"\x00\x02\0\0\0\0\0\0\x01\x00", Ok(Frame::Reconnected(256)));
        check(b"\x00\x04\x00\x00\x00\x02hi", Ok(Frame::Data(b"hi")));
        check(
            b"\x00\x04\x00\x00\x00\x02hi and more",
            Ok(Frame::Data(b"hi")),
        );
        check(b"\x00\x07\0\0\0\0\0\0\0\x05", Ok(Frame::Ack(5)));
        check(b"\x00\x09\x01", Ok(Frame::Unknown(9)));
        check(b"\x00", Err(Malformed::CutOff));
        check(b"\x00\x04\x00\x00\x00\x03hi", Err(Malformed::CutOff));
        check(b"\x00\x04\xff\xff\xff\xffhi", Err(Malformed::CutOff));
        check(b"\x00\x07\0\0", Err(Malformed::CutOff));
        check(b"\x00\x01\x00\x00\x00\x01\xff", Err(Malformed::NoText));
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(Frame::read(&data(b"abc")), Ok(Frame::Data(b"abc")));
        assert_eq!(Frame::read(&ack(1 << 40)), Ok(Frame::Ack(1 << 40)));
    }

    #[test]
    fn only_what_is_not_confirmed_is_sent_again() {
        let mut sent = Unconfirmed::default();
        sent.push(b"hello ");
        sent.push(b"world");
        assert_eq!(sent.confirm(4), Ok(()));
        assert_eq!(sent.again(), [data(b"o world")]);
        assert_eq!(sent.confirm(4), Ok(()));
        assert_eq!(sent.confirm(3), Err(Malformed::TakenBack));
        assert_eq!(sent.confirm(12), Err(Malformed::NeverSent));
        assert_eq!(sent.confirm(11), Ok(()));
        assert!(sent.again().is_empty());
        sent.push(&[7; 40_000]);
        let sizes: Vec<usize> = sent.again().iter().map(Vec::len).collect();
        assert_eq!(sizes, [16_390, 16_390, 7_238]);
    }
}
