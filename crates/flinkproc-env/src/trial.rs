//! Starts a new environment at another place, alone, to see that it works.

use std::path::Path;

use crate::assemble::{blocking, holds};
use crate::error::EnvError;
use crate::pack;
use crate::program::{Program, end_of};
use crate::request::Lock;

const TRIAL: &str = include_str!("trial.py");

/// Unpacks the archive elsewhere, takes away the folder it was made of, and runs it with no environment.
pub(crate) async fn run(
    archive: &Path,
    made_of: &Path,
    lock: &Lock,
    scratch: &Path,
) -> Result<(), EnvError> {
    let place = scratch.join("another place");
    {
        let (archive, place, made_of) = (archive.to_owned(), place.clone(), made_of.to_owned());
        blocking(scratch, move || {
            std::fs::remove_dir_all(&made_of).map_err(|source| EnvError::local(made_of, source))?;
            pack::unpack(&archive, &place)
        })
        .await?;
    }
    let beam = if holds(lock, "apache-beam") {
        "beam"
    } else {
        ""
    };
    let finished = Program::new(&place.join("bin/python"), "being tried")
        .bare()
        .args(["-I", "-B", "-c", TRIAL])
        .args([place.as_os_str()])
        .args([beam])
        .finish()
        .await?;
    if finished.good {
        return Ok(());
    }
    Err(EnvError::Broken {
        why: end_of(&format!("{}\n{}", finished.out, finished.err)),
    })
}
