//! Real connections: the contract against OpenSSH, and faults from a small server that misbehaves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::PrivateKey;
use russh::server::{self, Auth, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId};
use ssh_key::private::Ed25519Keypair;
use tempfile::{TempDir, tempdir};
use tokio::net::{TcpListener, TcpStream};

use crate::abort_on_drop::AbortOnDrop;
use crate::contract::{self, TestSshd};
use crate::identity::random;
use crate::{
    Connect, ConnectOptions, Content, EphemeralKey, ExitStatus, FileMode, HostKeyPolicy, Identity,
    ProcessEvent, RemoteCommand, RusshConnector, ShellError, SshTarget,
};

/// Longer than anything here takes, on a machine that is busy.
const LONG: Duration = Duration::from_secs(30);

async fn sshd() -> (TestSshd, Identity) {
    let key = EphemeralKey::generate().expect("key");
    let sshd = TestSshd::start(&[key.public_key()], &[])
        .await
        .expect("sshd");
    (sshd, Identity::Ephemeral(key))
}

/// Moves a shell's relative paths into a folder of the test: OpenSSH starts in the user's home.
async fn sshd_in(folder: &TempDir) -> (TestSshd, Identity) {
    let key = EphemeralKey::generate().expect("key");
    let cd = format!(
        "ForceCommand cd {} && eval \"$SSH_ORIGINAL_COMMAND\"",
        folder.path().display()
    );
    let sshd = TestSshd::start(&[key.public_key()], &[&cd])
        .await
        .expect("sshd");
    (sshd, Identity::Ephemeral(key))
}

#[tokio::test]
async fn keeps_the_contract_against_openssh() {
    let folder = tempdir().expect("dir");
    let (sshd, identity) = sshd_in(&folder).await;
    let connector = RusshConnector::default();
    let shell = connector
        .connect(&sshd.target(identity))
        .await
        .expect("connected");
    contract::keeps_files(&*shell).await;
    contract::runs_commands(&*shell).await;
    contract::runs_real_programs(&*shell).await;
    contract::carries_connections(&*shell).await;
}

#[tokio::test]
async fn a_stranger_is_denied() {
    let (sshd, _) = sshd().await;
    let stranger = Identity::Ephemeral(EphemeralKey::generate().expect("key"));
    let error = RusshConnector::default()
        .connect(&sshd.target(stranger))
        .await
        .expect_err("denied");
    assert!(matches!(error, ShellError::Denied { .. }), "{error:?}");
}

#[tokio::test]
async fn a_key_file_opens_the_door_unless_it_is_locked() {
    let folder = tempdir().expect("dir");
    let made = async |name: &str, passphrase: &str| {
        let file = folder.path().join(name);
        let made = tokio::process::Command::new("ssh-keygen")
            .args(["-q", "-t", "ecdsa", "-N", passphrase, "-f"])
            .arg(&file)
            .status()
            .await;
        assert!(made.expect("ssh-keygen").success());
        file
    };
    let (open, locked) = (made("open", "").await, made("locked", "secret").await);
    let public = std::fs::read_to_string(open.with_extension("pub")).expect("public");
    let sshd = TestSshd::start(&[public.trim()], &[]).await.expect("sshd");
    let connect = async |file| {
        let target = sshd.target(Identity::KeyFile(file));
        RusshConnector::default().connect(&target).await
    };
    connect(open).await.expect("connected");
    let error = connect(locked).await.expect_err("locked");
    assert!(
        matches!(error, ShellError::EncryptedKey { .. }),
        "{error:?}"
    );
    let error = connect(folder.path().join("absent"))
        .await
        .expect_err("absent");
    assert!(matches!(error, ShellError::UnusableKey { .. }), "{error:?}");
}

#[tokio::test]
async fn an_agent_opens_the_door() {
    let folder = tempdir().expect("dir");
    let (socket, file) = (folder.path().join("agent"), folder.path().join("key"));
    let mut agent = tokio::process::Command::new("ssh-agent")
        .args(["-D", "-a"])
        .arg(&socket)
        .kill_on_drop(true)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("ssh-agent");
    let ran = async |program: &str, arguments: &[&str]| {
        let mut command = tokio::process::Command::new(program);
        command
            .args(arguments)
            .env("SSH_AUTH_SOCK", &socket)
            .arg(&file);
        command.output().await.expect("started").status.success()
    };
    assert!(ran("ssh-keygen", &["-q", "-t", "rsa", "-N", "", "-f"]).await);
    let public = std::fs::read_to_string(file.with_extension("pub")).expect("public");
    let sshd = TestSshd::start(&[public.trim()], &[]).await.expect("sshd");
    let target = sshd.target(Identity::Agent(socket.clone()));
    let until_answered = async {
        while tokio::net::UnixStream::connect(&socket).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, until_answered)
        .await
        .expect("an agent");
    let connector = RusshConnector::default();
    let error = connector
        .connect(&target)
        .await
        .expect_err("an empty agent");
    assert!(matches!(error, ShellError::Agent { .. }), "{error:?}");
    assert!(ran("ssh-add", &["-q"]).await);
    connector.connect(&target).await.expect("connected");
    agent.kill().await.expect("ended");
    let error = connector.connect(&target).await.expect_err("no agent");
    assert!(matches!(error, ShellError::Agent { .. }), "{error:?}");
}

