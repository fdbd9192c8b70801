//! The contract suite: what every [`RemoteShell`] does alike, and fixtures to try it on (feature `contract`).
//!
//! Each function fails by panicking, as a test does. [`TestSshd`] is a real OpenSSH server for connections of one's own.
#![expect(clippy::expect_used, reason = "a contract suite fails by panicking")]

mod test_sshd;

use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub use self::test_sshd::TestSshd;
use crate::command::RemoteCommand;
use crate::error::ShellError;
use crate::part_file::PartFile;
use crate::scripted::{Answer, ScriptedShell};
use crate::shell::{Content, ExitStatus, FileMode, Guard, ProcessEvent, RemoteShell};

const AWKWARD: [&str; 16] = [
    "",
    " ",
    "it's $5",
    "\"",
    "\\",
    "$(id)",
    "`id`",
    "*",
    "~",
    "a\nb",
    "-n",
    "--",
    "ü→🦀",
    "!!",
    "#no",
    "{a,b}",
];

/// Files go up and come down whole, over older ones too, whatever their names; relative paths start at one place.
pub async fn keeps_files(shell: &dyn RemoteShell) {
    let here = PartFile::beside(&std::env::temp_dir().join("flinkproc-ssh")).expect("a name");
    let here = here.path();
    let up = async |content: &[u8], to: &str| {
        let content = Content::Bytes(Bytes::copy_from_slice(content));
        shell.upload(&content, to, FileMode(0o640)).await
    };
    let down = async |from: &str| -> Result<Vec<u8>, ShellError> {
        let size = shell.download(from, here).await?;
        let bytes = tokio::fs::read(here).await.expect("a local file");
        assert_eq!(size, bytes.len() as u64);
        tokio::fs::remove_file(here).await.expect("removed");
        Ok(bytes)
    };
    let large: Vec<u8> = (0..5_000_000_u32)
        .flat_map(u32::to_le_bytes)
        .take(5_000_001)
        .collect();
    for (content, to) in [
        (b"".as_slice(), "empty"),
        (b"first".as_slice(), "it's a \"$5\"\nfile"),
        (b"second".as_slice(), "it's a \"$5\"\nfile"),
        (b"\0\xff\r\n".as_slice(), "-n"),
        (&large, "large"),
    ] {
        up(content, to).await.expect("uploaded");
        assert!(
            down(to).await.expect("downloaded") == content,
            "{to:?} changed on its way"
        );
    }
    tokio::fs::write(here, &large).await.expect("written");
    let file = Content::File(here.to_owned());
    shell
        .upload(&file, "from a file", FileMode(0o600))
        .await
        .expect("uploaded");
    assert!(down("from a file").await.expect("downloaded") == large);

    let missing = down("no such file").await.expect_err("missing");
    assert!(
        matches!(missing, ShellError::RemoteFileMissing { .. }),
        "{missing:?}"
    );
    assert!(!here.exists(), "a failed download left a file");
    let local = Content::File(Path::new("/no/such/file").to_owned());
    let unread = shell
        .upload(&local, "x", FileMode(0o600))
        .await
        .expect_err("unread");
    assert!(matches!(unread, ShellError::LocalFile { .. }), "{unread:?}");
    let unread = shell
        .download("x", here)
        .await
        .expect_err("never came to be");
    assert!(
        matches!(unread, ShellError::RemoteFileMissing { .. }),
        "{unread:?}"
    );
}

/// Commands get their arguments, environment and input unchanged, and their output and end come back; what no shell can run
/// is refused. A scripted host keeps this with the rules of [`script`].
pub async fn runs_commands(shell: &dyn RemoteShell) {
    let printf = RemoteCommand::new("printf").arg("%s\\0").args(AWKWARD);
    let output = shell.run(&printf).await.expect("ran");
    let expected: Vec<u8> = AWKWARD.iter().flat_map(|a| a.bytes().chain([0])).collect();
    assert_eq!(output.stdout, expected);
    assert_eq!(output.status, ExitStatus::Code(0));

    let input = Bytes::from(vec![b'x'; 3_000_000]);
    let output = shell
        .run(&RemoteCommand::new("cat").stdin(input.clone()))
        .await
        .expect("ran");
    assert!(output.stdout == input && output.stderr.is_empty());

    let both = RemoteCommand::raw("printf out; printf err >&2; exit 7");
    let output = shell.run(&both).await.expect("ran");
    assert_eq!(
        (&*output.stdout, &*output.stderr),
        (&b"out"[..], &b"err"[..])
    );
    assert_eq!(output.status, ExitStatus::Code(7));

    let absent = shell
        .run(&RemoteCommand::new("no-such-program"))
        .await
        .expect("ran");
    assert_eq!(absent.status, ExitStatus::Code(127));

    let invalid = shell.run(&RemoteCommand::new("printf").arg("\0")).await;
    assert!(matches!(invalid, Err(ShellError::InvalidCommand { .. })));

    let mut process = shell.spawn(&both).await.expect("spawned");
    let mut last = None;
    while let Some(event) = process.next().await.expect("goes on") {
        last = Some(event);
    }
    assert_eq!(last, Some(ProcessEvent::Exited(ExitStatus::Code(7))));
    assert_eq!(process.next().await.expect("nothing follows"), None);
}

