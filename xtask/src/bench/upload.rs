//! One GiB and many small files: `gcloud storage cp`, and `flinkproc deploy --until stage`.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use crate::bench::figures::{Figures, rounded};
use crate::bench::measure::Cost;
use crate::bench::servers::{BUCKET, Servers};
use crate::bench::workplace::{Workplace, text};
use crate::cargo::say;

/// Runs of the large file: each writes two GiB.
const LARGE_RUNS: usize = 3;
const SMALL_FILES: usize = 500;

pub(crate) fn measure(
    workplace: &Workplace,
    runs: usize,
    figures: &mut Figures,
) -> Result<(), String> {
    let folder = workplace.path().join("upload");
    std::fs::create_dir_all(folder.join("large")).map_err(text)?;
    std::fs::create_dir_all(folder.join("small")).map_err(text)?;
    workplace.write("upload/job.py", "print('done')\n")?;
    fill(&folder.join("large/file.bin"), 1 << 30, 1)?;
    for number in 0..SMALL_FILES {
        let path = folder.join(format!("small/{number:03}.bin"));
        fill(&path, 1 << 10, number as u64 + 2)?;
    }
    say("\nUpload of 1 GiB");
    let large = Kind {
        name: "1 GiB",
        pattern: "large/*",
        ratio: 2.0,
    };
    let cost = large.measure(workplace, runs.min(LARGE_RUNS), figures)?;
    figures.at_most("upload of 1 GiB, our peak RSS", 64.0, cost.memory, " MB");
    // Of the disk's space and of the kernel's time for the files that follow.
    std::fs::remove_file(folder.join("large/file.bin")).map_err(text)?;
    say("\nUpload of 500 files of 1 KiB");
    let small = Kind {
        name: "500 files of 1 KiB",
        pattern: "small/*",
        ratio: 10.0,
    };
    small.measure(workplace, runs, figures)?;
    Ok(())
}

/// What is uploaded.
struct Kind {
    name: &'static str,
    pattern: &'static str,
    ratio: f64,
}

impl Kind {
    fn measure(
        &self,
        workplace: &Workplace,
        runs: usize,
        figures: &mut Figures,
    ) -> Result<Cost, String> {
        let Self { name, pattern, .. } = self;
        let spec = format!(
            "[job]\nscript = \"job.py\"\n[cluster]\nimage = \"2.0\"\n[[staging.input]]\nfrom = \"{pattern}\"\n"
        );
        let spec = workplace.write("upload/flinkproc.toml", &spec)?;
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for run in 0..=runs {
            // A store of its own for each run, so that none grows and the disk holds them.
            if workplace.has_gcloud() {
                let servers = Servers::start(workplace, 0.0, 0.0)?;
                let from = workplace.path().join("upload").join(pattern);
                let from = from.to_string_lossy().into_owned();
                let to = format!("gs://{BUCKET}/input/");
                let copy = workplace.gcloud(&servers, ["storage", "cp", &from, &to]);
                theirs.push(copy.measure(workplace.path())?);
            }
            let servers = Servers::start(workplace, 0.0, 0.0)?;
            let spec = spec.to_string_lossy().into_owned();
            // A run that stops early is not finished, and only another name makes another run.
            let key = format!("{}-{run}", pattern.trim_end_matches("/*"));
            let line = [spec.as_str(), "--until", "stage", "--run-key", &key];
            let stage = workplace.deploy(&servers, line);
            ours.push(stage.measure(workplace.path())?);
        }
        let ours = Cost::median(ours.iter().skip(1));
        figures.note(&format!("upload of {name}, ours"), ours.to_string());
        if theirs.is_empty() {
            figures.note(&format!("upload of {name} with gcloud"), "not installed");
            return Ok(ours);
        }
        let theirs = Cost::median(theirs.iter().skip(1));
        figures.note(&format!("upload of {name}, gcloud"), theirs.to_string());
        let faster = theirs.wall / ours.wall;
        figures.at_least(&format!("upload of {name}, faster"), self.ratio, faster);
        let cpu = rounded(theirs.cpu / ours.cpu);
        figures.note(&format!("upload of {name}, less CPU"), format!("{cpu} ×"));
        Ok(ours)
    }
}

/// Writes a file of bytes that look random (xorshift), so that nothing can be spared on them.
pub(crate) fn fill(path: &Path, size: usize, seed: u64) -> Result<(), String> {
    let mut file = BufWriter::new(File::create(path).map_err(text)?);
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..size / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes()).map_err(text)?;
    }
    file.flush().map_err(text)
}
