//! Connections through other hosts and over given streams, between real OpenSSH servers.

use std::fs;

use tempfile::tempdir;
use tokio::net::TcpStream;

use crate::contract::TestSshd;
use crate::identity::{EphemeralKey, Identity};
use crate::known_hosts::HostKeyPolicy;
use crate::shell::{Connect, RemoteShell, SshTarget};
use crate::{RemoteCommand, RusshConnector, ShellError};

async fn sshd() -> (TestSshd, SshTarget) {
    let key = EphemeralKey::generate().expect("key");
    let sshd = TestSshd::start(&[key.public_key()], &[])
        .await
        .expect("sshd");
    let target = sshd.target(Identity::Ephemeral(key));
    (sshd, target)
}

async fn says_hello(shell: &dyn RemoteShell) {
    let output = shell.run(&RemoteCommand::new("echo").arg("hello")).await;
    let output = output.expect("ran");
    assert_eq!(output.stdout.as_ref(), b"hello\n");
}

#[tokio::test]
async fn a_host_is_reached_through_two_others() {
    let (outer, first) = sshd().await;
    let (inner, second) = sshd().await;
    let (_last, mut target) = sshd().await;
    target.jumps = vec![first, second];
    let shell = RusshConnector::default().connect(&target).await;
    says_hello(&*shell.expect("connected")).await;
    for (name, sshd) in [("outer", outer), ("inner", inner)] {
        let log = sshd.log();
        assert!(log.contains("Accepted publickey"), "{name}: {log}");
    }
}

#[tokio::test]
async fn a_host_on_the_way_must_be_known() {
    let folder = tempdir().expect("dir");
    let file = folder.path().join("known_hosts");
    let (outer, mut first) = sshd().await;
    let (_last, mut target) = sshd().await;
    let (host, port) = (first.host.clone(), first.port);
    first.host_keys = HostKeyPolicy::KnownTo {
        files: vec![file.clone()],
        host: host.clone(),
        port,
    };
    target.jumps = vec![first];
    let connector = RusshConnector::default();
    let refused = connector.connect(&target).await.expect_err("unknown");
    assert!(
        matches!(refused, ShellError::HostKeyUnknown { .. }),
        "{refused:?}"
    );
    assert!(!file.exists(), "nothing is written");

    let other = EphemeralKey::generate().expect("key");
    fs::write(&file, format!("[{host}]:{port} {}\n", other.public_key())).expect("written");
    let refused = connector.connect(&target).await.expect_err("another key");
    assert!(
        matches!(refused, ShellError::HostKeyUnexpected { .. }),
        "{refused:?}"
    );

    fs::write(&file, format!("[{host}]:{port} {}\n", outer.host_key())).expect("written");
    let shell = connector.connect(&target).await.expect("known");
    says_hello(&*shell).await;
}

#[tokio::test]
async fn a_way_that_leads_nowhere_names_the_target() {
    let (_outer, first) = sshd().await;
    let (last, mut target) = sshd().await;
    drop(last);
    target.jumps = vec![first];
    let failed = RusshConnector::default().connect(&target).await;
    let error = failed.expect_err("nobody is there");
    let name = format!("{}:{}", target.host, target.port);
    assert!(error.to_string().contains(&name), "{error}");
    assert!(error.is_typical_of_young_machines(), "{error:?}");
}

#[tokio::test]
async fn a_given_stream_is_connected_over() {
    let (sshd, mut target) = sshd().await;
    let stream = TcpStream::connect(sshd.address()).await.expect("open");
    target.host = "batch-m".to_owned();
    target.port = 22;
    let connector = RusshConnector::default();
    let shell = connector.connect_over(&target, Box::new(stream)).await;
    says_hello(&*shell.expect("connected")).await;
}
