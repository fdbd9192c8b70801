//! The JSON API over the wire, as its clients use it.

#![expect(clippy::expect_used, reason = "a helper that fails is a failing test")]

use gcs_emulator::{Emulator, Options};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

struct Bench {
    emulator: Emulator,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Self {
        Self::with(|options| options).await
    }

    async fn with(change: impl FnOnce(Options) -> Options) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let emulator = Emulator::start(change(Options::new(folder.path())))
            .await
            .expect("start");
        emulator.create_bucket("buc").expect("bucket");
        Self {
            emulator,
            client: Client::new(),
            _folder: folder,
        }
    }

    fn call(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().expect("method");
        self.client
            .request(method, format!("{}{path}", self.emulator.url()))
    }

    async fn put(&self, name: &str, content: &str) -> Value {
        let path = format!("/upload/storage/v1/b/buc/o?name={name}");
        json_of(self.call("POST", &path).body(content.to_owned()), 200).await
    }

    async fn text(&self, name: &str) -> String {
        let path = format!("/storage/v1/b/buc/o/{name}?alt=media");
        let response = self.call("GET", &path).send().await.expect("answer");
        response.text().await.expect("text")
    }

    async fn session(&self, query: &str) -> String {
        let path = format!("/resumable/upload/storage/v1/b/buc/o?uploadType=resumable&{query}");
        let response = self.call("POST", &path).send().await.expect("answer");
        assert_eq!(response.status(), 200);
        let location = response.headers().get("location").expect("location");
        location.to_str().expect("text").to_owned()
    }

    /// Status and `Range` header of a piece of a resumable upload.
    async fn piece(&self, url: &str, range: &str, content: &str) -> (u16, Option<String>) {
        let request = self.client.put(url).header("content-range", range);
        let response = request
            .body(content.to_owned())
            .send()
            .await
            .expect("answer");
        let range = response.headers().get("range");
        let range = range.map(|it| it.to_str().expect("text").to_owned());
        (response.status().as_u16(), range)
    }
}

