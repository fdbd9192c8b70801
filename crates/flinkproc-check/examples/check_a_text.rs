//! Judges the commands of a file that is named, or of a small script.

use std::error::Error;
use std::io::Write;

use flinkproc_check::{Language, Source, check, render};

const SCRIPT: &str = "\
gcloud dataproc clusters create reports --region=europe-west4 --workers=3 --image-version=2.2-debian12
gcloud compute ssh reports-m --command=\"
  export HADOOP_CLASSPATH=$(hadoop classpath)
  flink run -t yarn-per-job -ytm 4096 -py gs://my-bucket/report.py --day ${DAY}
\"
";

fn main() -> Result<(), Box<dyn Error>> {
    let (name, text) = match std::env::args().nth(1) {
        Some(name) => {
            let text = std::fs::read_to_string(&name)?;
            (name, text)
        }
        None => ("report.sh".to_owned(), SCRIPT.to_owned()),
    };
    let source = Source::new(name, &text);
    let report = check(&source, Language::of(&source.name, &text), None);
    let quote = |word: &str| flinkproc_ssh::quote(word).into_owned();
    std::io::stdout().write_all(render(&report, &source, &quote).as_bytes())?;
    Ok(())
}
