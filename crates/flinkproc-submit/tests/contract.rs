//! Runs the contract suite on the SSH method over processes of this machine, and on the master in memory.

use std::sync::Arc;

use flinkproc_core::{Fault, Faulty};
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
