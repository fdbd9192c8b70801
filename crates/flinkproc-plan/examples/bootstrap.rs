//! Prints the script that runs a job's launcher in the foreground, or does something to its Flink jobs.
//!
//! The job is the `job` of a plan (`flinkproc plan --out`), on standard input. On a master of a cluster:
//!
//! ```sh
//! cargo run -p flinkproc-plan --example bootstrap -- my-deployment 1 <job.json >run.sh && bash run.sh
//! cargo run -p flinkproc-plan --example bootstrap -- my-deployment 1 savepoint <job.json >act.sh && bash act.sh
//! ```

use std::error::Error;
use std::io::Write as _;

use flinkproc_core::Attempt;
use flinkproc_plan::JobPlan;
use flinkproc_plan::launcher::{BootstrapRun, JobAction, LaunchBundle, action_bootstrap};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let deployment = words.next().ok_or("which deployment?")?.parse()?;
    let number: u32 = words.next().ok_or("which attempt?")?.parse()?;
    let mut attempt = Attempt::FIRST;
    while attempt.number() < number {
        attempt = attempt.next();
    }
    let run = BootstrapRun {
        deployment,
        attempt,
    };
    let job: JobPlan = serde_json::from_reader(std::io::stdin())?;
    let (id, directory) = (None, None);
    let action = match words.next().as_deref() {
        None => None,
        Some("savepoint") => Some(JobAction::Savepoint { job: id, directory }),
        Some("stop") => Some(JobAction::Stop {
            job: id,
            directory,
            drain: false,
        }),
        Some("cancel") => Some(JobAction::Cancel { job: id }),
        Some(other) => return Err(format!("no action `{other}`").into()),
    };
    let script = match action {
        Some(action) => action_bootstrap(&job, &run, &action, "acts/1")?,
        None => {
            let tag = format!("flinkproc-{}-{}", run.deployment, run.attempt);
            LaunchBundle::new(&job, &tag)?.bootstrap(&run)
        }
    };
    std::io::stdout().write_all(script.as_bytes())?;
    Ok(())
}
