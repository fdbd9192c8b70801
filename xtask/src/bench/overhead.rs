//! A whole deployment on servers that answer at once: the guide's way with gcloud, and ours.

use crate::bench::figures::{Figures, rounded};
use crate::bench::measure::Cost;
use crate::bench::servers::{BUCKET, SSH_PORT, Servers};
use crate::bench::workplace::Workplace;
use crate::cargo::say;

const SPEC: &str = r#"
[job]
name = "bench"
script = "job.py"
python_files = ["first.py", "second.py"]

[cluster]
image = "2.0"
workers.count = 2

[watch]
deadline = "20m"
"#;

/// The three files that are staged.
const FILES: [&str; 3] = ["job.py", "first.py", "second.py"];

/// What gcloud's way cost.
struct Gcloud {
    /// Staging, cluster, job.
    guide: Cost,
    /// Deleting the cluster, which the guide's script leaves to the user.
    delete: Cost,
}

pub(crate) fn measure(
    workplace: &Workplace,
    runs: usize,
    figures: &mut Figures,
) -> Result<(), String> {
    say(
        "\nA whole deployment: three files staged, cluster made, job run over SSH, cluster deleted",
    );
    let servers = Servers::start(workplace, 0.0, 0.0)?;
    let spec = workplace.write("job/flinkproc.toml", SPEC)?;
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for run in 0..=runs {
        // New contents each time, so that nothing is there already.
        for name in FILES {
            workplace.write(&format!("job/{name}"), &format!("print('{name} {run}')\n"))?;
        }
        if workplace.has_gcloud() {
            theirs.push(gcloud(workplace, &servers, run)?);
        }
        let deploy = workplace.deploy(&servers, [&spec]);
        ours.push(deploy.measure(workplace.path())?);
    }
    let ours = Cost::median(ours.iter().skip(1));
    figures.note("deployment, ours", ours.to_string());
    figures.at_most("deployment, our peak RSS", 40.0, ours.memory, " MB");
    if theirs.is_empty() {
        figures.note("deployment with gcloud", "gcloud is not installed");
        return Ok(());
    }
    let guide = Cost::median(theirs.iter().skip(1).map(|run| &run.guide));
    let both: Vec<_> = theirs
        .iter()
        .map(|run| run.guide.then(run.delete))
        .collect();
    let whole = Cost::median(both.iter().skip(1));
    figures.note("deployment, gcloud", whole.to_string());
    figures.note("deployment, gcloud without its delete", guide.to_string());
    figures.at_least("deployment, less wall time", 12.0, whole.wall / ours.wall);
    figures.at_least("deployment, less CPU time", 20.0, whole.cpu / ours.cpu);
    let lesser = format!(
        "{} × wall, {} × CPU",
        rounded(guide.wall / ours.wall),
        rounded(guide.cpu / ours.cpu)
    );
    figures.note("deployment, were gcloud's delete not counted", lesser);
    Ok(())
}

fn gcloud(workplace: &Workplace, servers: &Servers, run: usize) -> Result<Gcloud, String> {
    let cluster = format!("bench-{run}");
    let step = |arguments: Vec<String>| {
        workplace
            .gcloud(servers, arguments)
            .measure(workplace.path())
    };
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();

    let mut stage = words("storage cp");
    stage.extend(FILES.map(|name| {
        let path = workplace.path().join("job").join(name);
        path.to_string_lossy().into_owned()
    }));
    stage.push(format!("gs://{BUCKET}/jobs/"));
    let create = words(&format!(
        "dataproc clusters create {cluster} --image-version=2.0 --num-workers=2 --optional-components=FLINK \
         --max-idle=600s --max-age=7200s"
    ));
    let mut submit = words(&format!("compute ssh {cluster}-m --ssh-flag=-p{SSH_PORT}"));
    submit.push(format!(
        "--command=flink run -m yarn-cluster -py gs://{BUCKET}/jobs/job.py"
    ));
    let delete = words(&format!("dataproc clusters delete {cluster}"));
    Ok(Gcloud {
        guide: step(stage)?.then(step(create)?).then(step(submit)?),
        delete: step(delete)?,
    })
}
