//! Calls beyond the staging path: buckets' settings, generations, rewrites in steps, lists by pattern, gzip, XML.

#![expect(clippy::expect_used, reason = "a helper that fails is a failing test")]

use std::io::Write as _;

use gcs_emulator::{Emulator, Options};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

struct Bench {
    emulator: Emulator,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let emulator = Emulator::start(Options::new(folder.path()))
            .await
            .expect("start");
        emulator.create_bucket("buc").expect("bucket");
        Self {
            emulator,
            client: Client::builder().no_proxy().build().expect("client"),
            _folder: folder,
        }
    }

    fn call(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().expect("method");
        self.client
            .request(method, format!("{}{path}", self.emulator.url()))
    }

    async fn put(&self, name: &str, content: impl Into<reqwest::Body>) -> Value {
        let path = format!("/upload/storage/v1/b/buc/o?name={name}");
        json_of(self.call("POST", &path).body(content), 200).await
    }

    async fn text(&self, path: &str) -> String {
        let response = self.call("GET", path).send().await.expect("answer");
        response.text().await.expect("text")
    }
}

async fn json_of(request: RequestBuilder, status: u16) -> Value {
    let response = request.send().await.expect("answer");
    let seen = response.status();
    let text = response.text().await.expect("text");
    assert_eq!(seen, status, "{text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

const BUCKET: &str = "/storage/v1/b/buc";

#[tokio::test]
async fn settings_of_a_bucket_are_kept_or_refused() {
    let bench = Bench::start().await;
    let patch = |body: Value| bench.call("PATCH", BUCKET).json(&body);
    let bucket = json_of(patch(json!({"labels": {"a": "1", "b": "2"}})), 200).await;
    assert_eq!(
        (&bucket["labels"]["b"], &bucket["metageneration"]),
        (&json!("2"), &json!("2"))
    );
    let bucket = json_of(
        patch(json!({"labels": {"a": null, "c": "3"}, "lifecycle": {}})),
        200,
    )
    .await;
    assert_eq!(bucket["labels"], json!({"b": "2", "c": "3"}));
    let update = bench
        .call("PUT", BUCKET)
        .json(&json!({"storageClass": "NEARLINE"}));
    let bucket = json_of(update, 200).await;
    assert_eq!(
        (&bucket["labels"], &bucket["storageClass"]),
        (&Value::Null, &json!("NEARLINE"))
    );
    json_of(patch(json!({"storageClass": "WARM"})), 400).await;
    json_of(patch(json!({"lifecycle": {"rule": [{}]}})), 501).await;
    json_of(
        patch(json!({"retentionPolicy": {"retentionPeriod": "5"}})),
        501,
    )
    .await;
    let path = format!("{BUCKET}?ifMetagenerationMatch=1");
    json_of(bench.call("PATCH", &path).json(&json!({})), 412).await;
    json_of(bench.call("DELETE", &path), 412).await;
    json_of(
        bench.call("POST", &format!("{BUCKET}/lockRetentionPolicy")),
        501,
    )
    .await;
    let test = format!(
        "{BUCKET}/iam/testPermissions?permissions=storage.objects.get&permissions=storage.objects.list"
    );
    let allowed = json_of(bench.call("GET", &test), 200).await;
    assert_eq!(allowed["permissions"].as_array().expect("list").len(), 2);
    for name in ["bbb", "ccc", "ddd"] {
        bench.emulator.create_bucket(name).expect("bucket");
    }
    let page = json_of(
        bench.call("GET", "/storage/v1/b?project=p&maxResults=3"),
        200,
    )
    .await;
    let next = page["nextPageToken"].as_str().expect("token");
    let path = format!("/storage/v1/b?project=p&maxResults=3&pageToken={next}");
    let rest = json_of(bench.call("GET", &path), 200).await;
    assert_eq!(
        (&rest["items"][0]["name"], &rest["nextPageToken"]),
        (&json!("ddd"), &Value::Null)
    );
}

#[tokio::test]
async fn old_generations_are_read_listed_and_deleted_by_number() {
    let bench = Bench::start().await;
    let versioning = json!({"versioning": {"enabled": true}});
    json_of(bench.call("PATCH", BUCKET).json(&versioning), 200).await;
    let first = bench.put("a", "one").await["generation"]
        .as_str()
        .expect("generation")
        .to_owned();
    bench.put("a", "two").await;
    let old = format!("{BUCKET}/o/a?generation={first}");
    assert_eq!(bench.text(&format!("{old}&alt=media")).await, "one");
    assert_eq!(bench.text(&format!("{BUCKET}/o/a?alt=media")).await, "two");
    let list = async |query: &str| {
        let list = json_of(bench.call("GET", &format!("{BUCKET}/o?{query}")), 200).await;
        list["items"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((list("").await, list("versions=true").await), (1, 2));
    let page = json_of(
        bench.call("GET", &format!("{BUCKET}/o?versions=true&maxResults=1")),
        200,
    )
    .await;
    assert!(page["items"][0]["timeDeleted"].is_string());
    let token = page["nextPageToken"].as_str().expect("token");
    let path = format!("{BUCKET}/o?versions=true&maxResults=1&pageToken={token}");
    let page = json_of(bench.call("GET", &path), 200).await;
    assert_eq!(
        (&page["items"][0]["timeDeleted"], &page["nextPageToken"]),
        (&Value::Null, &Value::Null)
    );
    json_of(bench.call("DELETE", &format!("{BUCKET}/o/a")), 204).await;
    assert_eq!((list("").await, list("versions=true").await), (0, 2));
    json_of(bench.call("DELETE", BUCKET), 409).await;
    json_of(bench.call("DELETE", &old), 204).await;
    json_of(bench.call("DELETE", &old), 404).await;
    assert_eq!(list("versions=true").await, 1);
}

#[tokio::test]
async fn a_rewrite_goes_in_steps_where_the_client_wants_them() {
    let bench = Bench::start().await;
    let size = (5 << 20) / 2;
    bench.put("a", vec![7; size]).await;
    let rewrite = |query: &str| {
        let path =
            format!("{BUCKET}/o/a/rewriteTo/b/buc/o/b?maxBytesRewrittenPerCall=1048576{query}");
        bench.call("POST", &path)
    };
    let first = json_of(rewrite(""), 200).await;
    assert_eq!(
        (&first["done"], &first["totalBytesRewritten"]),
        (&json!(false), &json!("1048576"))
    );
    let mut token = first["rewriteToken"].as_str().expect("token").to_owned();
    json_of(bench.call("GET", &format!("{BUCKET}/o/b")), 404).await;
    let mut calls = 1;
    let last = loop {
        calls += 1;
        let answer = json_of(rewrite(&format!("&rewriteToken={token}")), 200).await;
        match answer["rewriteToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break answer,
        }
    };
    assert_eq!(
        (calls, &last["resource"]["size"]),
        (3, &json!(size.to_string()))
    );
    json_of(rewrite("&rewriteToken=x"), 400).await;
    let odd = format!("{BUCKET}/o/a/rewriteTo/b/buc/o/b?maxBytesRewrittenPerCall=5");
    json_of(bench.call("POST", &odd), 400).await;
}

#[tokio::test]
async fn lists_are_narrowed_by_patterns() {
    let bench = Bench::start().await;
    for name in ["a.txt", "d%2Fb.txt", "d%2Fe%2Fc.txt", "d%2Fx.bin"] {
        bench.put(name, "").await;
    }
    let list = async |query: &str| {
        let list = json_of(bench.call("GET", &format!("{BUCKET}/o?{query}")), 200).await;
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let names = items.iter().filter_map(|it| it["name"].as_str());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(list("matchGlob=**.txt").await, "a.txt d/b.txt d/e/c.txt");
    assert_eq!(list("matchGlob=d/*.txt").await, "d/b.txt");
    assert_eq!(list("matchGlob=%7Ba,d/x%7D.*").await, "a.txt d/x.bin");
    assert_eq!(list("matchGlob=*&delimiter=/").await, "a.txt");
    json_of(bench.call("GET", &format!("{BUCKET}/o?matchGlob=[a")), 400).await;
    json_of(
        bench.call("GET", &format!("{BUCKET}/o?includeFoldersAsPrefixes=true")),
        400,
    )
    .await;
}

#[tokio::test]
async fn compressed_content_is_unpacked_for_those_who_do_not_take_it() {
    let bench = Bench::start().await;
    let plain = "plain text ".repeat(20_000);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(plain.as_bytes()).expect("pack");
    let packed = packed.finish().expect("pack");
    let upload = bench.call("POST", "/upload/storage/v1/b/buc/o?name=z");
    let upload = upload
        .header("content-encoding", "gzip")
        .body(packed.clone());
    let object = json_of(upload, 200).await;
    assert_eq!(object["contentEncoding"], "gzip");
    assert_eq!(object["size"], packed.len().to_string());
    let path = format!("{BUCKET}/o/z?alt=media");
    assert_eq!(bench.text(&path).await, plain);
    let request = bench.call("GET", &path).header("accept-encoding", "gzip");
    let stored = request.send().await.expect("answer");
    assert_eq!(stored.headers()["content-encoding"], "gzip");
    assert_eq!(stored.bytes().await.expect("bytes"), packed);
    let change = json!({"cacheControl": "no-transform"});
    json_of(
        bench.call("PATCH", &format!("{BUCKET}/o/z")).json(&change),
        200,
    )
    .await;
    let stored = bench.call("GET", &path).send().await.expect("answer");
    assert_eq!(stored.bytes().await.expect("bytes"), packed);
}

#[tokio::test]
async fn one_object_is_reached_by_the_xml_api_too() {
    let bench = Bench::start().await;
    let put = bench
        .call("PUT", "/buc/d/a%20b")
        .header("x-goog-meta-k", "v")
        .body("hello");
    let put = put.send().await.expect("put");
    assert_eq!(put.status(), 200);
    assert_eq!(
        put.headers()["x-goog-hash"],
        "crc32c=mnG7TA==,md5=XUFAKrxLKna5cZ2REBfFkg=="
    );
    let again = bench
        .call("PUT", "/buc/d/a%20b")
        .header("x-goog-if-generation-match", "0");
    assert_eq!(again.send().await.expect("again").status(), 412);
    let head = bench
        .call("HEAD", "/buc/d/a%20b")
        .send()
        .await
        .expect("head");
    assert_eq!(
        (
            &head.headers()["x-goog-meta-k"],
            &head.headers()["content-length"]
        ),
        (&"v".parse().expect("v"), &"5".parse().expect("5"))
    );
    let part = bench
        .call("GET", "/buc/d/a%20b")
        .header("range", "bytes=1-2");
    assert_eq!(
        part.send().await.expect("part").text().await.expect("text"),
        "el"
    );
    let object = json_of(bench.call("GET", &format!("{BUCKET}/o/d%2Fa%20b")), 200).await;
    assert_eq!(object["metadata"], json!({"k": "v"}));
    assert_eq!(
        bench
            .call("DELETE", "/buc/d/a%20b")
            .send()
            .await
            .expect("delete")
            .status(),
        204
    );
    let gone = bench
        .call("GET", "/buc/d/a%20b")
        .send()
        .await
        .expect("gone");
    assert_eq!(gone.status(), 404);
    assert!(
        gone.text()
            .await
            .expect("text")
            .contains("<Code>NoSuchKey</Code>")
    );
    assert!(
        bench
            .text("/none/x")
            .await
            .contains("<Code>NoSuchBucket</Code>")
    );
}

#[tokio::test]
async fn entity_tags_spare_a_second_read() {
    let bench = Bench::start().await;
    let object = bench.put("a", "one").await;
    let tag = object["etag"].as_str().expect("tag");
    let path = format!("{BUCKET}/o/a?alt=media");
    let with = |name: &str, tag: &str| bench.call("GET", &path).header(name, format!("\"{tag}\""));
    json_of(with("if-none-match", tag), 304).await;
    json_of(with("if-none-match", "x"), 200).await;
    json_of(with("if-match", "x"), 412).await;
    json_of(with("if-match", tag), 200).await;
}
