//! Locks and installs packages: with pip, or with uv.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::EnvError;
use crate::lock::{self, JAVA_PART, Pin, SOURCE_ONLY, normal_name};
use crate::program::{Finished, Program, end_of};
use crate::request::{EnvironmentRequest, Glibc, Lock, Platform};

/// Who reads the index.
#[derive(Clone, Debug)]
pub(crate) enum Installer {
    /// The pip of this interpreter, for this interpreter.
    Pip(PathBuf),
    /// uv.
    Uv(PathBuf),
}

impl Installer {
    /// Resolves what is wanted. `scratch` is an empty folder.
    pub(crate) async fn lock(
        &self,
        request: &EnvironmentRequest,
        platform: &Platform,
        scratch: &Path,
    ) -> Result<Lock, EnvError> {
        let wanted = lock::wanted(request)?;
        let list = scratch.join("wanted.txt");
        write(&list, &(wanted.join("\n") + "\n")).await?;
        let pins = match self {
            Self::Pip(python) => pip_lock(python, request, &wanted, &list, scratch).await?,
            Self::Uv(uv) => uv_lock(uv, request, platform, &wanted, &list, scratch).await?,
        };
        lock::compose(request, pins)
    }

    /// Puts the packages of a lock into `site` for the interpreter `python`, each checked by its hash.
    pub(crate) async fn install(
        &self,
        request: &EnvironmentRequest,
        lock: &Lock,
        python: &Path,
        site: &Path,
        scratch: &Path,
    ) -> Result<(), EnvError> {
        let list = scratch.join("lock.txt");
        write(&list, &lock.text).await?;
        let doing = "installing the packages of the lock";
        let program = match self {
            Self::Pip(pip) => pip_command(pip, request, doing)
                .args([
                    "install",
                    "--no-deps",
                    "--require-hashes",
                    "--no-compile",
                    "--no-warn-script-location",
                ])
                .args(["--ignore-installed", "--target"]),
            Self::Uv(uv) => uv_command(uv, request, doing)
                .args([
                    "pip",
                    "install",
                    "--no-deps",
                    "--require-hashes",
                    "--link-mode",
                    "copy",
                ])
                .args(["--python".as_ref(), python.as_os_str()])
                .args(["--target"]),
        };
        let source = pins_without_wheels(&lock.text)?;
        let finished = program
            .args([site.as_os_str(), "--requirement".as_ref(), list.as_os_str()])
            .args(only_wheels(&source))
            .finish()
            .await?;
        if finished.good {
            return Ok(());
        }
        let wanted: Vec<_> = lock::read(&lock.text)?
            .iter()
            .map(|pin| format!("{}=={}", pin.name, pin.version))
            .collect();
        Err(explain(&finished, &wanted))
    }
}

/// Those of a lock that are built from source because there is nothing else.
fn pins_without_wheels(text: &str) -> Result<Vec<&'static str>, EnvError> {
    let pins = lock::read(text)?;
    let has = |name: &&str| pins.iter().any(|pin| pin.name == *name);
    Ok(SOURCE_ONLY.into_iter().filter(has).collect())
}

/// The options, the same for pip and uv, that allow wheels only but for these.
fn only_wheels(but: &[&str]) -> Vec<String> {
    let mut options = vec!["--only-binary".to_owned(), ":all:".to_owned()];
    for name in but {
        options.extend(["--no-binary".to_owned(), (*name).to_owned()]);
    }
    options
}

fn pip_command(python: &Path, request: &EnvironmentRequest, doing: &'static str) -> Program {
    let program = Program::new(python, doing)
        .args([
            "-I",
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--no-input",
        ])
        // What is built from source is pure Python: without a compiler its optional parts in C fall away, everywhere alike.
        .env("CC", "false");
    match &request.index_url {
        None => program,
        Some(url) => program.env("PIP_INDEX_URL", url),
    }
}

fn uv_command(uv: &Path, request: &EnvironmentRequest, doing: &'static str) -> Program {
    let program = Program::new(uv, doing)
        .args(["--no-progress", "--color", "never", "--no-python-downloads"])
        .env("CC", "false");
    match &request.index_url {
        None => program,
        Some(url) => program.env("UV_DEFAULT_INDEX", url),
    }
}

#[derive(Deserialize)]
struct Report {
    install: Vec<Reported>,
}

