//! [`PromptStream`]: a TCP stream whose arrivals are acknowledged at once.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP stream that never delays an acknowledgement where the system lets it choose (Linux).
///
/// OpenSSH's server switches Nagle's algorithm off for terminals only: the end of a command waits until its beginning is
/// acknowledged, which Linux may delay by 40 ms. Measured against OpenSSH 9.2 on loopback, the first command of a connection
/// takes 4 ms with this and 49 ms without. The setting has to be renewed after each read, because the kernel takes it back by
/// itself (tcp(7), `TCP_QUICKACK`).
#[derive(Debug)]
pub(crate) struct PromptStream(TcpStream);

impl PromptStream {
    /// Takes over a stream, and sends its small packets at once too.
    pub(crate) fn new(stream: TcpStream) -> Self {
        // A connection works without it.
        stream.set_nodelay(true).ok();
        let stream = Self(stream);
        stream.acknowledge();
        stream
    }

    #[cfg(target_os = "linux")]
    fn acknowledge(&self) {
        rustix::net::sockopt::set_tcp_quickack(&self.0, true).ok();
    }

    #[cfg(not(target_os = "linux"))]
    fn acknowledge(&self) {}
}

impl AsyncRead for PromptStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(context, buffer);
        if read.is_ready() {
            self.acknowledge();
        }
        read
    }
}

impl AsyncWrite for PromptStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
