//! The ways in: OS Login, Identity-Aware Proxy and the user's ssh_config, and the key that is taken out of every one.

use flinkproc_compute::{GateError, Gatekeeper};
use flinkproc_core::{Fault, Faulty, MachineRef};
use flinkproc_patterns::{EventKind, Verdict};
use flinkproc_plan::{AccessSpec, DefaultTaken, Plan};
use flinkproc_submit::Script;

use crate::world::{World, all_events, cluster, good};

fn machine() -> MachineRef {
    MachineRef {
        project: cluster().project,
        zone: "europe-west4-a".parse().expect("valid"),
        instance: "batch-d1-m".to_owned(),
    }
}

/// A world whose machine asks OS Login and has no external address.
fn closed() -> World {
    let world = World::new(good());
    world.gate.inner().alter(&machine(), |machine| {
        machine.os_login = true;
        machine.external = None;
    });
    world
}

fn auto(world: &World) -> Plan {
    let mut plan = world.plan();
    plan.ssh.access = AccessSpec::Auto;
    plan
}

#[tokio::test(start_paused = true)]
async fn os_login_names_the_user_and_keeps_no_key() {
    let world = closed();
    let outcome = world.deploy_plan(auto(&world)).await;
    assert_eq!(outcome.exit_code(), 0, "{outcome:#?}");
    let targets = world.connect.inner().targets();
    assert!(
        targets.iter().all(|one| one.user == "ext_me_example_com"),
        "{targets:?}"
    );
    assert_eq!(world.gate.inner().profile(), Vec::<String>::new());
    world.assert_nothing_left("at the end");
}

#[tokio::test(start_paused = true)]
async fn the_key_goes_from_the_profile_however_its_calls_end() {
    for (method, call, fault) in [
        ("admit", 1, Fault::Before),
        ("admit", 1, Fault::AnswerLost),
        ("expel", 1, Fault::Before),
        ("expel", 1, Fault::AnswerLost),
        ("open_tunnel", 1, Fault::Before),
        ("open_tunnel", 1, Fault::AnswerLost),
    ] {
        let mut world = closed();
        let gate = flinkproc_compute::MemoryGatekeeper::everywhere(
            world.clock.clone(),
            "127.0.10.2".parse().expect("valid"),
        );
        gate.alter(&machine(), |machine| {
            machine.os_login = true;
            machine.external = None;
        });
        world.gate = std::sync::Arc::new(Faulty::new(gate).with(method, call, fault));
        let outcome = world.deploy_plan(auto(&world)).await;
        assert_eq!(outcome.exit_code(), 0, "{method} {fault:?}: {outcome:#?}");
        let left = world.gate.inner().profile();
        assert_eq!(left, Vec::<String>::new(), "{method} {fault:?}");
        world.assert_nothing_left(method);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_job_leaves_no_key_in_the_profile() {
    let world = World::new(Script::default().exit(1));
    world
        .gate
        .inner()
        .alter(&machine(), |machine| machine.os_login = true);
    let outcome = world.deploy_plan(auto(&world)).await;
    assert_ne!(outcome.verdict(), Some(&Verdict::Succeeded));
    assert_eq!(world.gate.inner().profile(), Vec::<String>::new());
    world.assert_nothing_left("after a failure");
}

#[tokio::test(start_paused = true)]
async fn the_way_is_chosen_and_told() {
    let check = async |external: bool, access: AccessSpec| {
        let world = World::new(good());
        world.gate.inner().alter(&machine(), |machine| {
            if !external {
                machine.external = None;
            }
        });
        let mut plan = world.plan();
        plan.ssh.access = access;
        let mut handle = world.start(plan).await.expect("started");
        let events = all_events(&mut handle).await;
        handle.wait().await.expect("ended");
        let told = events.into_iter().find_map(|event| match event.what {
            EventKind::Connected { host, way } => Some(format!("{host}, {way}")),
            _ => None,
        });
        let tunnel = world.gate.inner().take_far_end().map(|far| far.port);
        format!("{} {tunnel:?}", told.unwrap_or_default())
    };
    insta::assert_snapshot!(check(true, AccessSpec::Auto).await, @"127.0.10.2, its external address None");
    insta::assert_snapshot!(check(false, AccessSpec::Auto).await, @"batch-d1-m, through Identity-Aware Proxy since the machine has no external address Some(22)");
    insta::assert_snapshot!(check(true, AccessSpec::Iap).await, @"batch-d1-m, through Identity-Aware Proxy Some(22)");
    insta::assert_snapshot!(check(true, AccessSpec::Internal).await, @"127.0.10.2, its internal address None");
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_finds_nobody_is_asked_again_while_the_machine_is_young() {
    let world = closed();
    let gate = world.gate.inner();
    gate.set_ports(&machine(), &[]);
    let refused = gate.open_tunnel(&machine(), 22).await;
    assert!(matches!(refused, Err(GateError::TunnelNoBackend { .. })));
    let outcome = world.deploy_plan(auto(&world)).await;
    let failure = outcome.failure.clone().expect("it failed");
    assert_eq!(failure.code, "CMP012", "{failure:?}");
    assert!(
        failure
            .help
            .is_some_and(|help| help.contains("35.235.240.0/20"))
    );
    let waited = outcome.phases.iter().map(|phase| phase.took_ms).max();
    assert!(waited.is_some_and(|took| took > 180_000), "{waited:?}");
    assert_eq!(world.gate.inner().profile(), Vec::<String>::new());
    world.assert_nothing_left("after the refusal");
}

#[tokio::test]
async fn the_users_configuration_is_followed_where_the_spec_is_silent() {
    let world = World::new(good());
    let home = world.directory.path().join("home");
    std::fs::create_dir_all(home.join(".ssh")).expect("made");
    std::fs::write(
        home.join(".ssh/config"),
        "Host batch-*-m\n  User deploy\n  Port 2222\n  ProxyJump door@bastion:443\n  ConnectTimeout 7\n",
    )
    .expect("written");
    std::fs::write(home.join(".ssh/id_ed25519"), "a key").expect("written");
    let mut plan = auto(&world);
    plan.ssh.config = true;
    let silent = ["ssh.user", "ssh.access"].map(|key| DefaultTaken {
        key: key.to_owned(),
        value: String::new(),
        source: "built-in".to_owned(),
    });
    plan.defaults = silent.to_vec();
    let mut options = world.options();
    options.home = Some(home);
    let started = flinkproc_patterns::Deployment::start(
        plan,
        world.clients(),
        world.shared_journal(),
        options,
    );
    let flinkproc_patterns::Started::Running(handle) = started.await.expect("started") else {
        panic!("it is a new run");
    };
    assert_eq!(handle.wait().await.expect("ended").exit_code(), 0);
    let targets = world.connect.inner().targets();
    let target = targets.first().expect("connected");
    assert_eq!(
        (target.user.as_str(), target.host.as_str()),
        ("deploy", "127.0.10.2")
    );
    // The port is written in the spec, as far as this plan tells.
    assert_eq!(target.port, 22);
    assert_eq!(target.connect_timeout.map(|span| span.as_secs()), Some(7));
    let jump = target.jumps.first().expect("a host on the way");
    assert_eq!(
        (jump.user.as_str(), jump.host.as_str(), jump.port),
        ("door", "bastion", 443)
    );
    // The key that was let in is the one of the configuration's user.
    assert_eq!(world.gate.inner().profile(), Vec::<String>::new());
    world.assert_nothing_left("at the end");
}
