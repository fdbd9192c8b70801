//! Runs the contract suite on the methods that hand a job to Dataproc, with drivers as processes of this machine.
#![expect(clippy::expect_used, reason = "a test's set-up fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "drivers are processes, and real programs keep real time"
)]

mod launcher_jar;
mod local_dataproc;
mod real_time;

use std::sync::Arc;
use std::time::Duration;

use flinkproc_submit::contract::FakeMaster;
use flinkproc_submit::{Carrier, DataprocJobMethod, DataprocPlace, SubmissionMethod};

use self::local_dataproc::{LocalDataproc, cluster};
use self::real_time::RealTime;

/// How soon a test looks again.
const PAUSE: Duration = Duration::from_millis(100);

async fn set_up(carrier: impl Carrier) -> (FakeMaster, Arc<dyn SubmissionMethod>) {
    let master = FakeMaster::start().await;
    let jobs = LocalDataproc::new(master.environment(), master.staging());
    let place = DataprocPlace {
        jobs: Arc::new(jobs),
        staging: master.staging(),
        cluster: cluster(),
        home: "gs://bucket/deployments/any/".parse().expect("address"),
        clock: Arc::new(RealTime),
    };
    let method = DataprocJobMethod::new(carrier, place).pausing(PAUSE);
    (master, Arc::new(method))
}

macro_rules! suite {
    ($carrier:expr; $($name:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (master, method) = crate::set_up($carrier).await;
            flinkproc_submit::contract::$name(&master, &method).await;
        }
    )*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn remembers_attempts() {
            let (_master, method) = crate::set_up($carrier).await;
            flinkproc_submit::contract::remembers_attempts(&*method).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn loses_no_byte() {
            let (master, method) = crate::set_up($carrier).await;
            flinkproc_submit::contract::loses_no_byte(&master, || std::sync::Arc::clone(&method)).await;
        }
    };
}

macro_rules! over {
    ($($module:ident: $carrier:expr),* $(,)?) => {$(
        mod $module {
            suite!($carrier;
                starts_once,
                arguments_arrive,
                modules_run,
                exit_status_is_true,
                ids_are_known_early,
                lost_launcher_is_lost,
                cancel_reaches,
                bad_files_stop_it,
                applications_end_true,
                arguments_arrive_in_every_mode,
                cancel_spares_the_session,
                actions_reach,
                variables_arrive,
                unreadable_secrets_stop_it,
            );
        }
    )*};
}

over!(
    pig: flinkproc_submit::Pig,
    pyspark: flinkproc_submit::PySpark,
    hadoop: flinkproc_submit::Hadoop,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mirror_tells_all() {
    let (master, method) = set_up(flinkproc_submit::Hadoop).await;
    let runs = |id: &str| {
        let runs = format!("gs://bucket/deployments/{id}/runs/");
        runs.parse().expect("address")
    };
    flinkproc_submit::contract::mirror_tells_all(&master, &method, runs).await;
}
