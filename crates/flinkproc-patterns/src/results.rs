//! The step [`Step::FetchResult`](crate::Step::FetchResult): the job's result is listed, and fetched where it is small.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use flinkproc_core::GcsUri;
use flinkproc_staging::ObjectMeta;

use crate::error::RunError;
use crate::events::EventKind;
use crate::outcome::ResultObject;
use crate::output::{local, make_directory};
use crate::run::{Run, lock, passing};
use crate::step::Output;

/// How many objects are listed.
const LISTED: usize = 1000;
/// How much is fetched in all, in bytes; what is larger is listed only.
const FETCHED: u64 = 16 << 20;

impl Run {
    /// Lists the job's result and fetches it, up to 16 MiB, into `result/` of the deployment's directory.
    pub(crate) async fn fetch_result(self: &Arc<Self>) -> Result<(), RunError> {
        let Some(prefix) = &self.plan.job.result else {
            return Ok(());
        };
        let staging = &self.clients.staging;
        let objects = self
            .retrying("listing the result", passing, || staging.list(prefix))
            .await?;
        let directory = self.options.directory.join("result");
        let mut left = FETCHED;
        let mut found = Vec::new();
        // Names that end in a slash are what consoles and connectors make in place of folders.
        let real = objects
            .into_iter()
            .filter(|object| !object.uri.object().ends_with('/'));
        for object in real.take(LISTED) {
            let local = match below(&directory, prefix, &object.uri) {
                Some(path) if object.size <= left => {
                    left -= object.size;
                    self.fetch(&object, &path).await?;
                    Some(path)
                }
                _ => None,
            };
            self.emit(EventKind::Result {
                uri: object.uri.clone(),
                size: object.size,
                local: local.clone(),
            });
            found.push(ResultObject {
                uri: object.uri,
                size: object.size,
                local,
            });
        }
        *lock(&self.results) = found;
        self.done(Output::FetchResult).await
    }

    async fn fetch(&self, object: &ObjectMeta, to: &Path) -> Result<(), RunError> {
        let staging = &self.clients.staging;
        let read = || staging.read_range(&object.uri, 0, object.size);
        let bytes = self.retrying("fetching the result", passing, read).await?;
        if let Some(parent) = to.parent() {
            make_directory(parent).await?;
        }
        tokio::fs::write(to, &bytes)
            .await
            .map_err(local(to, "written"))
    }
}

/// Where an object is put: its name below the prefix, and never outside of the directory.
fn below(directory: &Path, prefix: &GcsUri, object: &GcsUri) -> Option<PathBuf> {
    let folder = prefix
        .object()
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    let name = object
        .object()
        .strip_prefix(folder)?
        .trim_start_matches('/');
    let path = Path::new(name);
    let plain = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    (plain && !name.is_empty()).then(|| directory.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_object_is_written_outside_of_the_directory() {
        let check = |prefix: &str, object: &str, expected: Option<&str>| {
            let (prefix, object) = (
                prefix.parse().expect("valid"),
                object.parse().expect("valid"),
            );
            let path = below(Path::new("/r"), &prefix, &object);
            assert_eq!(path.as_deref(), expected.map(Path::new), "{object}");
        };
        check(
            "gs://bucket/out/",
            "gs://bucket/out/part-0",
            Some("/r/part-0"),
        );
        check(
            "gs://bucket/out/part",
            "gs://bucket/out/part-0",
            Some("/r/part-0"),
        );
        check("gs://bucket/out", "gs://bucket/out/a/b", Some("/r/out/a/b"));
        check("gs://bucket/", "gs://bucket/a", Some("/r/a"));
        check("gs://bucket/out/", "gs://bucket/out/../../etc/passwd", None);
        check(
            "gs://bucket/out/",
            "gs://bucket/out//etc/passwd",
            Some("/r/etc/passwd"),
        );
        check("gs://bucket/out/", "gs://bucket/out/", None);
    }
}
