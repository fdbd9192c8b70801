//! What a fake master's programs ask over HTTP: Cloud Storage, YARN's ResourceManager, Secret Manager, each in small.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flinkproc_core::GcsUri;
use flinkproc_staging::{Content, MemoryStaging, Staging, StagingError};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// No object is read in one go beyond this.
const WHOLE: u64 = 1 << 30;

/// What the servers serve.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub(super) staging: Arc<MemoryStaging>,
    /// Where the fake `flink` notes applications and jobs.
    pub(super) yarn: PathBuf,
    pub(super) secrets: Arc<Mutex<BTreeMap<String, String>>>,
}

type Answer = (&'static str, Vec<u8>);

const NOT_FOUND: Answer = ("404 Not Found", Vec::new());

/// Answers one request for each connection.
pub(super) async fn serve(listener: TcpListener, served: Served) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, served.clone()));
    }
}

async fn answer(mut stream: TcpStream, served: Served) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let length = name.eq_ignore_ascii_case("content-length");
        length.then(|| value.trim().parse::<usize>().ok()).flatten()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let target = head.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query: HashMap<&str, String> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name, decoded(value)))
        .collect();
    let (status, body) = served.answer(path, &query, body.into()).await;
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(&body).await.ok()
}

impl Served {
    async fn answer(&self, path: &str, query: &HashMap<&str, String>, body: Bytes) -> Answer {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match parts.as_slice() {
            ["storage", "v1", "b", bucket, "o", object] => {
                self.download(bucket, &decoded(object)).await
            }
            ["upload", "storage", "v1", "b", bucket, "o"] => {
                let name = query.get("name").cloned().unwrap_or_default();
                let only_new = query.contains_key("ifGenerationMatch");
                self.upload(bucket, &name, only_new, body).await
            }
            ["ws", "v1", "cluster", "apps"] => {
                let tag = query.get("applicationTags").cloned().unwrap_or_default();
                ok(&json!({"apps": {"app": self.applications(&tag)}}))
            }
            ["proxy", application, "jobs"] => ok(&json!({"jobs": self.jobs(application)})),
            ["proxy", application, "jobs", job, "config"] => {
                let mark = self.text(&format!("{application}/jobs/{job}/mark"));
                ok(&json!({"execution-config": {"user-config": {"flinkproc-attempt": mark}}}))
            }
            ["v1", rest @ ..] => self.secret(&rest.join("/")),
            _ => NOT_FOUND,
        }
    }

    async fn download(&self, bucket: &str, object: &str) -> Answer {
        let Ok(uri) = format!("gs://{bucket}/{object}").parse::<GcsUri>() else {
            return NOT_FOUND;
        };
        match self.staging.read_range(&uri, 0, WHOLE).await {
            Ok(content) => ("200 OK", content.to_vec()),
            Err(_) => NOT_FOUND,
        }
    }

    async fn upload(&self, bucket: &str, name: &str, only_new: bool, body: Bytes) -> Answer {
        let Ok(uri) = format!("gs://{bucket}/{name}").parse::<GcsUri>() else {
            return NOT_FOUND;
        };
        if !only_new {
            self.staging.overwrite(uri, body);
            return ok(&json!({"name": name}));
        }
        let known = self.staging.stat(&uri).await;
        if !matches!(known, Ok(None)) {
            return ("412 Precondition Failed", Vec::new());
        }
        match self
            .staging
            .put_if_absent(&uri, &Content::Bytes(body))
            .await
        {
            Ok(_) => ok(&json!({"name": name})),
            Err(StagingError::Conflict { .. }) => ("412 Precondition Failed", Vec::new()),
            Err(_) => NOT_FOUND,
        }
    }

    fn applications(&self, tag: &str) -> Vec<Value> {
        let mut found: Vec<Value> = self
            .names("")
            .into_iter()
            .filter(|id| {
                self.text(&format!("{id}/tags"))
                    .split(',')
                    .any(|own| own == tag)
            })
            .map(|id| {
                let (state, end) = (
                    self.text(&format!("{id}/state")),
                    self.text(&format!("{id}/final")),
                );
                json!({"id": id, "state": state, "finalStatus": end, "diagnostics": ""})
            })
            .collect();
        // YARN promises no order.
        found.reverse();
        found
    }

    fn jobs(&self, application: &str) -> Vec<Value> {
        let folder = format!("{application}/jobs");
        let state = |job: &String| self.text(&format!("{folder}/{job}/state"));
        let jobs = self.names(&folder).into_iter();
        jobs.map(|job| json!({"id": job, "status": state(&job)}))
            .collect()
    }

    fn secret(&self, path: &str) -> Answer {
        use base64::Engine as _;
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let value = path
            .strip_suffix(":access")
            .and_then(|name| secrets.get(name));
        let Some(value) = value else {
            return ("403 Forbidden", Vec::new());
        };
        let data = base64::engine::general_purpose::STANDARD.encode(value);
        ok(&json!({"payload": {"data": data}}))
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.yarn.join(folder))
            .into_iter()
            .flatten();
        let mut names: Vec<String> = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn text(&self, file: &str) -> String {
        let text = std::fs::read_to_string(self.yarn.join(file)).unwrap_or_default();
        text.trim().to_owned()
    }
}

fn ok(body: &Value) -> Answer {
    ("200 OK", body.to_string().into_bytes())
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        match byte {
            b'%' => {
                let (high, low) = (hex(rest.next()), hex(rest.next()));
                let value = high.unwrap_or(0) * 16 + low.unwrap_or(0);
                bytes.push(u8::try_from(value).unwrap_or(b'?'));
            }
            b'+' => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