#[tokio::test]
async fn the_first_host_key_is_pinned_and_a_changed_one_refused() {
    let folder = tempdir().expect("dir");
    let file = folder.path().join("known_hosts");
    let (sshd, identity) = sshd().await;
    let (imposter, _) = sshd_of(&identity).await;
    let connect = async |server: &TestSshd, alias: &str| {
        let mut target = server.target(identity.clone());
        target.host_keys = HostKeyPolicy::pinned(&file, alias);
        RusshConnector::default().connect(&target).await
    };
    connect(&sshd, "uuid-1").await.expect("pinned");
    connect(&sshd, "uuid-1").await.expect("known");
    let error = connect(&imposter, "uuid-1").await.expect_err("changed");
    assert!(
        matches!(error, ShellError::HostKeyChanged { .. }),
        "{error:?}"
    );
    connect(&imposter, "uuid-2")
        .await
        .expect("another cluster at the same address");
    let text = std::fs::read_to_string(&file).expect("pins");
    let expected = format!(
        "uuid-1 {}\nuuid-2 {}\n",
        sshd.host_key(),
        imposter.host_key()
    );
    assert_eq!(text, expected);
}

async fn sshd_of(identity: &Identity) -> (TestSshd, ()) {
    let Identity::Ephemeral(key) = identity else {
        panic!("an ephemeral key")
    };
    let sshd = TestSshd::start(&[key.public_key()], &[]).await;
    (sshd.expect("sshd"), ())
}

#[tokio::test]
async fn who_was_denied_pins_nothing() {
    let folder = tempdir().expect("dir");
    let file = folder.path().join("known_hosts");
    let (sshd, _) = sshd().await;
    let mut target = sshd.target(Identity::Ephemeral(EphemeralKey::generate().expect("key")));
    target.host_keys = HostKeyPolicy::pinned(&file, "uuid");
    RusshConnector::default()
        .connect(&target)
        .await
        .expect_err("denied");
    assert!(!file.exists());
}

#[tokio::test]
async fn a_pinned_kind_of_key_is_asked_for_first() {
    let folder = tempdir().expect("dir");
    let second = folder.path().join("ecdsa");
    let made = tokio::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ecdsa", "-N", "", "-f"])
        .arg(&second)
        .status()
        .await;
    assert!(made.expect("ssh-keygen").success());
    let public = std::fs::read_to_string(second.with_extension("pub")).expect("public");
    let key = EphemeralKey::generate().expect("key");
    let setting = format!("HostKey {}", second.display());
    let sshd = TestSshd::start(&[key.public_key()], &[&setting])
        .await
        .expect("sshd");
    let mut target = sshd.target(Identity::Ephemeral(key));
    for public in [public, sshd.host_key().to_string()] {
        let known = public.parse().expect("a public key");
        target.host_keys = HostKeyPolicy::exactly(vec![known]);
        RusshConnector::default()
            .connect(&target)
            .await
            .expect("connected");
    }
}