async fn json_of(request: RequestBuilder, status: u16) -> Value {
    let response = request.send().await.expect("answer");
    let seen = response.status();
    let text = response.text().await.expect("text");
    assert_eq!(seen, status, "{text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

#[tokio::test]
async fn a_simple_upload_answers_with_sums_and_downloads_with_them() {
    let bench = Bench::start().await;
    let object = bench.put("a%2Fb.txt", "hello world").await;
    assert_eq!(object["size"], "11");
    assert_eq!(object["crc32c"], "yZRlqg==");
    assert_eq!(object["md5Hash"], "XrY7u+Ae7tCTyyK7j1rNww==");
    for path in [
        "/storage/v1/b/buc/o/a%2Fb.txt?alt=media",
        "/storage/v1/b/buc/o/a/b.txt?alt=media",
        "/download/storage/v1/b/buc/o/a%2Fb.txt?alt=media",
    ] {
        let response = bench.call("GET", path).send().await.expect("answer");
        assert_eq!(
            response.headers().get("x-goog-hash").expect("hash"),
            "crc32c=yZRlqg==,md5=XrY7u+Ae7tCTyyK7j1rNww=="
        );
        assert_eq!(
            response.text().await.expect("text"),
            "hello world",
            "{path}"
        );
    }
    let part = bench.call("GET", "/storage/v1/b/buc/o/a%2Fb.txt?alt=media");
    let part = part.header("range", "bytes=6-").send().await.expect("part");
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-range"], "bytes 6-10/11");
    assert_eq!(part.text().await.expect("text"), "world");
    let behind = bench.call("GET", "/storage/v1/b/buc/o/a%2Fb.txt?alt=media");
    json_of(behind.header("range", "bytes=11-"), 416).await;
}

#[tokio::test]
async fn content_that_is_not_what_was_announced_is_refused() {
    let bench = Bench::start().await;
    let upload = || {
        bench
            .call("POST", "/upload/storage/v1/b/buc/o?name=a")
            .body("hello world")
    };
    for (name, value) in [
        ("x-goog-hash", "crc32c=AAAAAA=="),
        ("x-goog-hash", "crc32c=yZRlqg==,md5=AAAA"),
        ("content-md5", "AAAA"),
    ] {
        json_of(upload().header(name, value), 400).await;
    }
    json_of(bench.call("GET", "/storage/v1/b/buc/o/a"), 404).await;
    json_of(upload().header("x-goog-hash", "crc32c=yZRlqg=="), 200).await;
}

#[tokio::test]
async fn a_multipart_upload_takes_name_and_sums_from_its_metadata() {
    let bench = Bench::start().await;
    let upload = |crc32c: &str| {
        let metadata = json!({"name": "m", "crc32c": crc32c, "metadata": {"k": "v"}});
        let body = format!(
            "--B\r\nContent-Type: application/json\r\n\r\n{metadata}\r\n--B\r\n\
             Content-Type: text/plain\r\n\r\nhello world\r\n--B--\r\n"
        );
        bench
            .call("POST", "/upload/storage/v1/b/buc/o?uploadType=multipart")
            .header("content-type", "multipart/related; boundary=\"B\"")
            .body(body)
    };
    let refused = json_of(upload("AAAAAA=="), 400).await;
    assert_eq!(refused["error"]["errors"][0]["reason"], "invalid");
    let object = json_of(upload("yZRlqg=="), 200).await;
    assert_eq!(object["contentType"], "text/plain");
    assert_eq!(object["metadata"], json!({"k": "v"}));
    assert_eq!(bench.text("m").await, "hello world");
}

#[tokio::test]
async fn a_resumable_upload_goes_on_where_it_stopped() {
    let bench = Bench::start().await;
    let url = bench.session("name=r").await;
    assert!(url.starts_with(&bench.emulator.url()), "{url}");
    let incomplete = |range: &str| (308, Some(range.to_owned()));
    assert_eq!(bench.piece(&url, "bytes */*", "").await, (308, None));
    assert_eq!(
        bench.piece(&url, "bytes 0-4/*", "hello").await,
        incomplete("bytes=0-4")
    );
    assert_eq!(
        bench.piece(&url, "bytes */11", "").await,
        incomplete("bytes=0-4")
    );
    assert_eq!(bench.piece(&url, "bytes 7-10/11", "orld").await.0, 400);
    // Two bytes come twice: the answer to them was lost.
    assert_eq!(bench.piece(&url, "bytes 3-10/11", "lo world").await.0, 200);
    assert_eq!(bench.piece(&url, "bytes */11", "").await.0, 200);
    assert_eq!(bench.text("r").await, "hello world");

    let whole = bench.session("name=whole").await;
    let response = bench
        .client
        .put(&whole)
        .body("all")
        .send()
        .await
        .expect("answer");
    assert_eq!(response.status(), 200);
    let empty = bench.session("name=empty").await;
    assert_eq!(bench.piece(&empty, "bytes */0", "").await.0, 200);
    assert_eq!(bench.text("empty").await, "");
    let cancelled = bench.session("name=cancelled").await;
    let response = bench
        .client
        .delete(&cancelled)
        .send()
        .await
        .expect("answer");
    assert_eq!(response.status().as_u16(), 499);
    assert_eq!(bench.piece(&cancelled, "bytes 0-1/2", "xx").await.0, 499);
}

#[tokio::test]
async fn session_addresses_follow_the_host_header_or_the_public_address() {
    // Any Host is good to whoever has the token.
    let bench = Bench::with(|options| options.token("t")).await;
    let port = bench.emulator.address().port();
    let check = async |host: &str, expected: &str| {
        let start = bench.call(
            "POST",
            "/upload/storage/v1/b/buc/o?uploadType=resumable&name=x",
        );
        let start = start.header("host", host).bearer_auth("t");
        let response = start.send().await.expect("answer");
        let location = response.headers()["location"].to_str().expect("text");
        assert!(
            location.starts_with(&format!("{expected}/upload/")),
            "{location}"
        );
    };
    check("storage:99", "http://storage:99").await;
    check("127.0.0.1", &format!("http://127.0.0.1:{port}")).await;
    check("[::1]", &format!("http://[::1]:{port}")).await;

    let folder = tempfile::tempdir().expect("folder");
    let options = Options::new(folder.path()).public_url("https://storage.test/");
    let public = Emulator::start(options).await.expect("start");
    public.create_bucket("buc").expect("bucket");
    let path = "/upload/storage/v1/b/buc/o?uploadType=resumable&name=x";
    let start = bench.client.post(format!("{}{path}", public.url()));
    let response = start.send().await.expect("answer");
    let location = response.headers()["location"].to_str().expect("text");
    assert!(
        location.starts_with("https://storage.test/upload/"),
        "{location}"
    );
}

#[tokio::test]
async fn preconditions_hold_for_every_way_of_writing() {
    let bench = Bench::start().await;
    let first = bench.put("p", "one").await;
    let generation = first["generation"].as_str().expect("generation");
    let absent = "name=p&ifGenerationMatch=0";
    for kind in ["media", "resumable"] {
        let path = format!("/upload/storage/v1/b/buc/o?uploadType={kind}&{absent}");
        let refused = json_of(bench.call("POST", &path), 412).await;
        assert_eq!(refused["error"]["errors"][0]["reason"], "conditionNotMet");
    }
    // Two sessions race for one name: both start, one wins.
    let winner = bench.session("name=race&ifGenerationMatch=0").await;
    let loser = bench.session("name=race&ifGenerationMatch=0").await;
    assert_eq!(bench.piece(&winner, "bytes 0-2/3", "won").await.0, 200);
    assert_eq!(bench.piece(&loser, "bytes 0-3/4", "lost").await.0, 412);
    assert_eq!(bench.text("race").await, "won");

    let object = |query: &str| format!("/storage/v1/b/buc/o/p?{query}");
    let unchanged = object(&format!("ifGenerationNotMatch={generation}"));
    json_of(bench.call("GET", &unchanged), 304).await;
    json_of(bench.call("DELETE", &object("ifGenerationMatch=7")), 412).await;
    let matching = object(&format!(
        "ifGenerationMatch={generation}&ifMetagenerationMatch=1"
    ));
    json_of(bench.call("DELETE", &matching), 204).await;
    let gone = json_of(bench.call("DELETE", &object("")), 404).await;
    assert_eq!(gone["error"]["errors"][0]["reason"], "notFound");
}

#[tokio::test]
async fn lists_are_folded_and_come_in_pages() {
    let bench = Bench::start().await;
    for name in ["a", "d%2F", "d%2Fx", "d%2Fy%2Fz", "e", "f%2Fg"] {
        bench.put(name, "").await;
    }
    let list = async |query: &str| {
        let (mut names, mut token) = (Vec::new(), String::new());
        loop {
            let path = format!("/storage/v1/b/buc/o?{query}&pageToken={token}");
            let page = json_of(bench.call("GET", &path), 200).await;
            for item in page["items"].as_array().into_iter().flatten() {
                names.push(item["name"].as_str().expect("name").to_owned());
            }
            for prefix in page["prefixes"].as_array().into_iter().flatten() {
                names.push(format!("[{}]", prefix.as_str().expect("prefix")));
            }
            match page["nextPageToken"].as_str() {
                Some(next) => token = next.to_owned(),
                None => return names.join(" "),
            }
        }
    };
    assert_eq!(list("").await, "a d/ d/x d/y/z e f/g");
    assert_eq!(list("maxResults=1").await, "a d/ d/x d/y/z e f/g");
    assert_eq!(list("prefix=d/").await, "d/ d/x d/y/z");
    assert_eq!(list("delimiter=/&maxResults=1").await, "a [d/] e [f/]");
    assert_eq!(list("delimiter=/&prefix=d/").await, "d/ d/x [d/y/]");
    let trailing = list("delimiter=/&includeTrailingDelimiter=true").await;
    assert_eq!(trailing, "a d/ e [d/] [f/]");
    assert_eq!(list("startOffset=d/x&endOffset=e").await, "d/x d/y/z");
    json_of(bench.call("GET", "/storage/v1/b/none/o"), 404).await;
}

#[tokio::test]
async fn objects_are_made_of_objects() {
    let bench = Bench::start().await;
    bench.put("one", "hello ").await;
    bench.put("two%2F2", "world").await;
    let rewrite = "/storage/v1/b/buc/o/one/rewriteTo/b/buc/o/sub%2Fone";
    let answer = json_of(bench.call("POST", rewrite), 200).await;
    assert_eq!(answer["done"], true);
    assert_eq!(answer["resource"]["name"], "sub/one");
    assert_eq!(bench.text("sub%2Fone").await, "hello ");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, b"{\"contentType\": \"text/x\"}").expect("pack");
    let request = bench
        .call("POST", rewrite)
        .header("content-encoding", "gzip");
    let answer = json_of(request.body(packed.finish().expect("pack")), 200).await;
    assert_eq!(answer["resource"]["contentType"], "text/x");
    let copy = "/storage/v1/b/buc/o/two%2F2/copyTo/b/buc/o/two?ifGenerationMatch=0";
    json_of(bench.call("POST", copy), 200).await;
    json_of(bench.call("POST", copy), 412).await;
    let sources = json!({"sourceObjects": [{"name": "sub/one"}, {"name": "two"}]});
    let compose = bench
        .call("POST", "/storage/v1/b/buc/o/all/compose")
        .json(&sources);
    let all = json_of(compose, 200).await;
    assert_eq!(
        (&all["crc32c"], &all["componentCount"]),
        (&json!("yZRlqg=="), &json!(2))
    );
    assert_eq!(all["md5Hash"], Value::Null);
    assert_eq!(bench.text("all").await, "hello world");
    let change = json!({"metadata": {"k": "v"}});
    let patched = bench.call("PATCH", "/storage/v1/b/buc/o/all").json(&change);
    assert_eq!(json_of(patched, 200).await["metageneration"], "2");
}

#[tokio::test]
async fn a_batch_answers_each_call_by_its_id() {
    let bench = Bench::start().await;
    bench.put("x%2Fy", "").await;
    let call = |id: &str, line: &str| {
        format!(
            "--B\r\nContent-Type: application/http\r\nContent-ID: {id}\r\n\r\n{line}\r\n\r\n\r\n"
        )
    };
    let body = [
        call(
            "<u+1>",
            "DELETE http://storage.test/storage/v1/b/buc/o/x%2Fy HTTP/1.1",
        ),
        call("2", "GET /storage/v1/b/buc/o/x%2Fy HTTP/1.1"),
        call("3", "GET /batch/storage/v1 HTTP/1.1"),
        "--B--\r\n".to_owned(),
    ];
    let request = bench.call("POST", "/batch/storage/v1");
    let request = request.header("content-type", "multipart/mixed; boundary=B");
    let response = request.body(body.concat()).send().await.expect("answer");
    let text = response.text().await.expect("text");
    let has = |wanted: &str| assert!(text.contains(wanted), "{wanted} in {text}");
    has("Content-ID: <response-u+1>\r\n\r\nHTTP/1.1 204 No Content");
    has("Content-ID: <response-2>\r\n\r\nHTTP/1.1 404 Not Found");
    has("Content-ID: <response-3>\r\n\r\nHTTP/1.1 400 Bad Request");
}

#[tokio::test]
async fn buckets_come_and_go_empty_and_what_is_unknown_says_so() {
    let bench = Bench::start().await;
    let create = || {
        bench
            .call("POST", "/storage/v1/b?project=p")
            .json(&json!({"name": "other"}))
    };
    assert_eq!(json_of(create(), 200).await["id"], "other");
    json_of(create(), 409).await;
    let listed = json_of(bench.call("GET", "/storage/v1/b?project=p&prefix=o"), 200).await;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    json_of(bench.call("GET", "/storage/v1/b/other/managedFolders"), 200).await;
    json_of(bench.call("DELETE", "/storage/v1/b/other"), 204).await;
    json_of(bench.call("GET", "/storage/v1/b/other"), 404).await;
    bench.put("full", "").await;
    json_of(bench.call("DELETE", "/storage/v1/b/buc"), 409).await;
    let unknown = json_of(
        bench.call("GET", "/storage/v1/b/buc/notificationConfigs"),
        501,
    )
    .await;
    assert_eq!(
        unknown["error"]["message"],
        "not emulated: GET /storage/v1/b/buc/notificationConfigs"
    );
}

#[tokio::test]
async fn an_upload_whose_client_goes_away_leaves_no_object_and_keeps_its_session() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let bench = Bench::start().await;
    let url = bench.session("name=gone").await;
    let path = url.strip_prefix(&bench.emulator.url()).expect("path");
    let address = bench.emulator.address();
    let mut stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("connect");
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: {address}\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\nhello"
    );
    stream.write_all(head.as_bytes()).await.expect("send");
    stream.shutdown().await.expect("half close");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    drop(stream);
    let (status, range) = bench.piece(&url, "bytes */10", "").await;
    assert_eq!((status, range.as_deref()), (308, Some("bytes=0-4")));
    json_of(bench.call("GET", "/storage/v1/b/buc/o/gone"), 404).await;
    assert_eq!(bench.piece(&url, "bytes 5-9/10", "world").await.0, 200);
    assert_eq!(bench.text("gone").await, "helloworld");
}
