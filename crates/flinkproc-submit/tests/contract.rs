//! Runs the contract suite on the SSH method over processes of this machine, and on the master in memory.
#![expect(clippy::expect_used, reason = "a test's set-up fails by panicking")]

use std::sync::Arc;

use flinkproc_core::{Attempt, Fault, Faulty};
use flinkproc_plan::launcher::{BootstrapRun, LaunchBundle};
use flinkproc_ssh::{ExitStatus, RemoteCommand};
use flinkproc_staging::Content;
use flinkproc_submit::contract::{self, FakeMaster};
use flinkproc_submit::{InMemoryMethod, Script, SshMethod, SubmissionMethod};

async fn set_up() -> (FakeMaster, Arc<dyn SubmissionMethod>) {
    let master = FakeMaster::start().await;
    let method = Arc::new(SshMethod::new(master.local_shell()));
    (master, method)
}

macro_rules! on_a_master {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (master, method) = set_up().await;
            contract::$name(&master, &method).await;
        }
    )*};
}

on_a_master!(
    starts_once,
    arguments_arrive,
    modules_run,
    exit_status_is_true,
    ids_are_known_early,
    lost_launcher_is_lost,
    cancel_reaches,
    bad_files_stop_it,
    keeps_to_itself,
    sessions_are_shared,
    cancel_spares_the_session,
    applications_end_true,
    arguments_arrive_in_every_mode,
    shipped_python_runs_it,
    actions_reach,
    variables_arrive,
    unreadable_secrets_stop_it,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn remembers_attempts() {
    let (_master, method) = set_up().await;
    contract::remembers_attempts(&*method).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mirror_tells_all() {
    let (master, method) = set_up().await;
    contract::mirror_tells_all(&master, &method, |deployment| {
        let runs = format!("gs://{}/mirror/{deployment}/", contract::BUCKET);
        runs.parse().expect("address")
    })
    .await;
}

/// Writes the bootstrap of an attempt into the login directory, as `boot-N.sh`.
fn write_bootstrap(master: &FakeMaster, script: &str, attempt: Attempt) {
    let mut job = master.stage(script, &[]);
    let runs = format!("gs://{}/boot/", contract::BUCKET);
    job.mirror = Some(runs.parse().expect("address"));
    let deployment = "boot".parse().expect("deployment");
    let run = BootstrapRun {
        deployment,
        attempt,
    };
    let bundle = LaunchBundle::new(&job, &format!("flinkproc-boot-{attempt}")).expect("bundle");
    let path = master.home().join(format!("boot-{attempt}.sh"));
    std::fs::write(path, bundle.bootstrap(&run)).expect("written");
}

/// Runs a line of shell on the master: its exit status, its output.
async fn on(master: &FakeMaster, line: &str) -> (ExitStatus, String) {
    let command = RemoteCommand::raw(line);
    let output = master.local_shell().run(&command).await.expect("ran");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status, said)
}

async fn mirrored(master: &FakeMaster, name: &str) -> String {
    let object = format!("gs://{}/boot/{name}", contract::BUCKET);
    let object = object.parse().expect("address");
    let read = master.staging().read_range(&object, 0, 1 << 20).await;
    read.map(|text| String::from_utf8_lossy(&text).into_owned())
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bootstrap_runs_in_the_foreground_at_most_once() {
    let master = FakeMaster::start().await;
    let first = Attempt::FIRST;
    write_bootstrap(&master, "import sys\nprint('hello')\nsys.exit(7)\n", first);
    let (status, said) = on(&master, "bash boot-1.sh").await;
    assert_eq!(status, ExitStatus::Code(7));
    assert!(said.ends_with("\nhello\n"), "{said}");
    assert!(
        mirrored(&master, "1/exit")
            .await
            .starts_with("{\"status\":7,\"phase\":\"flink\"")
    );
    let (status, _) = on(&master, "bash boot-1.sh").await;
    assert_eq!(status, ExitStatus::Code(75));
    // Another home knows nothing of it, but the gate does.
    let (status, _) = on(&master, "mkdir other && HOME=$PWD/other bash boot-1.sh").await;
    assert_eq!(status, ExitStatus::Code(75));

    let gate = format!("gs://{}/boot/2/gate", contract::BUCKET)
        .parse()
        .expect("address");
    let fenced = Content::Bytes("fenced".into());
    master
        .staging()
        .put_if_absent(&gate, &fenced)
        .await
        .expect("fenced");
    write_bootstrap(&master, "print()", first.next());
    let (status, _) = on(&master, "bash boot-2.sh").await;
    assert_eq!(status, ExitStatus::Code(76));
    assert_eq!(master.flink_runs(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bootstrap_ends_when_it_is_told_to_or_its_parent_dies() {
    let master = FakeMaster::start().await;
    let first = Attempt::FIRST;
    let script = master.script_that_waits("never");
    write_bootstrap(&master, &script, first);
    write_bootstrap(&master, &script, first.next());
    let told = "bash boot-1.sh >out-1 2>&1 & pid=$!; until grep -q waiting out-1; do sleep 0.05; done; kill -TERM $pid; wait $pid";
    let (status, _) = on(&master, told).await;
    assert_eq!(status, ExitStatus::Code(143));
    assert!(
        mirrored(&master, "1/exit")
            .await
            .contains("\"cancelled\":true")
    );
    let orphaned = "bash -c 'bash boot-2.sh >out-2 2>&1; true' & pid=$!; until grep -q waiting out-2; do sleep 0.05; done; kill -KILL $pid; \
                    for i in $(seq 600); do [ -e .flinkproc/boot/2/mirrored ] && break; sleep 0.1; done";
    on(&master, orphaned).await;
    assert!(mirrored(&master, "2/exit").await.contains("\"status\":143"));
    assert!(
        master
            .yarn_calls()
            .contains("application -kill application_1700000000000_0002")
    );
}

#[tokio::test]
async fn remembers_attempts_in_memory() {
    contract::remembers_attempts(&InMemoryMethod::new(Script::default())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loses_no_byte() {
    let (master, _) = set_up().await;
    let mut turn = 0;
    contract::loses_no_byte(&master, || {
        turn += 1;
        let faulty = Faulty::new(SshMethod::new(master.local_shell()));
        // Every second connection breaks before or after the launcher has answered; the first one carries the start.
        Arc::new(match turn % 4 {
            2 => faulty.with("observe", 1, Fault::AnswerLost),
            0 => faulty.with("observe", 1, Fault::Before),
            _ => faulty,
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_without_curl_fetches_with_python() {
    let mut master = FakeMaster::start().await;
    master.make_bare().await;
    let method: Arc<dyn SubmissionMethod> = Arc::new(SshMethod::new(master.local_shell()));
    contract::starts_once(&master, &method).await;
}