#[tokio::test]
async fn no_server_no_answer_and_no_ssh_are_told_apart() {
    let (sshd, identity) = sshd().await;
    let mut target = sshd.target(identity);
    let options = ConnectOptions {
        connect_timeout: Duration::from_millis(300),
        ..ConnectOptions::default()
    };
    let connector = RusshConnector::new(options);
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    target.port = silent.local_addr().expect("address").port();
    let error = connector.connect(&target).await.expect_err("silence");
    assert!(matches!(error, ShellError::NoAnswer { .. }), "{error:?}");
    let closing = tokio::spawn(async move { while silent.accept().await.is_ok() {} });
    let error = connector.connect(&target).await.expect_err("closed");
    assert!(matches!(error, ShellError::Handshake { .. }), "{error:?}");
    closing.abort();
    closing.await.expect_err("aborted");
    let error = connector.connect(&target).await.expect_err("refused");
    assert!(matches!(error, ShellError::Refused { .. }), "{error:?}");
    target.host = "no-such-host.invalid".to_owned();
    let error = RusshConnector::default()
        .connect(&target)
        .await
        .expect_err("unknown");
    assert!(matches!(error, ShellError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn dropping_ends_the_forward_and_then_the_connection() {
    let folder = tempdir().expect("dir");
    let (sshd, identity) = sshd().await;
    let (echo, _guard) = contract::echo_server().await;
    let relay = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut target = sshd.target(identity);
    target.port = relay.local_addr().expect("address").port();
    let relayed = tokio::spawn(async move {
        let (mut client, _) = relay.accept().await?;
        let mut server = TcpStream::connect(sshd.address()).await?;
        tokio::io::copy_bidirectional(&mut client, &mut server).await
    });
    let shell = RusshConnector::default()
        .connect(&target)
        .await
        .expect("connected");
    let forward = shell
        .forward("127.0.0.1", echo.port())
        .await
        .expect("forward");
    let door = forward.address();
    drop(forward);
    let until_closed = async { while TcpStream::connect(door).await.is_ok() {} };
    tokio::time::timeout(LONG, until_closed)
        .await
        .expect("closed");
    let waits = format!(
        "while [ -d {} ]; do sleep 0.02; done",
        folder.path().display()
    );
    let waiting = shell
        .spawn(&RemoteCommand::raw(waits))
        .await
        .expect("spawned");
    drop(shell);
    assert!(
        !relayed.is_finished(),
        "the process still uses the connection"
    );
    drop(waiting);
    let gone = tokio::time::timeout(LONG, relayed)
        .await
        .expect("disconnected");
    assert!(gone.expect("no panic").is_ok());
}

#[tokio::test]
async fn a_host_that_falls_silent_is_given_up() {
    let (sshd, identity) = sshd().await;
    let relay = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut target = sshd.target(identity);
    target.port = relay.local_addr().expect("address").port();
    let (cut, silence) = tokio::sync::oneshot::channel::<()>();
    let relayed = tokio::spawn(async move {
        let (mut client, _) = relay.accept().await?;
        let mut server = TcpStream::connect(sshd.address()).await?;
        tokio::select! {
            copied = tokio::io::copy_bidirectional(&mut client, &mut server) => copied,
            _ = silence => std::future::pending().await,
        }
    });
    let options = ConnectOptions {
        keepalive: Duration::from_millis(50),
        keepalive_limit: 2,
        ..ConnectOptions::default()
    };
    let connector = RusshConnector::new(options);
    let shell = connector.connect(&target).await.expect("connected");
    let line = RemoteCommand::raw("echo up; exec cat");
    let mut process = shell.spawn(&line).await.expect("spawned");
    let up = process.next().await.expect("goes on");
    assert_eq!(up, Some(ProcessEvent::Stdout("up\n".into())));
    while process.next().await.expect("ends").is_some() {}
    cut.send(()).expect("a relay");
    let given_up = tokio::time::timeout(LONG, shell.run(&line))
        .await
        .expect("in time");
    assert!(
        matches!(
            given_up,
            Err(ShellError::OutcomeUnknown { .. } | ShellError::NotStarted { .. })
        ),
        "{given_up:?}"
    );
    relayed.abort();
}

#[tokio::test]
async fn more_commands_than_the_server_allows_wait_their_turn() {
    let key = EphemeralKey::generate().expect("key");
    let sshd = TestSshd::start(&[key.public_key()], &["MaxSessions 2"])
        .await
        .expect("sshd");
    let target = sshd.target(Identity::Ephemeral(key));
    let all = async |sessions| {
        let options = ConnectOptions {
            sessions,
            ..ConnectOptions::default()
        };
        let shell = RusshConnector::new(options)
            .connect(&target)
            .await
            .expect("connected");
        let sleep = RemoteCommand::new("sleep").arg("0.05");
        let all = (0..6).map(|_| shell.run(&sleep));
        futures::future::join_all(all).await
    };
    for answer in all(2).await {
        answer.expect("ran in its turn");
    }
    let refused = all(6).await.into_iter().find_map(Result::err);
    assert!(
        matches!(refused, Some(ShellError::NotStarted { .. })),
        "{refused:?}"
    );
}

/// A server that hangs up in the middle of things.
#[derive(Clone)]
struct Faulty;

impl server::Handler for Faulty {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _: &str,
        _: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: server::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        line: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        match line {
            b"refuse" => session.channel_failure(channel)?,
            b"hang-up" => return Err(russh::Error::Disconnect),
            // An upload or a download: a piece, then silence, then the line is cut.
            _ => {
                session.channel_success(channel)?;
                session.data(channel, &b"half of "[..])?;
                session.eof(channel)?;
                session.close(channel)?;
            }
        }
        Ok(())
    }
}

async fn faulty_server() -> (SocketAddr, AbortOnDrop) {
    let seed = random().expect("seed");
    let config = Arc::new(server::Config {
        keys: vec![PrivateKey::from(Ed25519Keypair::from_seed(&seed))],
        ..server::Config::default()
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("address");
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let config = Arc::clone(&config);
            tokio::spawn(async move {
                if let Ok(session) = server::run_stream(config, stream, Faulty).await {
                    session.await.ok();
                }
            });
        }
    });
    (address, AbortOnDrop(serving.abort_handle()))
}

#[tokio::test]
async fn a_broken_connection_says_whether_the_command_may_have_run() {
    let folder = tempdir().expect("dir");
    let (address, _serving) = faulty_server().await;
    let target = SshTarget {
        host: address.ip().to_string(),
        port: address.port(),
        user: "anyone".to_owned(),
        identity: Identity::Ephemeral(EphemeralKey::generate().expect("key")),
        host_keys: HostKeyPolicy::pinned(folder.path().join("known_hosts"), "faulty"),
        jumps: Vec::new(),
        connect_timeout: None,
    };
    let shell = RusshConnector::default()
        .connect(&target)
        .await
        .expect("connected");
    let run = async |line: &str| {
        shell
            .run(&RemoteCommand::raw(line))
            .await
            .expect_err("fails")
    };
    let error = run("refuse").await;
    assert!(matches!(error, ShellError::NotStarted { .. }), "{error:?}");
    let local = folder.path().join("file");
    let error = shell.download("x", &local).await.expect_err("cut");
    assert!(
        matches!(error, ShellError::ConnectionLost { .. }),
        "{error:?}"
    );
    assert!(!local.exists());
    let content = Content::Bytes("x".into());
    let error = shell
        .upload(&content, "x", FileMode(0o600))
        .await
        .expect_err("cut");
    assert!(
        matches!(error, ShellError::ConnectionLost { .. }),
        "{error:?}"
    );
    let error = run("hang-up").await;
    assert!(
        matches!(error, ShellError::OutcomeUnknown { .. }),
        "{error:?}"
    );
    let error = run("anything").await;
    assert!(matches!(error, ShellError::NotStarted { .. }), "{error:?}");
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("dir").count(),
        2,
        "a partial file was left"
    );
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_the_old_file() {
    let folder = tempdir().expect("dir");
    let (sshd, identity) = sshd_in(&folder).await;
    let shell = RusshConnector::default()
        .connect(&sshd.target(identity))
        .await
        .expect("connected");
    let old = Content::Bytes("old".into());
    shell
        .upload(&old, "f", FileMode(0o600))
        .await
        .expect("uploaded");
    // The line that `upload` sends, whose input ends early as it does when a connection breaks.
    let line = crate::transfer::upload_command("f", FileMode(0o600), 5).expect("line");
    let output = shell.run(&line.stdin("new")).await.expect("ran");
    assert_eq!(output.status, ExitStatus::Code(73));
    assert_eq!(output.stderr, "3 bytes came instead of 5\n");
    assert_eq!(
        std::fs::read_to_string(folder.path().join("f")).expect("f"),
        "old"
    );
    assert_eq!(std::fs::read_dir(folder.path()).expect("dir").count(), 1);
}

#[tokio::test]
async fn what_was_started_apart_outlives_the_connection() {
    let folder = tempdir().expect("dir");
    let (sshd, identity) = sshd_in(&folder).await;
    let target = sshd.target(identity);
    let connector = RusshConnector::default();
    let shell = connector.connect(&target).await.expect("connected");
    let line = "setsid sh -c 'while [ ! -e go ]; do sleep 0.02; done; touch gone' >/dev/null 2>&1 </dev/null &";
    assert!(
        shell
            .run(&RemoteCommand::raw(line))
            .await
            .expect("ran")
            .status
            .success()
    );
    drop(shell);
    let shell = connector.connect(&target).await.expect("connected again");
    shell
        .upload(&Content::Bytes("".into()), "go", FileMode(0o600))
        .await
        .expect("uploaded");
    let wait = RemoteCommand::raw("until [ -e gone ]; do sleep 0.02; done");
    let waited = tokio::time::timeout(LONG, shell.run(&wait)).await;
    assert!(waited.expect("in time").expect("ran").status.success());
}

#[tokio::test]
async fn output_is_read_in_pieces_without_holding_it_all() {
    let (sshd, identity) = sshd().await;
    let shell = RusshConnector::default()
        .connect(&sshd.target(identity))
        .await
        .expect("connected");
    let zeros = RemoteCommand::new("head").args(["-c", "20000000", "/dev/zero"]);
    let mut process = shell.spawn(&zeros).await.expect("spawned");
    let (mut total, mut largest) = (0, 0);
    while let Some(event) = process.next().await.expect("goes on") {
        if let ProcessEvent::Stdout(bytes) = event {
            total += bytes.len();
            largest = largest.max(bytes.len());
        }
    }
    assert_eq!(total, 20_000_000);
    assert!(largest <= 64 << 10, "{largest}");
}
