//! Requests that are wrong: the service's answer or 501, and the emulator stays up.

#![expect(clippy::expect_used, reason = "a helper that fails is a failing test")]

use gcs_emulator::{Emulator, Options};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

struct Bench {
    emulator: Emulator,
    client: Client,
    folder: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let emulator = Emulator::start(Options::new(folder.path().join("root"))).await;
        let emulator = emulator.expect("start");
        emulator.create_bucket("buc").expect("bucket");
        Self {
            emulator,
            client: Client::builder().no_proxy().build().expect("client"),
            folder,
        }
    }

    fn call(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().expect("method");
        self.client
            .request(method, format!("{}{path}", self.emulator.url()))
    }

    /// The answer to a raw request, up to where the server closes or the answer is whole.
    async fn raw(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        // The server may refuse and close before everything is sent.
        let _ = stream.write_all(request).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.emulator.address())
            .await
            .expect("connect")
    }

    async fn is_well(&self) {
        let upload = self.call("POST", "/upload/storage/v1/b/buc/o?name=well");
        status(upload.body("well"), 200).await;
        let read = self.call("GET", "/storage/v1/b/buc/o/well?alt=media");
        assert_eq!(
            read.send().await.expect("read").text().await.expect("text"),
            "well"
        );
    }
}

/// The status that came, and the error in Google's form where it is one.
async fn status(request: RequestBuilder, expected: u16) -> Value {
    let response = request.send().await.expect("answer");
    let status = response.status().as_u16();
    let text = response.text().await.expect("text");
    assert_eq!(status, expected, "{text}");
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    if status >= 400 {
        assert_eq!(body["error"]["code"], status, "{text}");
        assert!(body["error"]["errors"][0]["reason"].is_string(), "{text}");
    }
    body
}

#[tokio::test]
async fn bodies_that_are_no_resource_are_refused() {
    let bench = Bench::start().await;
    let session = "/upload/storage/v1/b/buc/o?uploadType=resumable&name=x";
    let object = "/storage/v1/b/buc/o/a";
    status(
        bench
            .call("POST", "/upload/storage/v1/b/buc/o?name=a")
            .body("x"),
        200,
    )
    .await;
    for (method, path) in [
        ("POST", "/storage/v1/b?project=p"),
        ("PATCH", "/storage/v1/b/buc"),
        ("POST", session),
        ("PATCH", object),
        ("POST", "/storage/v1/b/buc/o/a/rewriteTo/b/buc/o/b"),
        ("POST", "/storage/v1/b/buc/o/all/compose"),
    ] {
        for body in [
            "{",
            "[1]",
            "\"text\"",
            "nonsense",
            "{\"a\": \u{0}}",
            "\u{feff}",
        ] {
            status(bench.call(method, path).body(body), 400).await;
        }
    }
    for body in [
        json!({"metadata": {"k": 1}}),
        json!({"contentType": {}}),
        json!({"storageClass": "WARM"}),
        json!({"customTime": "yesterday"}),
        json!({"metadata": {"k": "x".repeat(9000)}}),
    ] {
        status(bench.call("PATCH", object).json(&body), 400).await;
    }
    for body in [
        json!({"temporaryHold": true}),
        json!({"eventBasedHold": true}),
        json!({"retention": {"mode": "Locked"}}),
        json!({"kmsKeyName": "k"}),
    ] {
        status(bench.call("PATCH", object).json(&body), 501).await;
    }
    // What the service does not know or sets itself is passed over, as clients send whole resources back.
    let whole =
        json!({"kind": "storage#object", "size": "5", "unknown": [1], "temporaryHold": false});
    status(bench.call("PATCH", object).json(&whole), 200).await;
    bench.is_well().await;
}

