//! Fetches jars from a Maven repository, each checked by the repository's checksum, and keeps them.

use std::io;
use std::path::{Path, PathBuf};

use flinkproc_core::FlinkVersion;
use reqwest::{Client, Response, StatusCode, Url};
use sha2::{Digest as _, Sha256};

use crate::connectors::{Asked, Coordinate, ResolvedJar, asked, choose};
use crate::error::EnvError;
use crate::request::hex;

/// Maven Central.
pub const MAVEN_CENTRAL: &str = "https://repo1.maven.org/maven2/";

/// A repository, and the folder that its jars are kept in.
///
/// Only the named jar is fetched, never what it depends on: the short names lead to jars that hold all they need.
#[derive(Clone)]
pub struct MavenRepository {
    http: Client,
    url: Url,
    folder: PathBuf,
}

impl std::fmt::Debug for MavenRepository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = (shown(&self.url), &self.folder);
        f.debug_tuple("MavenRepository").field(&shown).finish()
    }
}

impl MavenRepository {
    /// A repository at this address ([`MAVEN_CENTRAL`], or a mirror), with jars kept in `folder`.
    ///
    /// # Errors
    /// [`EnvError::Unavailable`] when the address is none.
    pub fn new(http: Client, url: &str, folder: impl Into<PathBuf>) -> Result<Self, EnvError> {
        let slash = if url.ends_with('/') { "" } else { "/" };
        let parsed = Url::parse(&format!("{url}{slash}"));
        let url = parsed.map_err(|source| EnvError::Unavailable {
            what: "the Maven repository".to_owned(),
            source: source.into(),
        })?;
        Ok(Self {
            http,
            url,
            folder: folder.into(),
        })
    }

    /// Fetches the jar that an entry of `packages` asks for.
    ///
    /// # Errors
    /// What is not known, does not exist for this Flink, or cannot be fetched.
    pub async fn resolve(&self, text: &str, flink: FlinkVersion) -> Result<ResolvedJar, EnvError> {
        let coordinate = self.locate(text, flink).await?;
        self.fetch(&coordinate).await
    }

