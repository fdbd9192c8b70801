//! A control plane alone: what the verbs say and do, without real parts.

use serde_json::{Value, json};

use crate::Sandboxes;
use crate::running::Running;

const CLUSTERS: &str = "v1/projects/p-one/regions/europe-west1/clusters";

fn text<'a>(record: &'a Value, name: &str) -> &'a str {
    record[name].as_str().unwrap()
}

#[tokio::test]
async fn up_twice_is_one_sandbox_and_down_ends_it() {
    let sandboxes = Sandboxes::new();
    let ran = sandboxes.run(&["up", "--control-plane-only"]).await;
    ran.ended_with(0)
        .told(&["open: every user of this machine can call it"]);
    let again = sandboxes.run(&["up", "--control-plane-only"]).await;
    again.ended_with(0).told(&["runs already"]);
    assert_eq!(ran.out, again.out);
    assert!(ran.out.contains("sandbox default (process "), "{}", ran.out);

    let status = sandboxes.json(&["status"]).await;
    assert_eq!(status.as_array().unwrap().len(), 1, "{status}");
    assert_eq!(status[0]["answers"], true);
    assert!(status[0]["memory_bytes"].as_u64().unwrap() > 1 << 20);

    let ended = sandboxes.run(&["down"]).await;
    ended.ended_with(0);
    assert!(ended.out.contains("ended sandbox default"), "{}", ended.out);
    sandboxes.left_nothing();
    let ended = sandboxes.run(&["down"]).await;
    assert_eq!(ended.ended_with(0).out, "no sandbox default runs\n");
    let status = sandboxes.run(&["status"]).await;
    status.ended_with(0).told(&["no sandbox runs"]);
}

#[tokio::test]
async fn several_run_at_once_and_all_are_ended() {
    let sandboxes = Sandboxes::new();
    let one = sandboxes.up(&[]).await;
    let two = sandboxes.up(&["--name", "two"]).await;
    assert_ne!(one["dataproc"], two["dataproc"]);
    let url = format!("{}/{CLUSTERS}", text(&two, "dataproc"));
    let body = json!({"projectId": "p-one", "clusterName": "in-two", "config": {}});
    let call = reqwest::Client::new().post(url).json(&body).send();
    assert!(call.await.unwrap().status().is_success());
    let status = sandboxes.json(&["status", "--name", "two"]).await;
    let row = &status[0]["clusters"][0];
    assert_eq!(row["name"], "in-two");
    assert_eq!(row["region"], "europe-west1");
    assert_eq!(row["project"], "p-one");

    let ended = sandboxes.json(&["down", "--all"]).await;
    let rows = ended["ended"].as_array().unwrap();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (text(row, "name"), row["clusters"].clone()))
        .collect();
    assert_eq!(rows, [("default", json!([])), ("two", json!(["in-two"]))]);
    sandboxes.left_nothing();
}

#[tokio::test]
async fn vars_point_flinkproc_at_it() {
    let sandboxes = Sandboxes::new();
    let record = sandboxes.up(&[]).await;
    let vars = sandboxes.json(&["vars"]).await;
    let api = text(&record, "dataproc");
    let gcloud = "CLOUDSDK_API_ENDPOINT_OVERRIDES_DATAPROC";
    assert_eq!(vars[gcloud], format!("{api}/"));
    assert_eq!(vars["STORAGE_EMULATOR_HOST"], record["storage"]);
    let line = format!("FLINKPROC_DATAPROC_ENDPOINT={api}\n");
    let sh = sandboxes.run(&["vars"]).await;
    assert!(sh.ended_with(0).out.contains(&format!("\nexport {line}")));
    let dotenv = sandboxes.run(&["vars", "--format", "dotenv"]).await;
    assert!(dotenv.ended_with(0).out.contains(&format!("\n{line}")));

    // The same place by the variables and by the flag.
    let by_flag = sandboxes.home.run(&["cluster", "list", "--sandbox"]).await;
    let mut command = sandboxes.home.command(&["cluster", "list"]);
    for (name, value) in vars.as_object().unwrap() {
        command.env(name, value.as_str().unwrap());
    }
    let by_vars = command.output().await.unwrap();
    assert_eq!(by_vars.status.code(), Some(0), "{by_vars:?}");
    let by_flag = &by_flag.ended_with(0).out;
    assert_eq!(by_flag.as_bytes(), by_vars.stdout.as_slice());
    sandboxes.run(&["down"]).await.ended_with(0);
    let ran = sandboxes.run(&["vars"]).await;
    ran.ended_with(2).told(&["error[APP020]"]);
}

