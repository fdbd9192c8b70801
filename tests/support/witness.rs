//! An endpoint that answers nothing and knows whether anybody called.

use std::io::ErrorKind;
use std::net::TcpListener;

/// Stands where a service would be.
#[derive(Debug)]
pub(crate) struct Witness(TcpListener);

impl Witness {
    /// Listens on a free port.
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// Fails when anybody called.
    #[track_caller]
    pub(crate) fn saw_nobody(&self) {
        match self.0.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => panic!("a service was called: {other:?}"),
        }
    }
}
