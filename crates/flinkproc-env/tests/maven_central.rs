//! The connectors that were seen in Maven Central, found there again for each image's Flink.

use flinkproc_env::{Coordinate, MAVEN_CENTRAL, MavenRepository};

#[tokio::test]
async fn connectors_are_where_they_were_seen() {
    let folder = tempfile::tempdir().expect("folder");
    let http = reqwest::Client::new();
    let repository = MavenRepository::new(http.clone(), MAVEN_CENTRAL, folder.path()).expect("url");
    for (flink, names) in [
        ("1.15.4", "jdbc avro orc parquet"),
        (
            "1.17.0",
            "avro avro-confluent-registry elasticsearch elasticsearch6 jdbc kafka pulsar",
        ),
        ("1.20.5", "avro avro-confluent-registry jdbc"),
        ("2.2.1", "jdbc kafka"),
    ] {
        for name in names.split(' ') {
            let flink = flink.parse().expect("flink");
            let found = repository.locate(name, flink).await;
            let Coordinate {
                group,
                artifact,
                version,
            } = found.unwrap_or_else(|error| panic!("{name} {flink}: {error}"));
            let url = format!(
                "{MAVEN_CENTRAL}{}/{artifact}/{version}/{artifact}-{version}.jar",
                group.replace('.', "/")
            );
            let there = http.head(&url).send().await.expect("answer");
            assert!(
                there.status().is_success(),
                "{name} {flink}: {url} {}",
                there.status()
            );
        }
    }
}

#[tokio::test]
async fn a_small_jar_is_fetched_and_checked() {
    let folder = tempfile::tempdir().expect("folder");
    let http = reqwest::Client::new();
    let repository = MavenRepository::new(http, MAVEN_CENTRAL, folder.path()).expect("url");
    let jar = repository
        .resolve("jdbc", "1.17.0".parse().expect("flink"))
        .await;
    let jar = jar.expect("resolved");
    let bytes = std::fs::read(&jar.path).expect("jar");
    assert!(
        bytes.starts_with(b"PK") && bytes.len() as u64 == jar.size,
        "{jar:?}"
    );
}
