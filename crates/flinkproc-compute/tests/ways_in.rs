//! OS Login and Identity-Aware Proxy against the emulator: contracts, pruning, broken relays, close codes, and a proxy on the way.
#![expect(clippy::expect_used, reason = "a test may fail where it stands")]

#[path = "support/connect_proxy.rs"]
mod connect_proxy;

use std::sync::Arc;
use std::time::{Duration, Instant};

use dataproc_emulator::{Emulator, EmulatorOptions, ScriptedRuntime};
use flinkproc_compute::contract::{gatekeeper, tunnels};
use flinkproc_compute::{
    Account, AdmittedKey, Door, GateError, Gatekeeper, GoogleGatekeeper, IapOptions, ProxySettings,
    Tunnel,
};
use flinkproc_core::{Clock, Explain, MachineRef, ManualClock, RetryHint};
use google_cloud_auth::credentials::anonymous::Builder as Anonymous;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use connect_proxy::ConnectProxy;

const ACCOUNT: &str = "me@example.com";

fn machine() -> MachineRef {
    MachineRef {
        project: "my-project".parse().expect("valid"),
        zone: "europe-west4-b".parse().expect("valid"),
        instance: "batch-m".to_owned(),
    }
}

fn key(public_key: &str) -> AdmittedKey {
    AdmittedKey {
        user: "deploy".to_owned(),
        public_key: format!("ssh-ed25519 {public_key}"),
        expires: "2100-01-01T00:00:00Z".parse().expect("valid"),
        door: Door::OsLogin,
    }
}

const OURS: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g";
const OTHER: &str = "AAAAC3NzaC1lZDI1NTE5AAAAICAfHh0cGxoZGBcWFRQTEhEQDw4NDAsKCQgHBgUEAwIB";

struct Cloud {
    emulator: Emulator,
    runtime: Arc<ScriptedRuntime>,
    clock: Arc<ManualClock>,
    http: reqwest::Client,
}

impl Cloud {
    /// An emulator with one running cluster whose machines are names at 127.0.0.1 and ask OS Login who enters.
    async fn new() -> Self {
        let runtime = Arc::new(ScriptedRuntime::without_machines());
        let options = EmulatorOptions::default().login_user("sysop");
        let started = Emulator::start(runtime.clone(), options).await;
        let cloud = Self {
            emulator: started.expect("the emulator starts"),
            runtime,
            clock: Arc::new(ManualClock::eager(
                "2026-11-22T12:00:00Z".parse().expect("valid"),
            )),
            http: reqwest::Client::new(),
        };
        let url = "v1/projects/my-project/regions/europe-west4/clusters";
        let config = json!({"gceClusterConfig": {
            "zoneUri": "europe-west4-b", "metadata": {"enable-oslogin": "TRUE"},
        }});
        let body = json!({"clusterName": "batch", "config": config});
        cloud.call("POST", url, Some(body)).await;
        let deadline = Instant::now() + Duration::from_secs(60);
        while cloud.emulator.clusters()[0]["status"]["state"] != "RUNNING" {
            assert!(Instant::now() < deadline, "{:?}", cloud.emulator.clusters());
            tokio::task::yield_now().await;
        }
        cloud
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}/{path}", self.emulator.url());
        let mut request = self.http.request(method.parse().expect("a method"), url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("answered");
        assert!(answer.status().is_success(), "{path}: {answer:?}");
        answer.json().await.unwrap_or_default()
    }

    fn gate(&self) -> GoogleGatekeeper {
        self.gate_with(Some(self.emulator.iap().url()), ProxySettings::default())
    }

    fn gate_with(&self, iap: Option<String>, proxy: ProxySettings) -> GoogleGatekeeper {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        let url = Some(self.emulator.url());
        let roots = std::fs::read(self.emulator.iap().ca_file()).expect("a certificate");
        GoogleGatekeeper::new(Anonymous::new().build(), url.clone(), clock)
            .with_os_login(Account::Named(ACCOUNT.to_owned()), url)
            .with_iap(IapOptions {
                endpoint: iap,
                extra_roots: roots,
                proxy,
            })
    }