#[tokio::test]
async fn names_that_are_none_are_refused_and_none_leads_out_of_the_folder() {
    let bench = Bench::start().await;
    for name in [
        "",
        "ab",
        "Upper",
        "a/b",
        "..",
        "../buc",
        ".hidden",
        "10.0.0.1",
        "google-x",
        "x".repeat(64).as_str(),
    ] {
        let body = json!({"name": name});
        status(
            bench.call("POST", "/storage/v1/b?project=p").json(&body),
            400,
        )
        .await;
    }
    status(
        bench
            .call("POST", "/storage/v1/b?project=p")
            .json(&json!({})),
        400,
    )
    .await;
    status(
        bench
            .call("POST", "/storage/v1/b")
            .json(&json!({"name": "abc"})),
        400,
    )
    .await;
    let upload = |name: &str| {
        let path = format!("/upload/storage/v1/b/buc/o?uploadType=media&name={name}");
        bench.call("POST", &path).body("x")
    };
    for name in [
        "",
        ".",
        "..",
        "a%0Ab",
        "a%0Db",
        "%FF",
        "x".repeat(1025).as_str(),
        "%C3%BC".repeat(513).as_str(),
    ] {
        status(upload(name), 400).await;
    }
    status(
        bench.call("POST", "/upload/storage/v1/b/buc/o").body("x"),
        400,
    )
    .await;
    let before = std::fs::read_dir(bench.folder.path())
        .expect("folder")
        .count();
    for name in [
        "..%2F..%2F..%2Fescaped",
        "%2Fetc%2Fescaped",
        "a%00b",
        "..%5C..%5Cescaped",
        "x%2F..%2F..%2F..%2Fescaped",
    ] {
        status(upload(name), 200).await;
        status(
            bench.call("DELETE", &format!("/storage/v1/b/buc/o/{name}")),
            204,
        )
        .await;
    }
    for bucket in ["..", "..%2F..", "%2Fetc", "buc%2F..%2Fbuc", "."] {
        status(
            bench.call("GET", &format!("/storage/v1/b/{bucket}%2Fx/o/passwd")),
            404,
        )
        .await;
        let path = format!("/upload/storage/v1/b/{bucket}%2Fx/o?name=a");
        status(bench.call("POST", &path).body("x"), 404).await;
    }
    assert_eq!(
        std::fs::read_dir(bench.folder.path())
            .expect("folder")
            .count(),
        before
    );
    bench.is_well().await;
}

#[tokio::test]
async fn parameters_that_make_no_sense_are_refused() {
    let bench = Bench::start().await;
    status(
        bench
            .call("POST", "/upload/storage/v1/b/buc/o?name=a")
            .body("x"),
        200,
    )
    .await;
    for (method, path, expected) in [
        ("GET", "/storage/v1/b/buc/o?maxResults=-1", 400),
        ("GET", "/storage/v1/b/buc/o?maxResults=many", 400),
        ("GET", "/storage/v1/b/buc/o?pageToken=%21", 400),
        ("GET", "/storage/v1/b/buc/o?pageToken=AAAA", 400),
        ("GET", "/storage/v1/b/buc/o?filter=x", 501),
        ("GET", "/storage/v1/b/buc/o/a?generation=one", 400),
        (
            "GET",
            "/storage/v1/b/buc/o/a?generation=99999999999999999999",
            400,
        ),
        ("GET", "/storage/v1/b/buc/o/a?alt=xml", 400),
        ("GET", "/storage/v1/b/buc/o/a?ifGenerationMatch=", 400),
        ("GET", "/storage/v1/b/buc/o/%FF", 400),
        ("GET", "/storage/v1/b?project=", 400),
        (
            "POST",
            "/upload/storage/v1/b/buc/o?uploadType=torrent&name=x",
            400,
        ),
        (
            "POST",
            "/upload/storage/v1/b/buc/o?name=x&predefinedAcl=publicRead",
            400,
        ),
        ("PUT", "/upload/storage/v1/b/buc/o?upload_id=none", 404),
        ("DELETE", "/upload/storage/v1/b/buc/o?name=x", 501),
        ("GET", "/storage/v1/b/buc/acl", 501),
        ("GET", "/storage/v2/b", 501),
        ("GET", "/", 501),
        ("PURGE", "/storage/v1/b/buc", 501),
        ("POST", "/batch/storage/v1", 400),
    ] {
        status(bench.call(method, path), expected).await;
    }
    let keyed = bench
        .call("GET", "/storage/v1/b/buc/o/a")
        .header("x-goog-encryption-key", "k");
    status(keyed, 501).await;
    let sources: Vec<Value> = (0..33).map(|_| json!({"name": "a"})).collect();
    for (sources, expected) in [
        (json!([]), 400),
        (json!(sources), 400),
        (json!([{"name": "none"}]), 404),
        (json!([{"name": "a", "generation": "1"}]), 404),
        (json!([{"name": "a", "generation": "x"}]), 400),
        (
            json!([{"name": "a", "objectPreconditions": {"ifGenerationMatch": "1"}}]),
            412,
        ),
    ] {
        let body = json!({"sourceObjects": sources});
        status(
            bench
                .call("POST", "/storage/v1/b/buc/o/all/compose")
                .json(&body),
            expected,
        )
        .await;
    }
    bench.is_well().await;
}

