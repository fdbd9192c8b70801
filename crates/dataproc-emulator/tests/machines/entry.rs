//! Metadata decides who enters, and a machine ends with everything on it.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use dataproc_emulator::{Addresses, FlinkScript, ScriptedOptions};
use serde_json::{Value, json};

use crate::cloud::{Cloud, ZONE, ssh, text};

#[tokio::test]
async fn metadata_decides_who_enters_and_until_when() {
    let cloud = Cloud::new(ScriptedOptions::default()).await;
    let (status, instance) = cloud
        .call("GET", &format!("{ZONE}/instances/one-m"), None)
        .await;
    assert_eq!(status, 200);
    assert_eq!(
        instance["networkInterfaces"][0]["networkIP"],
        cloud.machine().address().to_string()
    );
    assert_eq!(
        cloud
            .call("GET", &format!("{ZONE}/instances/one-w-1"), None)
            .await
            .0,
        200
    );
    let (status, error) = cloud
        .call("GET", &format!("{ZONE}/instances/two-m"), None)
        .await;
    assert_eq!(
        (status, &error["error"]["errors"][0]["reason"]),
        (404, &json!("notFound"))
    );

    let home = cloud.machine().home();
    let folder = std::fs::metadata(home.parent().unwrap()).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);

    assert!(!cloud.ssh("true").await.status.success());
    let soon = cloud.emulator.now() + Duration::from_secs(300);
    cloud
        .admit(&soon.strftime("%Y-%m-%dT%H:%M:%S+0000").to_string())
        .await;
    let told = cloud
        .ssh("echo in; pwd; echo $STORAGE_EMULATOR_HOST; command -v flink")
        .await;
    let home = cloud.machine().home();
    let flink = home.parent().unwrap().join("bin/flink");
    let expected = format!(
        "in\n{}\n{}\n{}\n",
        home.display(),
        cloud.storage.url(),
        flink.display()
    );
    assert_eq!(text(&told.stdout), expected, "{}", text(&told.stderr));

    let stale = json!({"fingerprint": "AAAAAAAAAAA=", "items": []});
    let (status, error) = cloud
        .call(
            "POST",
            &format!("{ZONE}/instances/one-m/setMetadata"),
            Some(stale),
        )
        .await;
    assert_eq!(
        (status, &error["error"]["errors"][0]["reason"]),
        (412, &json!("conditionNotMet"))
    );

    cloud.emulator.advance(Duration::from_secs(301)).await;
    assert!(!cloud.ssh("true").await.status.success());
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn host_keys_are_guest_attributes_where_these_are_on() {
    let cloud = Cloud::new(ScriptedOptions::default()).await;
    let path = format!("{ZONE}/instances/one-m/getGuestAttributes?queryPath=hostkeys/");
    let (status, found) = cloud.call("GET", &path, None).await;
    assert_eq!(status, 200);
    let everything = path.split('?').next().unwrap();
    assert_eq!(cloud.call("GET", everything, None).await.0, 200);
    let item = &found["queryValue"]["items"][0];
    let told = format!(
        "{} {}",
        item["key"].as_str().unwrap(),
        item["value"].as_str().unwrap()
    );
    assert_eq!(told, cloud.machine().host_key());
    let (_, instance) = cloud
        .call("GET", &format!("{ZONE}/instances/one-m"), None)
        .await;
    let off = json!({"fingerprint": instance["metadata"]["fingerprint"], "items": []});
    cloud
        .call(
            "POST",
            &format!("{ZONE}/instances/one-m/setMetadata"),
            Some(off),
        )
        .await;
    assert_eq!(cloud.call("GET", &path, None).await.0, 404);
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn the_projects_keys_enter_too() {
    let cloud = Cloud::new(ScriptedOptions::default()).await;
    let line = format!("{}:{}", cloud.machine().user(), cloud.public_key());
    let body = json!({"items": [{"key": "ssh-keys", "value": line}]});
    let path = "compute/v1/projects/p/setCommonInstanceMetadata";
    let (_, operation) = cloud.call("POST", path, Some(body)).await;
    let name = operation["name"].as_str().unwrap();
    cloud
        .call(
            "POST",
            &format!("compute/v1/projects/p/global/operations/{name}/wait"),
            None,
        )
        .await;
    assert!(cloud.ssh("true").await.status.success());
    let (_, project) = cloud.call("GET", "compute/v1/projects/p", None).await;
    assert_eq!(
        project["commonInstanceMetadata"]["items"][0]["key"],
        "ssh-keys"
    );
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn the_fake_flink_is_told_by_yarn_and_flink() {
    let cloud = Cloud::new(ScriptedOptions::default()).await;
    cloud.admit("2100-01-01T00:00:00+0000").await;
    let rest = |path: &str| {
        let url = format!("http://{}/{path}", cloud.machine().yarn());
        let client = cloud.client.clone();
        async move {
            client
                .get(url)
                .send()
                .await
                .unwrap()
                .json::<Value>()
                .await
                .unwrap()
        }
    };
    assert_eq!(rest("ws/v1/cluster/apps").await, json!({"apps": null}));
    let ran = cloud.ssh("flink run -t yarn-per-job -Dyarn.tags=T-1 '-Dyarn.application.name=a b' -py x.py \"it's \\$5\"").await;
    let said = text(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", text(&ran.stderr));
    assert!(
        said.contains("Submitted application application_"),
        "{said}"
    );
    assert!(
        said.contains("Job has been submitted with JobID "),
        "{said}"
    );
    let calls = cloud.machine().flink_calls();
    assert_eq!(calls[0].last().unwrap(), "it's $5");
    let apps = rest("ws/v1/cluster/apps?applicationTags=t-1").await;
    let app = &apps["apps"]["app"][0];
    assert_eq!(
        (&app["name"], &app["state"], &app["finalStatus"]),
        (&json!("a b"), &json!("FINISHED"), &json!("SUCCEEDED"))
    );

    cloud
        .runtime
        .set_flink(&FlinkScript::failing("ZeroDivisionError: division by zero"))
        .unwrap();
    let ran = cloud.ssh("flink run -py x.py").await;
    assert_eq!(ran.status.code(), Some(1));
    assert!(text(&ran.stderr).contains("ZeroDivisionError"));
    let apps = rest("ws/v1/cluster/apps").await;
    let app = &apps["apps"]["app"][0];
    assert_eq!(
        (&app["state"], &app["finalStatus"]),
        (&json!("FINISHED"), &json!("FAILED"))
    );
    assert_eq!(app["diagnostics"], "ZeroDivisionError: division by zero");
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn a_running_job_keeps_the_cluster_busy_until_yarn_kills_it() {
    let mut options = ScriptedOptions::default();
    options.flink = FlinkScript::running_for(Duration::from_secs(3600));
    let cloud = Cloud::new(options).await;
    cloud.admit("2100-01-01T00:00:00+0000").await;
    let machine = cloud.machine();
    let client = ssh(
        &machine,
        cloud.keys.path(),
        "flink run -Dyarn.tags=t -py x.py",
    )
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !machine.is_busy() {
        assert!(Instant::now() < deadline, "flink did not start");
        tokio::task::yield_now().await;
    }
    let flink = format!("http://{}/jobs/overview", machine.flink());
    let jobs: Value = cloud
        .client
        .get(flink)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(jobs["jobs"][0]["state"], "RUNNING");
    let killed = cloud.ssh("yarn application -kill $(yarn application -list -appTags t | grep -o 'application_[0-9_]*')").await;
    assert!(killed.status.success(), "{}", text(&killed.stderr));
    let ended = client.wait_with_output().await.unwrap();
    assert_eq!(ended.status.code(), Some(1), "{}", text(&ended.stdout));
    assert!(!machine.is_busy());
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn a_machine_ends_with_everything_that_was_started_on_it() {
    let mut options = ScriptedOptions::default();
    options.addresses = Addresses::Own { ssh_port: 0 };
    let cloud = Cloud::new(options).await;
    cloud.admit("2100-01-01T00:00:00+0000").await;
    let machine = cloud.machine();
    assert_eq!(machine.yarn().port(), 8088);
    assert_ne!(machine.address().to_string(), "127.0.0.1");
    let told = cloud
        .ssh("setsid sleep 3600 >/dev/null 2>&1 </dev/null & echo $!")
        .await;
    let pid = text(&told.stdout).trim().to_owned();
    let command = format!("/proc/{pid}/comm");
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::fs::read_to_string(&command).unwrap_or_default() != "sleep\n" {
        assert!(Instant::now() < deadline, "no sleep: {told:?}");
        tokio::task::yield_now().await;
    }
    let home = machine.home();
    let address = machine.ssh();
    drop(machine);
    cloud.emulator.stop().await;
    let deadline = Instant::now() + Duration::from_secs(20);
    let state = format!("/proc/{pid}/stat");
    while std::fs::read_to_string(&state).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "{pid} still runs");
        tokio::task::yield_now().await;
    }
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    drop(cloud);
    assert!(!home.exists());
}
