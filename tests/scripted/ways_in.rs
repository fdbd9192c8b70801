//! The ways in: OS Login, Identity-Aware Proxy, and a proxy between us and everything.

use rustix::process::Signal;
use serde_json::Value;

use crate::cloud::{Cloud, SPEC, endless, good};
use crate::connect_proxy::ConnectProxy;
use crate::tls_front::TlsFront;

const OS_LOGIN: &str = "\n[cluster.metadata]\nenable-oslogin = \"TRUE\"\n";
const ACCOUNT: &str = "me@example.com";

/// A cloud whose clusters ask OS Login who enters.
async fn by_os_login(flink: dataproc_emulator::FlinkScript) -> Cloud {
    let mut cloud = Cloud::new(flink).await;
    cloud.home.set("FLINKPROC_ACCOUNT", ACCOUNT);
    cloud
        .home
        .write("flinkproc.toml", SPEC.to_owned() + OS_LOGIN);
    cloud
}

/// The keys of the account's profile.
async fn profile(cloud: &Cloud) -> Vec<String> {
    let url = format!("{}/v1/users/{ACCOUNT}/loginProfile", cloud.emulator.url());
    let answer = reqwest::get(url).await.unwrap();
    let profile: Value = answer.json().await.unwrap();
    let keys = profile["sshPublicKeys"].as_object().cloned();
    let text = |key: &Value| key["key"].as_str().unwrap().to_owned();
    keys.unwrap_or_default().values().map(text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn os_login_lets_us_in_and_keeps_no_key() {
    let cloud = by_os_login(good()).await;
    let running = cloud.start(&["deploy"]);
    running.tells("the launcher has the job").await;
    let keys = profile(&cloud).await;
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert!(keys[0].ends_with(" flinkproc"), "{keys:?}");
    let name = cloud.clusters()[0].clone();
    let ran = running.end().await;
    assert_eq!(ran.ended_with(0).out, "apple,3\n");
    assert_eq!(profile(&cloud).await, Vec::<String>::new());
    assert_eq!(cloud.runtime.keys(&name, &format!("{name}-m")), []);
    cloud.is_empty();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_profiles_key_goes_also_on_failure_interrupt_and_down() {
    let failing = dataproc_emulator::FlinkScript::failing("java.lang.RuntimeException: no");
    let cloud = by_os_login(failing).await;
    cloud.run(&["deploy"]).await.ended_with(7);
    assert_eq!(profile(&cloud).await, Vec::<String>::new());

    cloud.runtime.set_flink(&endless()).unwrap();
    let running = cloud.start(&["deploy"]);
    running.tells("the launcher has the job").await;
    assert_eq!(profile(&cloud).await.len(), 1);
    running.signal(Signal::INT);
    running.end().await.ended_with(130);
    assert_eq!(profile(&cloud).await, Vec::<String>::new());

    // Killed, it leaves its key; whoever takes the deployment down takes it out.
    let running = cloud.start(&["deploy"]);
    running.tells("the launcher has the job").await;
    running.signal(Signal::KILL);
    running.end().await;
    assert_eq!(profile(&cloud).await.len(), 1);
    let rows = cloud.run(&["status", "--output", "json"]).await.json();
    let unfinished = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["outcome"].is_null());
    let id = unfinished.unwrap()["deployment"]
        .as_str()
        .unwrap()
        .to_owned();
    cloud.run(&["down", &id]).await.ended_with(0);
    assert_eq!(profile(&cloud).await, Vec::<String>::new());
    cloud.is_empty();
    cloud.stop().await;
}

/// Makes the relay of a cloud the one that runs go through.
fn relayed(cloud: &mut Cloud) {
    let iap = cloud.emulator.iap();
    let (url, ca) = (iap.url(), iap.ca_file().display().to_string());
    cloud.home.set("FLINKPROC_IAP_ENDPOINT", url);
    cloud.home.set("SSL_CERT_FILE", ca);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_external_address_is_entered_through_identity_aware_proxy() {
    let mut cloud = Cloud::new(good()).await;
    relayed(&mut cloud);
    let spec = SPEC.replace("image =", "internal_ip_only = true\nimage =");
    cloud.home.write("flinkproc.toml", spec);
    // A machine that boots, and a network that breaks off.
    cloud.emulator.iap().refuse_next(4003, 1);
    cloud.emulator.iap().refuse_next(4047, 1);
    let running = cloud.start(&["deploy"]);
    running
        .tells("through Identity-Aware Proxy since the machine has no external address")
        .await;
    cloud.emulator.iap().cut();
    let ran = running.end().await;
    assert_eq!(ran.ended_with(0).out, "apple,3\n");
    cloud.is_empty();

    // Who may not, is told the role, at once.
    cloud.emulator.iap().refuse_next(4033, 1);
    let ran = cloud.run(&["deploy"]).await;
    ran.ended_with(3)
        .told(&["error[CMP013]", "roles/iap.tunnelResourceAccessor"]);
    cloud.is_empty();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_through_the_proxy_and_believes_the_systems_certificates() {
    let mut cloud = by_os_login(good()).await;
    let names = [
        "europe-west1-dataproc.googleapis.com",
        "compute.googleapis.com",
        "oslogin.googleapis.com",
        "storage.googleapis.com",
    ];
    let front = TlsFront::start(&names, &cloud.emulator.url(), &cloud.storage.url()).await;
    let proxy = ConnectProxy::start(Some("me:secret")).await;
    for name in names {
        proxy.lead(&format!("{name}:443"), front.address());
    }
    // The relay answers to names of this machine only; nobody listens at this one.
    proxy.lead("localhost:1", cloud.emulator.iap().address());
    cloud
        .home
        .set("FLINKPROC_IAP_ENDPOINT", "wss://localhost:1");
    let iap = cloud.emulator.iap();
    let authorities = std::fs::read_to_string(iap.ca_file()).unwrap() + front.authority();
    cloud.home.write("authorities.pem", authorities);
    let file = cloud.home.work().join("authorities.pem");
    cloud.home.set("SSL_CERT_FILE", file.display().to_string());
    for name in [
        "FLINKPROC_DATAPROC_ENDPOINT",
        "FLINKPROC_COMPUTE_ENDPOINT",
        "FLINKPROC_STORAGE_ENDPOINT",
    ] {
        cloud.home.set(name, "");
    }
    let url = format!("http://me:secret@{}", proxy.address());
    cloud.home.set("HTTPS_PROXY", url);
    let ran = cloud
        .run(&["deploy", "--set", "ssh.access=iap", "-vv"])
        .await;
    assert_eq!(ran.ended_with(0).out, "apple,3\n");
    assert!(!ran.err.contains("secret"), "{}", ran.err);
    let connects = proxy.connects();
    let all = names.iter().map(|name| format!("{name}:443"));
    for wanted in all.chain(["localhost:1".to_owned()]) {
        assert!(
            connects.contains(&wanted),
            "{wanted} is not in {connects:?}"
        );
    }
    cloud.is_empty();
    assert_eq!(profile(&cloud).await, Vec::<String>::new());
    cloud.stop().await;
}