#[tokio::test]
async fn pieces_that_do_not_fit_their_session_are_refused() {
    let bench = Bench::start().await;
    let start = bench.call(
        "POST",
        "/upload/storage/v1/b/buc/o?uploadType=resumable&name=r",
    );
    let started = start
        .header("x-upload-content-length", "10")
        .send()
        .await
        .expect("start");
    let url = started.headers()["location"]
        .to_str()
        .expect("text")
        .to_owned();
    let piece = |range: &str, body: &'static str| {
        bench
            .client
            .put(&url)
            .header("content-range", range)
            .body(body)
    };
    for (range, body) in [
        ("bytes 0-4", "hello"),
        ("bytes a-b/10", "hello"),
        ("bytes 4-0/10", "hello"),
        ("bytes 0-10/10", "hello worlds"),
        ("bytes 5-9/10", "world"),
        ("bytes 0-4/11", "hello"),
        ("bytes 0-1/10", "hello"),
        ("items 0-4/10", "hello"),
        ("bytes 0-18446744073709551615/*", "hello"),
        ("bytes -1-4/10", "hello"),
    ] {
        status(piece(range, body), 400).await;
    }
    // A body shorter than its range says; what came of it stays.
    status(piece("bytes 0-9/10", "hello"), 400).await;
    let asked = piece("bytes */10", "").send().await.expect("state");
    assert_eq!(
        (
            asked.status().as_u16(),
            asked.headers()["range"].to_str().expect("text")
        ),
        (308, "bytes=0-4")
    );
    status(piece("bytes 5-9/10", "world"), 200).await;
    let odd = bench.call(
        "POST",
        "/upload/storage/v1/b/buc/o?uploadType=resumable&name=r",
    );
    status(odd.header("x-upload-content-length", "ten"), 400).await;
    bench.is_well().await;
}

#[tokio::test]
async fn broken_multipart_bodies_are_refused() {
    let bench = Bench::start().await;
    let path = "/upload/storage/v1/b/buc/o?uploadType=multipart&name=m";
    let whole = "--B\r\nContent-Type: application/json\r\n\r\n{}\r\n--B\r\nContent-Type: text/plain\r\n\r\nhello\r\n--B--\r\n";
    let upload = |kind: &str, body: &str| {
        let request = bench.call("POST", path).header("content-type", kind);
        request.body(body.to_owned())
    };
    status(upload("multipart/related", whole), 400).await;
    status(upload("multipart/related; boundary=C", whole), 400).await;
    for cut in (0..whole.len() - 6).step_by(3) {
        let body = whole.get(..cut).expect("ASCII");
        status(upload("multipart/related; boundary=B", body), 400).await;
    }
    status(bench.call("GET", "/storage/v1/b/buc/o/m"), 404).await;
    let long = format!("--B\r\n\r\n{}", " ".repeat(2 << 20));
    status(upload("multipart/related; boundary=B", &long), 400).await;
    let batch = |body: &str| {
        let request = bench.call("POST", "/batch/storage/v1");
        let request = request.header("content-type", "multipart/mixed; boundary=B");
        request.body(body.to_owned())
    };
    for body in ["", "--B", "--B\r\n\r\nGET", "--B\r\n\r\nGET /x HTTP/1.1"] {
        status(batch(body), 400).await;
    }
    let many = "--B\r\n\r\nGET /storage/v1/b/buc HTTP/1.1\r\n\r\n\r\n".repeat(101) + "--B--";
    status(batch(&many), 400).await;
    bench.is_well().await;
}