/// Rules with which a [`ScriptedShell`] keeps [`runs_commands`].
pub fn script(host: &ScriptedShell) {
    host.on_line("exit 7", Answer::exit(7).stdout("out").stderr("err"));
    host.on(|command, _| {
        let (program, arguments) = (command.program()?, command.arguments());
        match program {
            "cat" => Some(Answer::ok().stdout(command.input().clone())),
            "printf" => {
                let printed: String = arguments.iter().skip(1).flat_map(|a| [a, "\0"]).collect();
                Some(Answer::ok().stdout(printed))
            }
            _ => None,
        }
    });
}

/// What only real programs do: die of signals, leave their input unread, speak while they run beside others, write files with
/// the mode asked for.
pub async fn runs_real_programs(shell: &dyn RemoteShell) {
    let killed = shell
        .run(&RemoteCommand::raw("kill -TERM $$"))
        .await
        .expect("ran");
    assert_eq!(killed.status, ExitStatus::Signal("TERM".to_owned()));

    let env = RemoteCommand::new("sh")
        .args(["-c", "printf %s \"$A_B\""])
        .env("A_B", "it's $5");
    assert_eq!(shell.run(&env).await.expect("ran").stdout, "it's $5");
    let env = RemoteCommand::raw("printf %s \"$A_B\"").env("A_B", "it's $5");
    assert_eq!(shell.run(&env).await.expect("ran").stdout, "it's $5");

    let deaf = RemoteCommand::new("true").stdin(vec![0; 5_000_000]);
    assert!(shell.run(&deaf).await.expect("ran").status.success());

    let long = "x".repeat(100_000);
    let counted = RemoteCommand::raw("printf %s").arg(long.clone());
    assert_eq!(
        shell.run(&counted).await.expect("ran").stdout.len(),
        long.len()
    );

    let waits = "printf ready; while [ ! -e go ]; do sleep 0.02; done; printf gone";
    let mut process = shell
        .spawn(&RemoteCommand::raw(waits))
        .await
        .expect("spawned");
    let ready = process.next().await.expect("goes on");
    assert_eq!(ready, Some(ProcessEvent::Stdout("ready".into())));
    let go = Content::Bytes(Bytes::new());
    shell
        .upload(&go, "go", FileMode(0o4750))
        .await
        .expect("uploaded beside it");
    let gone = process.next().await.expect("goes on");
    assert_eq!(gone, Some(ProcessEvent::Stdout("gone".into())));
    let mode = RemoteCommand::new("stat").args(["-c", "%a", "go"]);
    assert_eq!(shell.run(&mode).await.expect("ran").stdout, "4750\n");

    let many = (0..30).map(|n| async move {
        let echo = RemoteCommand::new("echo").arg(n.to_string());
        let output = shell.run(&echo).await.expect("ran");
        assert_eq!(output.stdout, format!("{n}\n"));
    });
    futures::future::join_all(many).await;

    for (to, why) in [
        ("no such folder/x", "it has no folder"),
        (".", "it is a folder"),
    ] {
        let content = Content::Bytes(Bytes::from_static(b"x"));
        let refused = shell
            .upload(&content, to, FileMode(0o600))
            .await
            .expect_err(why);
        assert!(
            matches!(refused, ShellError::RemoteFile { .. }),
            "{refused:?}"
        );
    }
    let folder = shell
        .download(".", Path::new("/nowhere"))
        .await
        .expect_err("a folder");
    assert!(
        matches!(
            folder,
            ShellError::RemoteFile { .. } | ShellError::LocalFile { .. }
        ),
        "{folder:?}"
    );
    let parts = RemoteCommand::raw("ls -a | grep -c '[.]part$'");
    assert_eq!(
        shell.run(&parts).await.expect("ran").stdout,
        "0\n",
        "partial files were left"
    );
}

/// Forwards carry bytes both ways, for many connections, to an echo server of this machine.
pub async fn carries_connections(shell: &dyn RemoteShell) {
    let (address, _guard) = echo_server().await;
    carries_connections_to(shell, address).await;
}

/// As [`carries_connections`], to an echo server that stands already.
pub async fn carries_connections_to(shell: &dyn RemoteShell, echo: SocketAddr) {
    let host = echo.ip().to_string();
    let forward = shell.forward(&host, echo.port()).await.expect("a forward");
    assert!(forward.address().ip().is_loopback());
    let one = async || {
        let mut stream = TcpStream::connect(forward.address())
            .await
            .expect("connected");
        let sent = vec![b'y'; 300_000];
        let (mut reader, mut writer) = stream.split();
        let mut back = Vec::new();
        let write = async {
            writer.write_all(&sent).await.expect("written");
            writer.shutdown().await.expect("half closed");
        };
        let (_, read) = tokio::join!(write, reader.read_to_end(&mut back));
        read.expect("read");
        assert!(
            back == sent,
            "{} of {} bytes came back",
            back.len(),
            sent.len()
        );
    };
    futures::future::join_all((0..4).map(|_| one())).await;
}

/// An echo server on a free loopback port; dropping the guard ends it.
pub async fn echo_server() -> (SocketAddr, impl Guard) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await.ok();
                writer.shutdown().await.ok();
            });
        }
    });
    (
        address,
        crate::abort_on_drop::AbortOnDrop(serving.abort_handle()),
    )
}
