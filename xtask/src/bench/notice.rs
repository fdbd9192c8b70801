//! How soon an end is noticed: of an operation and of a job that take 3.0 s each.

use crate::bench::events::{Events, seconds};
use crate::bench::figures::{Figures, median};
use crate::bench::servers::Servers;
use crate::bench::workplace::Workplace;
use crate::cargo::say;

const SPEC: &str = r#"
[job]
script = "notice.py"

[cluster]
image = "2.0"
"#;

pub(crate) fn measure(
    workplace: &Workplace,
    runs: usize,
    figures: &mut Figures,
) -> Result<(), String> {
    say("\nA cluster that takes 3.0 s, and a job that takes 3.0 s");
    let servers = Servers::start(workplace, 3.0, 3.0)?;
    let spec = workplace.write("notice/flinkproc.toml", SPEC)?;
    workplace.write("notice/notice.py", "print('done')\n")?;
    let (mut operations, mut jobs) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        workplace
            .deploy(&servers, [&spec])
            .measure(workplace.path())?;
        let events = Events::read(&workplace.events())?;
        // From before the request is sent, so an upper bound.
        let asked = events.started("create-cluster")?;
        operations.push(seconds(asked, events.cluster("RUNNING")?));
        // From the moment when the launcher has the job, so its own start is counted too.
        let submitted = events.first("submitted")?;
        jobs.push(seconds(submitted, events.done("watch")?));
    }
    figures.at_most(
        "operation of 3.0 s, from the step's start until it is noticed",
        3.3,
        median(operations),
        " s",
    );
    figures.at_most(
        "job of 3.0 s, from its submission until its end is noticed",
        3.5,
        median(jobs),
        " s",
    );
    Ok(())
}
