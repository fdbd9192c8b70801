//! Stands before a service, hands every call on and writes down what was asked and what was answered.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{CONNECTION, CONTENT_TYPE, EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The largest JSON text that is written down.
const LARGEST: usize = 64 << 20;

/// A recorder at a loopback address of its own; it ends with this handle.
#[derive(Debug)]
pub(crate) struct Recorder {
    url: String,
    serving: JoinHandle<()>,
    file: PathBuf,
}

#[derive(Debug)]
struct Tape {
    by: &'static str,
    service: String,
    client: reqwest::Client,
    file: Mutex<File>,
}

impl Recorder {
    /// Stands before `service`, a base URL, and keeps what `by` calls in a file below `folder`.
    pub(crate) async fn before(service: &str, by: &'static str, folder: &Path) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let file = folder.join(format!("{}.jsonl", address.port()));
        let client = reqwest::Client::builder().no_proxy();
        let tape = Tape {
            by,
            service: service.trim_end_matches('/').to_owned(),
            client: client.build().unwrap(),
            file: Mutex::new(File::create(&file).unwrap()),
        };
        let app = Router::new().fallback(pass).with_state(Arc::new(tape));
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            url: format!("http://{address}"),
            serving,
            file,
        }
    }

    /// Where clients call it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The calls so far, one JSON object a line.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(State(tape): State<Arc<Tape>>, request: Request) -> Response {
    match tape.pass(request).await {
        Ok(answer) => answer,
        // The service reset the connection or cut its answer: so does this one, as far as it can.
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

impl Tape {
    async fn pass(&self, request: Request) -> Result<Response, Box<dyn std::error::Error>> {
        let (head, body) = request.into_parts();
        let target = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = head.headers;
        for own in [CONNECTION, TRANSFER_ENCODING, EXPECT] {
            headers.remove(own);
        }
        let (asked, body) = if is_json(&headers) {
            let text = to_bytes(body, LARGEST).await?;
            (Some(text.clone()), reqwest::Body::from(text))
        } else {
            (None, reqwest::Body::wrap_stream(body.into_data_stream()))
        };
        let call = self
            .client
            .request(head.method.clone(), format!("{}{target}", self.service));
        // The client's own Host goes along: the links in answers are to lead through here again.
        let answer = call.headers(headers).body(body).send().await?;
        let mut response = Response::builder().status(answer.status());
        let mut headers = answer.headers().clone();
        for own in [CONNECTION, TRANSFER_ENCODING] {
            headers.remove(own);
        }
        let (status, kept) = (
            answer.status(),
            is_json(&headers) && !target.contains("alt=media"),
        );
        if let Some(held) = response.headers_mut() {
            *held = headers;
        }
        let (answered, body) = if kept {
            let text = answer.bytes().await?;
            (Some(text.clone()), Body::from(text))
        } else {
            (None, Body::from_stream(answer.bytes_stream()))
        };
        let text = |bytes: Bytes| String::from_utf8_lossy(&bytes).into_owned();
        self.write(&json!({
            "by": self.by, "method": head.method.as_str(), "target": target, "body": asked.map(text),
            "status": status.as_u16(), "answer": answered.map(text),
        }));
        Ok(response.body(body)?)
    }

    fn write(&self, call: &Value) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{call}").unwrap();
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/json"))
}