    /// Imports a key as somebody else, or an earlier run, would.
    async fn import(&self, text: &str, expires: Option<&str>) {
        let path = format!("v1/users/{ACCOUNT}:importSshPublicKey?projectId=my-project");
        let mut body = json!({"key": text});
        if let Some(expires) = expires {
            body["expirationTimeUsec"] = json!(expires);
        }
        self.call("POST", &path, Some(body)).await;
    }

    /// The keys of the profile, in no order.
    async fn profile(&self) -> Vec<String> {
        let path = format!("v1/users/{ACCOUNT}/loginProfile");
        let profile = self.call("GET", &path, None).await;
        let keys = profile["sshPublicKeys"].as_object().cloned();
        let text = |key: &Value| key["key"].as_str().unwrap_or_default().to_owned();
        let mut keys: Vec<String> = keys.unwrap_or_default().values().map(text).collect();
        keys.sort();
        keys
    }
}

#[tokio::test]
async fn a_profile_keeps_the_contract_and_others_keep_their_keys() {
    let cloud = Cloud::new().await;
    let others = format!("ssh-ed25519 {OTHER} alice@example.com");
    cloud.import(&others, None).await;
    let gate = cloud.gate();
    gatekeeper(&gate, &machine(), &key(OURS))
        .await
        .expect("the contract holds");
    assert_eq!(cloud.profile().await, std::slice::from_ref(&others));
    let login = gate.admit(&machine(), &key(OURS)).await;
    assert_eq!(login, Ok("sysop".to_owned()));
    let ours = format!("ssh-ed25519 {OURS} flinkproc");
    assert_eq!(cloud.profile().await, [ours, others]);
    // The machine lets both in under the profile's name.
    let let_in = cloud.runtime.keys("batch", "batch-m");
    assert_eq!(let_in.len(), 2, "{let_in:?}");
    assert!(let_in.iter().all(|key| key.user == "sysop"), "{let_in:?}");
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn our_expired_keys_are_pruned_and_only_ours() {
    let cloud = Cloud::new().await;
    // Expired by our clock and not yet by the emulator's, which does not take the expired in.
    let soon = (cloud.emulator.now() + Duration::from_secs(60))
        .as_microsecond()
        .to_string();
    let left = "AAAAC3NzaC1lZDI1NTE5AAAAIP7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+";
    cloud
        .import(&format!("ssh-ed25519 {left} flinkproc"), Some(&soon))
        .await;
    let others = format!("ssh-ed25519 {OTHER} alice@example.com");
    cloud.import(&others, Some(&soon)).await;
    let later = cloud.emulator.now().duration_since(cloud.clock.now());
    cloud
        .clock
        .advance(later.unsigned_abs() + Duration::from_secs(3600));
    let gate = cloud.gate();
    gate.admit(&machine(), &key(OURS)).await.expect("let in");
    let ours = format!("ssh-ed25519 {OURS} flinkproc");
    assert_eq!(cloud.profile().await, [ours, others.clone()]);
    gate.expel(&machine(), &key(OURS)).await.expect("taken out");
    assert_eq!(cloud.profile().await, [others]);
    cloud.emulator.stop().await;
}

/// A server that sends back what it hears.
async fn echo() -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bound");
    let port = listener.local_addr().expect("an address").port();
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await.ok();
            });
        }
    });
    (port, serving)
}

/// A port on which nobody listens.
async fn closed() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bound");
    listener.local_addr().expect("an address").port()
}