    /// Finds which jar that is, without fetching it.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub async fn locate(&self, text: &str, flink: FlinkVersion) -> Result<Coordinate, EnvError> {
        let (name, group, artifacts) = match asked(text, flink)? {
            Asked::Exactly(coordinate) => return Ok(coordinate),
            Asked::For {
                name,
                group,
                artifacts,
            } => (name, group, artifacts),
        };
        let mut existing = Vec::new();
        for artifact in artifacts {
            let versions = self.versions(group, &artifact).await?;
            let borrowed: Vec<_> = versions.iter().map(String::as_str).collect();
            if let Some(version) = choose(&borrowed, flink) {
                return Ok(Coordinate {
                    group: group.to_owned(),
                    version: version.to_owned(),
                    artifact,
                });
            }
            existing.extend(versions.into_iter().map(|it| format!("{artifact} {it}")));
        }
        Err(EnvError::NoConnector {
            name: name.to_owned(),
            flink,
            exists: if existing.is_empty() {
                "the repository has no version of it".to_owned()
            } else {
                let from = existing.len().saturating_sub(12);
                format!("the repository has {}", existing[from..].join(", "))
            },
        })
    }

    /// The versions of an artifact, oldest first; none when there is no such artifact.
    async fn versions(&self, group: &str, artifact: &str) -> Result<Vec<String>, EnvError> {
        let url = self.at(group, artifact, &["maven-metadata.xml"])?;
        let Some(answer) = self.get(&url).await? else {
            return Ok(Vec::new());
        };
        let text = answer
            .text()
            .await
            .map_err(|error| unavailable(&url, error))?;
        let versions = text.split("<version>").skip(1);
        let versions = versions.filter_map(|rest| rest.split_once("</version>"));
        Ok(versions
            .map(|(version, _)| version.trim().to_owned())
            .collect())
    }

    /// Fetches a jar, unless it is kept already.
    ///
    /// # Errors
    /// [`EnvError::NoJar`] says which versions there are.
    pub async fn fetch(&self, coordinate: &Coordinate) -> Result<ResolvedJar, EnvError> {
        let name = coordinate.file_name();
        let place = self
            .folder
            .join(&coordinate.group)
            .join(&coordinate.artifact);
        let path = place.join(&name);
        let record = place.join(format!("{name}.json"));
        if let Some(jar) = kept(&record, &path).await {
            return Ok(jar);
        }
        let (group, artifact) = (&coordinate.group, &coordinate.artifact);
        let url = self.at(group, artifact, &[&coordinate.version, &name])?;
        let Some(answer) = self.get(&url).await? else {
            let versions = self.versions(group, artifact).await?;
            let from = versions.len().saturating_sub(12);
            return Err(EnvError::NoJar {
                coordinate: coordinate.to_string(),
                exists: match &versions[from..] {
                    [] => "no version of it is".to_owned(),
                    last => format!("there is {}", last.join(", ")),
                },
            });
        };
        tokio::fs::create_dir_all(&place)
            .await
            .map_err(|source| EnvError::local(&place, source))?;
        let part = tempfile::NamedTempFile::new_in(&place)
            .map_err(|source| EnvError::local(&place, source))?;
        let (size, sha1, sha256) = Self::save(&url, answer, part.path()).await?;
        self.check(&url, &sha1, &sha256).await?;
        part.persist(&path)
            .map_err(|error| EnvError::local(&path, error.error))?;
        let jar = ResolvedJar {
            coordinate: coordinate.clone(),
            path,
            size,
            sha256,
        };
        let text =
            serde_json::to_vec(&jar).map_err(|source| EnvError::local(&record, source.into()))?;
        tokio::fs::write(&record, text)
            .await
            .map_err(|source| EnvError::local(&record, source))?;
        Ok(jar)
    }

    async fn save(
        url: &Url,
        mut answer: Response,
        to: &Path,
    ) -> Result<(u64, String, String), EnvError> {
        use tokio::io::AsyncWriteExt as _;
        let local = |source: io::Error| EnvError::local(to, source);
        let mut file = tokio::fs::File::create(to).await.map_err(local)?;
        let (mut sha1, mut sha256, mut size) = (sha1::Sha1::default(), Sha256::new(), 0);
        while let Some(part) = answer
            .chunk()
            .await
            .map_err(|error| unavailable(url, error))?
        {
            sha1::Digest::update(&mut sha1, &part);
            sha256.update(&part);
            size += part.len() as u64;
            file.write_all(&part).await.map_err(local)?;
        }
        file.sync_all().await.map_err(local)?;
        let sha1 = hex(&sha1::Digest::finalize(sha1));
        Ok((size, sha1, hex(&sha256.finalize())))
    }

    /// Compares with the repository's checksum: SHA-256 where it has one, else SHA-1, which Maven itself relies on.
    async fn check(&self, jar: &Url, sha1: &str, sha256: &str) -> Result<(), EnvError> {
        for (ending, seen) in [("sha256", sha256), ("sha1", sha1)] {
            let mut url = jar.clone();
            url.set_path(&format!("{}.{ending}", jar.path()));
            let Some(answer) = self.get(&url).await? else {
                continue;
            };
            let text = answer
                .text()
                .await
                .map_err(|error| unavailable(&url, error))?;
            let given = text.split_whitespace().next().unwrap_or_default();
            if given.eq_ignore_ascii_case(seen) {
                return Ok(());
            }
            return Err(EnvError::Corrupt { what: shown(jar) });
        }
        Err(EnvError::Unavailable {
            what: shown(jar),
            source: "the repository has no checksum of it".into(),
        })
    }

    /// Asks for a file; none when it is not there.
    async fn get(&self, url: &Url) -> Result<Option<Response>, EnvError> {
        tracing::debug!(url = shown(url), "asked for");
        let answer = self.http.get(url.clone()).send().await;
        let answer = answer.map_err(|error| unavailable(url, error))?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = answer.error_for_status();
        answer.map(Some).map_err(|error| unavailable(url, error))
    }

    fn at(&self, group: &str, artifact: &str, rest: &[&str]) -> Result<Url, EnvError> {
        let path = format!("{}/{artifact}/{}", group.replace('.', "/"), rest.join("/"));
        self.url
            .join(&path)
            .map_err(|source| EnvError::Unavailable {
                what: path,
                source: source.into(),
            })
    }
}

/// The address without a name and a password.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // fails only for addresses that can have neither
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

fn unavailable(url: &Url, error: reqwest::Error) -> EnvError {
    EnvError::Unavailable {
        what: shown(url),
        source: error.without_url().into(),
    }
}

