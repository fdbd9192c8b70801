//! An HTTP proxy for tests: it carries CONNECTs to where it was told a name leads, and remembers them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

#[derive(Debug, Default)]
struct Book {
    ways: Mutex<HashMap<String, SocketAddr>>,
    connects: Mutex<Vec<String>>,
}

/// A proxy; dropping it ends it.
#[derive(Debug)]
pub(crate) struct ConnectProxy {
    address: SocketAddr,
    book: Arc<Book>,
    serving: JoinHandle<()>,
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl ConnectProxy {
    /// Starts a proxy that asks for this `name:password`, where there is one.
    pub(crate) async fn start(login: Option<&str>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let book = Arc::new(Book::default());
        let login = login.map(|login| format!("Basic {}", STANDARD.encode(login)));
        let shared = Arc::clone(&book);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (book, login) = (Arc::clone(&shared), login.clone());
                tokio::spawn(async move { carry(stream, &book, login.as_deref()).await });
            }
        });
        Self {
            address,
            book,
            serving,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says where a name and port lead.
    pub(crate) fn lead(&self, name: &str, to: SocketAddr) {
        let mut ways = self
            .book
            .ways
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        ways.insert(name.to_owned(), to);
    }

    /// Every name that was connected to, in order.
    pub(crate) fn connects(&self) -> Vec<String> {
        let connects = self.book.connects.lock();
        connects.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn carry(stream: TcpStream, book: &Book, login: Option<&str>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let name = lines.first()?.strip_prefix("CONNECT ")?;
    let name = name.split(' ').next()?.to_owned();
    let shown = lines.iter().find_map(|line| {
        let (header, value) = line.split_once(": ")?;
        let right = header.eq_ignore_ascii_case("proxy-authorization");
        right.then(|| value.to_owned())
    });
    let refuse = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    if login.is_some_and(|login| shown.as_deref() != Some(login)) {
        let refusal = refuse("407 Proxy Authentication Required\r\nProxy-Authenticate: Basic");
        stream.write_all(refusal.as_bytes()).await.ok();
        return None;
    }
    let to = {
        let ways = book.ways.lock().unwrap_or_else(PoisonError::into_inner);
        ways.get(&name).copied()
    };
    let Some(to) = to else {
        let refusal = refuse("502 Bad Gateway");
        stream.write_all(refusal.as_bytes()).await.ok();
        return None;
    };
    book.connects
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(name);
    let mut there = TcpStream::connect(to).await.ok()?;
    let answer = b"HTTP/1.1 200 Connection established\r\n\r\n";
    stream.write_all(answer).await.ok()?;
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut there).await;
    Some(())
}
