//! Builds one `flink run` for three versions and reads the ids in an answer.

use std::error::Error;

use flinkproc_core::YarnMode;
use flinkproc_flink_cli::{Program, RunSettings, job_ids};

fn main() -> Result<(), Box<dyn Error>> {
    let mut said = String::new();
    for version in ["1.12", "1.20", "2.2"] {
        let settings = RunSettings::new(
            version.parse()?,
            YarnMode::PerJob,
            Program::script("/srv/etl.py"),
        )
        .name("etl")
        .config("taskmanager.memory.process.size", "4g");
        match settings.argv() {
            Ok(argv) => said.push_str(&format!("{version}: flink {}\n", argv.join(" "))),
            Err(error) => said.push_str(&format!("{version}: {error}\n")),
        }
    }
    let answer = b"Job has been submitted with JobID 4f0d1c3b2a49587766554433221100ff";
    said.push_str(&format!("job: {:?}\n", job_ids(answer)));
    std::io::Write::write_all(&mut std::io::stdout(), said.as_bytes())?;
    Ok(())
}