/// A jar that was fetched before and still has its size.
async fn kept(record: &Path, path: &Path) -> Option<ResolvedJar> {
    let text = tokio::fs::read(record).await.ok()?;
    let jar: ResolvedJar = serde_json::from_slice(&text).ok()?;
    let there = tokio::fs::metadata(path).await.ok()?;
    (there.len() == jar.size && jar.path == path).then_some(jar)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use reqwest::Client;
    use wiremock::matchers::{method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::MavenRepository;
    use crate::error::EnvError;

    const KAFKA: &str = "/m/org/apache/flink/flink-sql-connector-kafka";

    async fn serve(server: &MockServer, at: &str, body: &str, times: u64) {
        let answer = ResponseTemplate::new(200).set_body_string(body);
        Mock::given(method("GET"))
            .and(path(at))
            .respond_with(answer)
            .expect(0..=times)
            .mount(server)
            .await;
    }

    fn repository(server: &MockServer, folder: &tempfile::TempDir) -> MavenRepository {
        let url = format!("http://ada:hunter2@{}/m", server.address());
        MavenRepository::new(Client::new(), &url, folder.path()).expect("address")
    }

    #[tokio::test]
    async fn a_short_name_becomes_a_checked_jar_that_is_kept() {
        let (server, folder) = (
            MockServer::start().await,
            tempfile::tempdir().expect("folder"),
        );
        let metadata =
            "<metadata><version>1.17.0</version> <version>3.0.0-1.17</version></metadata>";
        serve(&server, &format!("{KAFKA}/maven-metadata.xml"), metadata, 2).await;
        let jar = format!("{KAFKA}/3.0.0-1.17/flink-sql-connector-kafka-3.0.0-1.17.jar");
        serve(&server, &jar, "hello", 1).await;
        serve(
            &server,
            &format!("{jar}.sha1"),
            "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d  x.jar\n",
            1,
        )
        .await;
        let repository = repository(&server, &folder);
        let flink = "1.17.0".parse().expect("flink");
        let first = repository.resolve("kafka", flink).await.expect("resolved");
        assert_eq!(
            first.coordinate.to_string(),
            "org.apache.flink:flink-sql-connector-kafka:3.0.0-1.17"
        );
        assert_eq!((first.size, &first.sha256[..8]), (5, "2cf24dba"));
        assert_eq!(std::fs::read(&first.path).expect("jar"), b"hello");
        let again = repository.resolve("kafka", flink).await.expect("kept");
        assert_eq!(again, first);
    }

    #[tokio::test]
    async fn what_is_not_there_is_told_with_what_is() {
        let (server, folder) = (
            MockServer::start().await,
            tempfile::tempdir().expect("folder"),
        );
        let metadata = "<version>1.17.0</version><version>3.0.0-1.17</version>";
        serve(&server, &format!("{KAFKA}/maven-metadata.xml"), metadata, 2).await;
        let repository = repository(&server, &folder);
        let flink = "1.20.5".parse().expect("flink");
        let told = async |text: &str| {
            repository
                .resolve(text, flink)
                .await
                .expect_err(text)
                .to_string()
        };
        let all = [
            told("kafka").await,
            told("org.apache.flink:flink-sql-connector-kafka:9").await,
            told("mongodb").await,
            told("com.example:none:1").await,
        ];
        assert_snapshot!(all.join("\n"), @r#"
        there is no `kafka` connector for Flink 1.20.5: the repository has flink-sql-connector-kafka 1.17.0, flink-sql-connector-kafka 3.0.0-1.17
        org.apache.flink:flink-sql-connector-kafka:9 is not in the repository: there is 1.17.0, 3.0.0-1.17
        there is no `mongodb` connector for Flink 1.20.5: the repository has no version of it
        com.example:none:1 is not in the repository: no version of it is
        "#);
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("folder").count(),
            0,
            "nothing is kept"
        );
    }

    #[tokio::test]
    async fn a_jar_that_is_not_what_its_checksum_says_is_not_kept() {
        let (server, folder) = (
            MockServer::start().await,
            tempfile::tempdir().expect("folder"),
        );
        let jar = "/m/com/example/a/1/a-1.jar";
        serve(&server, jar, "hell0", 2).await;
        let repository = repository(&server, &folder);
        let fetch = async || {
            repository
                .fetch(&"com.example:a:1".parse().expect("coordinate"))
                .await
        };
        let error = fetch().await.expect_err("no checksum");
        assert!(matches!(error, EnvError::Unavailable { .. }), "{error}");
        serve(
            &server,
            &format!("{jar}.sha1"),
            "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
            1,
        )
        .await;
        let error = fetch().await.expect_err("wrong checksum");
        assert!(matches!(error, EnvError::Corrupt { .. }), "{error}");
        let told = format!("{error} {repository:?}");
        assert!(!told.contains("hunter2"), "{told}");
        let left = std::fs::read_dir(folder.path().join("com.example/a")).expect("folder");
        assert_eq!(left.count(), 0, "nothing is kept");
    }

    #[tokio::test]
    async fn a_repository_that_fails_is_unavailable_and_its_password_stays_hidden() {
        let (server, folder) = (
            MockServer::start().await,
            tempfile::tempdir().expect("folder"),
        );
        let answer = ResponseTemplate::new(503);
        Mock::given(method("GET"))
            .respond_with(answer)
            .mount(&server)
            .await;
        let repository = repository(&server, &folder);
        let error = repository
            .resolve("kafka", "2.2.1".parse().expect("flink"))
            .await;
        let error = error.expect_err("503");
        let told = flinkproc_core::messages(&error).join(": ");
        assert!(told.contains("503") && !told.contains("hunter2"), "{told}");
    }
}
