//! The files that a job names, brought to the master.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::error::SandboxError;
use crate::layout::Layout;
use crate::parts::Parts;

/// Flink's home on Dataproc's machines, which job bodies name.
const FLINK_HOME: &str = "/usr/lib/flink/";

/// Brings files into a job's folder.
#[derive(Debug)]
pub(super) struct Files<'a> {
    layout: &'a Layout,
    parts: &'a Parts,
    http: &'a reqwest::Client,
    folder: PathBuf,
}

impl<'a> Files<'a> {
    pub(super) const fn new(
        layout: &'a Layout,
        parts: &'a Parts,
        http: &'a reqwest::Client,
        folder: PathBuf,
    ) -> Self {
        Self {
            layout,
            parts,
            http,
            folder,
        }
    }

    /// Where a file is on the master: an object is fetched into the job's folder, a `file:` URI names its place.
    pub(super) async fn local(&self, uri: &str) -> Result<PathBuf, SandboxError> {
        let fail = |detail: &str| SandboxError::JobFile {
            uri: uri.to_owned(),
            detail: detail.to_owned(),
        };
        if let Some(object) = uri.strip_prefix("gs://") {
            let (bucket, name) = object
                .split_once('/')
                .filter(|(bucket, name)| !bucket.is_empty() && !name.is_empty())
                .ok_or_else(|| fail("a bucket and an object are needed"))?;
            let file = name
                .rsplit('/')
                .next()
                .filter(|file| !file.is_empty() && *file != "..");
            let file = self
                .folder
                .join(file.ok_or_else(|| fail("it names a folder"))?);
            self.fetch(bucket, name, &file)
                .await
                .map_err(|detail| fail(&detail))?;
            return Ok(file);
        }
        let path = match uri.strip_prefix("file://") {
            Some(path) => path,
            None if uri.starts_with('/') => uri,
            None => return Err(fail("only gs:// and file:/// are known here")),
        };
        let path = match path.strip_prefix(FLINK_HOME) {
            Some(inner) => self.parts.flink_home.join(inner),
            None => PathBuf::from(path),
        };
        if path.exists() {
            Ok(path)
        } else {
            Err(fail("no such file on the master"))
        }
    }

    /// The same for several.
    pub(super) async fn all(&self, uris: &[String]) -> Result<Vec<PathBuf>, SandboxError> {
        let mut paths = Vec::with_capacity(uris.len());
        for uri in uris {
            paths.push(self.local(uri).await?);
        }
        Ok(paths)
    }

    async fn fetch(&self, bucket: &str, name: &str, file: &Path) -> Result<(), String> {
        let mut url =
            reqwest::Url::parse(&self.layout.storage).map_err(|error| error.to_string())?;
        url.path_segments_mut()
            .map_err(|()| "the storage server has no usable address".to_owned())?
            .pop_if_empty()
            .extend(["storage", "v1", "b", bucket, "o", name]);
        url.set_query(Some("alt=media"));
        let mut request = self.http.get(url);
        if let Some(token) = self.token().await {
            request = request.bearer_auth(token);
        }
        let said = |error: reqwest::Error| error.without_url().to_string();
        let mut answer = request.send().await.map_err(said)?;
        let status = answer.status();
        if status == reqwest::StatusCode::NOT_FOUND {
            return Err("no such object".to_owned());
        }
        if !status.is_success() {
            return Err(format!("the storage server answered {status}"));
        }
        let said = |error: std::io::Error| error.to_string();
        let mut target = File::create(file).await.map_err(said)?;
        while let Some(piece) = answer.chunk().await.map_err(|error| error.to_string())? {
            target.write_all(&piece).await.map_err(said)?;
        }
        target.flush().await.map_err(said)
    }

    /// The machine's token, as its metadata server tells it; `None` where there is no such server.
    async fn token(&self) -> Option<String> {
        const PATH: &str = "computeMetadata/v1/instance/service-accounts/default/token";
        let host = self.layout.metadata_host.as_deref()?;
        let call = self
            .http
            .get(format!("http://{host}/{PATH}"))
            .header("Metadata-Flavor", "Google")
            .timeout(Duration::from_secs(10));
        let answer: Value = call.send().await.ok()?.json().await.ok()?;
        answer.get("access_token")?.as_str().map(str::to_owned)
    }
}