#[derive(Deserialize)]
struct Reported {
    metadata: Metadata,
    download_info: Download,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct Download {
    #[serde(default)]
    archive_info: Archive,
}

#[derive(Default, Deserialize)]
struct Archive {
    /// Before pip 23, `sha256=…` alone.
    hash: Option<String>,
    #[serde(default)]
    hashes: std::collections::BTreeMap<String, String>,
}

async fn pip_lock(
    python: &Path,
    request: &EnvironmentRequest,
    wanted: &[String],
    list: &Path,
    scratch: &Path,
) -> Result<Vec<Pin>, EnvError> {
    // pip cannot leave a dependency out, but takes an empty one from a folder rather than 230 MB from the index.
    let stub = format!(
        "import sys, zipfile\nn, v = sys.argv[2:]\nd = n + '-' + v + '.dist-info/'\nz = zipfile.ZipFile(sys.argv[1] + '/' + n + '-' + v + '-py3-none-any.whl', 'w')\nz.writestr(d + 'METADATA', 'Metadata-Version: 2.1\\nName: {JAVA_PART}\\nVersion: ' + v + '\\n')\nz.writestr(d + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: flinkproc\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\nz.writestr(d + 'RECORD', '')\nz.close()\n"
    );
    let stubs = scratch.join("stubs");
    tokio::fs::create_dir_all(&stubs)
        .await
        .map_err(|source| EnvError::local(&stubs, source))?;
    Program::new(
        python,
        "making an empty package in the place of PyFlink's Java part",
    )
    .args(["-I", "-c", &stub])
    .args([stubs.as_os_str()])
    .args([
        normal_name(JAVA_PART).replace('-', "_"),
        request.flink.to_string(),
    ])
    .run()
    .await?;
    let report = scratch.join("report.json");
    let finished = pip_command(python, request, "resolving the requirements")
        .args(["install", "--dry-run", "--ignore-installed", "--quiet"])
        .args([
            "--report".as_ref(),
            report.as_os_str(),
            "--find-links".as_ref(),
            stubs.as_os_str(),
        ])
        .args(["--requirement".as_ref(), list.as_os_str()])
        .args(only_wheels(&SOURCE_ONLY))
        .finish()
        .await?;
    if !finished.good {
        return Err(explain(&finished, wanted));
    }
    let text = tokio::fs::read(&report)
        .await
        .map_err(|source| EnvError::local(&report, source))?;
    let report: Report =
        serde_json::from_slice(&text).map_err(|source| EnvError::local(&report, source.into()))?;
    let pins = report
        .install
        .into_iter()
        .filter(|it| normal_name(&it.metadata.name) != JAVA_PART);
    pins.map(|package| {
        let archive = package.download_info.archive_info;
        let hash = archive.hashes.get("sha256").cloned();
        let hash = hash.or_else(|| archive.hash?.strip_prefix("sha256=").map(str::to_owned));
        let hash = hash.ok_or_else(|| EnvError::Unresolvable {
            requirement: format!("{}=={}", package.metadata.name, package.metadata.version),
            reason: "the index gives no SHA-256 of it".to_owned(),
        })?;
        Ok(Pin {
            name: normal_name(&package.metadata.name),
            version: package.metadata.version,
            marker: None,
            hashes: vec![hash],
        })
    })
    .collect()
}

async fn uv_lock(
    uv: &Path,
    request: &EnvironmentRequest,
    platform: &Platform,
    wanted: &[String],
    list: &Path,
    scratch: &Path,
) -> Result<Vec<Pin>, EnvError> {
    let left_out = scratch.join("left-out.txt");
    write(&left_out, &format!("{JAVA_PART}\n")).await?;
    let glibc = platform.glibc.unwrap_or(Glibc::OLDEST);
    let finished = uv_command(uv, request, "resolving the requirements")
        .args([
            "pip",
            "compile",
            "--quiet",
            "--generate-hashes",
            "--no-header",
            "--no-annotate",
        ])
        .args([
            "--no-emit-index-url",
            "--python-version",
            &request.python.to_string(),
        ])
        .args([
            "--python-platform",
            &format!("{}-manylinux_{}_{}", platform.machine, glibc.0, glibc.1),
        ])
        .args([
            "--excludes".as_ref(),
            left_out.as_os_str(),
            list.as_os_str(),
        ])
        .args(only_wheels(&SOURCE_ONLY))
        .finish()
        .await?;
    if !finished.good {
        return Err(explain(&finished, wanted));
    }
    lock::read(&finished.out)
}

/// What a resolver's failure means: the requirement and the reason, or that the index cannot be reached.
fn explain(finished: &Finished, wanted: &[String]) -> EnvError {
    const UNREACHABLE: [&str; 7] = [
        "NewConnectionError",
        "Failed to establish a new connection",
        "Read timed out",
        "dns error",
        "client error (Connect)",
        "Connection refused",
        "Temporary failure in name resolution",
    ];
    let said = &finished.err;
    if UNREACHABLE.iter().any(|words| said.contains(words)) {
        return EnvError::Unavailable {
            what: "the package index".to_owned(),
            source: end_of(said).into(),
        };
    }
    let named = |requirement: &&String| {
        let end = requirement.find(|it: char| !it.is_ascii_alphanumeric() && !"-_.".contains(it));
        let name = &requirement[..end.unwrap_or(requirement.len())];
        said.contains(name)
    };
    // The user's own come after PyFlink and are the likelier culprits.
    match wanted.iter().rev().find(named) {
        Some(requirement) => EnvError::Unresolvable {
            requirement: requirement.clone(),
            reason: end_of(said),
        },
        None => finished.failed(),
    }
}

async fn write(path: &Path, text: &str) -> Result<(), EnvError> {
    let written = tokio::fs::write(path, text).await;
    written.map_err(|source| EnvError::local(path, source))
}