#[tokio::test]
async fn a_token_closes_it_to_all_but_those_who_have_it() {
    let sandboxes = Sandboxes::new();
    let record = sandboxes.up(&["--token"]).await;
    let file = text(&record["wish"], "token_file");
    let token = std::fs::read_to_string(file).unwrap();
    assert!(token.len() >= 32);
    assert!(!record.to_string().contains(&token));
    let storage = text(&record, "storage");
    let urls = [
        format!("{}/{CLUSTERS}", text(&record, "dataproc")),
        format!("{storage}/storage/v1/b?project=p-one"),
    ];
    let client = reqwest::Client::new();
    for url in urls {
        let refused = client.get(&url).send().await.unwrap();
        assert_eq!(refused.status(), 401, "{url}");
        let call = client.get(&url).bearer_auth(&token).send();
        assert_eq!(call.await.unwrap().status(), 200, "{url}");
    }
    // Our own verbs bring it.
    let list = sandboxes.home.run(&["cluster", "list", "--sandbox"]).await;
    list.ended_with(0);
    let status = sandboxes.json(&["status"]).await;
    assert_eq!(status[0]["answers"], true);
    for place in ["cmdline", "environ"] {
        let text = std::fs::read(format!("/proc/{}/{place}", record["pid"])).unwrap();
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(&token), "in {place}");
    }
    let log = sandboxes.run(&["logs"]).await;
    assert!(!log.ended_with(0).out.contains(&token));
    let other = ["up", "--control-plane-only", "--token", "another"];
    let ran = sandboxes.run(&other).await;
    ran.ended_with(2).told(&["error[APP021]"]);
    sandboxes.run(&["down"]).await.ended_with(0);
    assert!(!std::path::Path::new(file).exists());
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_words() {
    let sandboxes = Sandboxes::new();
    let up = async |more: &[&str]| {
        let arguments = [&["up", "--control-plane-only"], more].concat();
        sandboxes.run(&arguments).await
    };
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let ran = up(&["--port", &address.port().to_string()]).await;
    assert_ne!(ran.code, Some(0));
    ran.told(&["error[SBX008]", &address.to_string(), "in use"]);
    sandboxes.left_nothing();
    let ran = up(&["--faults", "no-such-file"]).await;
    ran.ended_with(2)
        .told(&["error[APP001]", "the fault rules no-such-file"]);
    sandboxes.home.write("bad.json", "[{\"path\": 1}]");
    let ran = up(&["--faults", "bad.json"]).await;
    ran.ended_with(2).told(&["error[SBX", "bad.json"]);
    let ran = up(&["--name", "../x"]).await;
    ran.ended_with(2)
        .told(&["error[APP006]", "lower-case letters"]);
    // What the failed one said is still there.
    let ran = sandboxes.run(&["logs"]).await;
    assert!(ran.ended_with(0).out.contains("error[SBX014]"));
    let ran = sandboxes.run(&["logs", "--name", "other"]).await;
    ran.ended_with(2).told(&["error[APP020]"]);

    sandboxes.up(&[]).await;
    let ran = sandboxes.run(&["up"]).await;
    ran.ended_with(2)
        .told(&["error[APP021]", "--control-plane-only", "sandbox down"]);
    let ran = up(&["--port", "1"]).await;
    ran.ended_with(2).told(&["error[APP021]", "at http://"]);
    let ran = sandboxes.run(&["logs", "nothing"]).await;
    ran.ended_with(2).told(&["error[APP009]", "nothing"]);
    sandboxes.run(&["down"]).await.ended_with(0);
}

#[tokio::test]
async fn two_ups_at_once_make_one_sandbox() {
    let sandboxes = Sandboxes::new();
    let (one, two) = tokio::join!(sandboxes.up(&[]), sandboxes.up(&[]));
    assert_eq!(one, two);
    sandboxes.run(&["down"]).await.ended_with(0);
    sandboxes.left_nothing();
}

#[tokio::test]
async fn objects_stay_where_they_are_to_stay() {
    let sandboxes = Sandboxes::new();
    let client = reqwest::Client::new();
    let record = sandboxes.up(&["--storage-root", "objects"]).await;
    let storage = text(&record, "storage");
    let upload = format!("{storage}/upload/storage/v1/b/flinkproc-sandbox/o?name=kept");
    let made = client.post(upload).body("here").send().await.unwrap();
    assert!(made.status().is_success(), "{made:?}");
    sandboxes.run(&["down"]).await.ended_with(0);
    let record = sandboxes.up(&["--storage-root", "objects"]).await;
    let storage = text(&record, "storage");
    let object = format!("{storage}/storage/v1/b/flinkproc-sandbox/o/kept?alt=media");
    let read = client.get(object).send().await.unwrap();
    assert_eq!(read.text().await.unwrap(), "here");
    sandboxes.run(&["down"]).await.ended_with(0);
}

#[tokio::test]
async fn in_the_foreground_it_ends_with_ctrl_c() {
    let sandboxes = Sandboxes::new();
    let up = ["sandbox", "up", "--control-plane-only", "--foreground"];
    let running = Running::start(&sandboxes.home, &up);
    running.tells("open: ").await;
    let status = sandboxes.json(&["status"]).await;
    assert_eq!(status.as_array().unwrap().len(), 1, "{status}");
    running.signal(rustix::process::Signal::INT);
    let ran = running.end().await;
    ran.ended_with(0).told(&["nothing of it runs"]);
    assert!(ran.out.contains("Cloud Storage"), "{}", ran.out);
    assert_eq!(sandboxes.json(&["status"]).await, json!([]));
    sandboxes.left_nothing();
}

#[tokio::test]
async fn fault_rules_strike_from_the_start() {
    let sandboxes = Sandboxes::new();
    let effect = json!({"answer": {"status": 503, "body": "{}"}});
    let rules = json!([
        {"method": "GET", "path": format!("/{CLUSTERS}"), "effect": effect},
        {"method": "GET", "path": "/storage/v1/b", "effect": effect},
    ]);
    sandboxes.home.write("faults.json", rules.to_string());
    let record = sandboxes.up(&["--faults", "faults.json"]).await;
    for url in [
        format!("{}/{CLUSTERS}", text(&record, "dataproc")),
        format!("{}/storage/v1/b?project=p-one", text(&record, "storage")),
    ] {
        for expected in [503, 200] {
            let status = reqwest::get(&url).await.unwrap().status();
            assert_eq!(status.as_u16(), expected, "{url}");
        }
    }
    sandboxes.run(&["down"]).await.ended_with(0);
}