#[tokio::test]
async fn metadata_of_ten_mebibytes_is_too_much_and_content_is_not() {
    let bench = Bench::start().await;
    let long = format!("{{\"name\": \"{}\"}}", "x".repeat(10 << 20));
    let session = "/upload/storage/v1/b/buc/o?uploadType=resumable";
    for (method, path) in [
        ("POST", "/storage/v1/b?project=p"),
        ("POST", session),
        ("POST", "/storage/v1/b/buc/o/all/compose"),
    ] {
        status(bench.call(method, path).body(long.clone()), 413).await;
    }
    // A bomb: a few KiB that unpack to more than is taken.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut bomb, &vec![b' '; 20 << 20]).expect("pack");
    let bomb = bomb.finish().expect("pack");
    let request = bench
        .call("POST", session)
        .header("content-encoding", "gzip");
    status(request.body(bomb), 413).await;
    let upload = bench
        .call("POST", "/upload/storage/v1/b/buc/o?name=long")
        .body(long);
    status(upload, 200).await;
    bench.is_well().await;
}

#[tokio::test]
async fn what_is_no_http_ends_its_connection_and_no_other() {
    let bench = Bench::start().await;
    let line = "GET /storage/v1/b/buc HTTP/1.1\r\n";
    let long = format!(
        "{line}Host: localhost\r\nX: {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    let twice =
        format!("{line}Host: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello");
    for request in [
        "nonsense\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}",
        "GET /storage/v1/b/\u{0} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        long.as_str(),
        twice.as_str(),
    ] {
        let answer = bench.raw(request.as_bytes()).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    assert!(
        bench
            .raw(format!("{line}\r\n").as_bytes())
            .await
            .starts_with("HTTP/1.1 403")
    );
    // An upload that breaks off is no object.
    let head = "POST /upload/storage/v1/b/buc/o?name=cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhello";
    bench.raw(head.as_bytes()).await;
    let head = "POST /upload/storage/v1/b/buc/o?name=cut HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n";
    bench.raw(head.as_bytes()).await;
    status(bench.call("GET", "/storage/v1/b/buc/o/cut"), 404).await;
    bench.is_well().await;
}

#[tokio::test]
async fn a_thousand_idle_and_slow_connections_leave_room_for_others() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    // Both ends of every connection are in this process.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("limit");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("limit");
    let bench = Bench::start().await;
    let mut waiting = Vec::new();
    for number in 0..1000 {
        let mut stream = bench.connect().await;
        // Some say nothing, some half a head, some half a body.
        let said: &[u8] = match number % 3 {
            0 => b"",
            1 => b"GET /storage/v1/b/buc HTTP/1.1\r\nHo",
            _ => b"POST /upload/storage/v1/b/buc/o?name=slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf",
        };
        stream.write_all(said).await.expect("say");
        waiting.push(stream);
    }
    bench.is_well().await;
    // The slow ones are served when they go on.
    let mut last = waiting.pop().expect("a connection");
    last.write_all(
        b"GET /storage/v1/b/buc HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    )
    .await
    .expect("say");
    let mut answer = String::new();
    last.read_to_string(&mut answer).await.expect("answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(waiting);
    bench.is_well().await;
    status(bench.call("GET", "/storage/v1/b/buc/o/slow"), 404).await;
}
