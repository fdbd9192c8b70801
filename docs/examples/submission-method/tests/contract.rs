//! Runs flinkproc's public contract suite on a method of one's own.

use std::sync::Arc;

use exec_method::ExecMethod;
use flinkproc_submit::SubmissionMethod;
use flinkproc_submit::contract::{self, FakeMaster};

/// A master for tests, and the method with a command that logs in there.
async fn set_up() -> (FakeMaster, Arc<dyn SubmissionMethod>) {
    let master = FakeMaster::start().await;
    let environment = master.environment().into_iter();
    let login = environment.map(|(name, value)| format!("{name}={value}"));
    let command = ["env", "-i"].map(str::to_owned).into_iter().chain(login);
    (master, Arc::new(ExecMethod::new(command)))
}

macro_rules! suite {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (master, method) = set_up().await;
            contract::$name(&master, &method).await;
        }
    )*};
}

suite!(
    starts_once,
    arguments_arrive,
    modules_run,
    exit_status_is_true,
    ids_are_known_early,
    lost_launcher_is_lost,
    cancel_reaches,
    bad_files_stop_it,
    keeps_to_itself,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn remembers_attempts() {
    let (_master, method) = set_up().await;
    contract::remembers_attempts(&*method).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loses_no_byte() {
    let (master, method) = set_up().await;
    contract::loses_no_byte(&master, || Arc::clone(&method)).await;
}