/// Sends bytes and reads as many back; whatever happens on the way, they must be the same.
async fn there_and_back(tunnel: Box<dyn Tunnel>, size: usize) {
    let bytes: Vec<u8> = (0..size).map(|n| (n * 31 % 251) as u8).collect();
    let (mut from, mut to) = tokio::io::split(tunnel);
    let sent = bytes.clone();
    let sending = tokio::spawn(async move {
        to.write_all(&sent).await.expect("sent");
        to
    });
    let mut heard = vec![0; size];
    from.read_exact(&mut heard).await.expect("all came back");
    assert!(heard == bytes, "other bytes came back");
    drop(sending.await.expect("no panic"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tunnels_keep_the_contract_and_carry_bytes() {
    let cloud = Cloud::new().await;
    let (port, serving) = echo().await;
    let gate = cloud.gate();
    tunnels(&gate, &machine(), port, closed().await)
        .await
        .expect("the contract holds");
    let tunnel = gate.open_tunnel(&machine(), port).await.expect("opened");
    there_and_back(tunnel, 3 << 20).await;
    serving.abort();
    cloud.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_breaks_off_loses_no_byte() {
    let cloud = Arc::new(Cloud::new().await);
    let (port, serving) = echo().await;
    let tunnel = cloud.gate().open_tunnel(&machine(), port).await;
    let breaker = Arc::clone(&cloud);
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let breaking = tokio::spawn(async move {
        let mut pause = tokio::time::interval(Duration::from_millis(40));
        let mut cuts = 0;
        while stopped.try_recv().is_err() {
            pause.tick().await;
            breaker.emulator.iap().cut();
            cuts += 1;
        }
        cuts
    });
    there_and_back(tunnel.expect("opened"), 6 << 20).await;
    stop.send(()).ok();
    assert!(breaking.await.expect("no panic") > 1, "it was never cut");
    serving.abort();
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn close_codes_tell_what_to_do() {
    let cloud = Cloud::new().await;
    let (port, serving) = echo().await;
    let gate = cloud.gate();
    for (code, expected, young) in [
        (4003, "CMP012", true),
        (4033, "CMP013", false),
        (4047, "CMP014", true),
        (4051, "CMP014", true),
        (4010, "CMP015", true),
        (4000, "CMP015", true),
    ] {
        cloud.emulator.iap().refuse_next(code, 1);
        let refused = gate.open_tunnel(&machine(), port).await;
        let error = refused.expect_err("refused");
        assert_eq!(error.code().as_str(), expected, "{code}: {error}");
        assert_eq!(error.is_typical_of_young_machines(), young, "{code}");
        assert_eq!(error.retry() != RetryHint::Never, young, "{code}");
    }
    let role = GateError::TunnelDenied {
        machine: machine(),
        message: String::new(),
    };
    let help = role.help().unwrap_or_default();
    assert!(help.contains("roles/iap.tunnelResourceAccessor"), "{help}");
    serving.abort();
    cloud.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_on_the_way_is_gone_through_with_name_and_password() {
    let cloud = Cloud::new().await;
    let (port, serving) = echo().await;
    let proxy = ConnectProxy::start(Some("me:p w%d")).await;
    // A place that only the proxy can reach.
    proxy.lead("localhost:1", cloud.emulator.iap().address());
    let via = |url: &str, no: Option<&str>| {
        let iap = Some("wss://localhost:1".to_owned());
        cloud.gate_with(iap, ProxySettings::new(Some(url), no))
    };
    let url = format!("http://me:p%20w%25d@{}", proxy.address());
    let gate = via(&url, Some("example.com,127.0.0.1"));
    let tunnel = gate.open_tunnel(&machine(), port).await.expect("opened");
    there_and_back(tunnel, 200_000).await;
    assert_eq!(proxy.connects(), ["localhost:1"]);

    let gate = via(&format!("http://{}", proxy.address()), None);
    let refused = gate.open_tunnel(&machine(), port).await;
    let error = refused.expect_err("refused");
    assert_eq!(error.code().as_str(), "CMP018", "{error}");
    assert!(error.to_string().contains("authorization"), "{error}");
    assert!(!error.to_string().contains("p w"), "{error}");

    // A relay that NO_PROXY names is reached without it.
    let own = Some(cloud.emulator.iap().url());
    let direct = cloud.gate_with(own, ProxySettings::new(Some(&url), Some("127.0.0.1")));
    let tunnel = direct.open_tunnel(&machine(), port).await.expect("opened");
    there_and_back(tunnel, 1000).await;
    assert_eq!(proxy.connects().len(), 1);
    serving.abort();
    cloud.emulator.stop().await;
}
