//! The parts a cluster is made of, and how each is fetched by its ordinary package manager.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use flinkproc_core::{Clock, FlinkVersion};
use tokio::process::Command;

use crate::cache::Cache;
use crate::error::SandboxError;
use crate::image::{IMAGES, Image};
use crate::prerequisites::{Environment, Interpreter, Needs, Prerequisites};
use crate::progress::{PartName, ProgressSink};

const YARN_POM: &str = include_str!("../recipes/yarn-pom.xml");
const GCS_POM: &str = include_str!("../recipes/gcs-pom.xml");
const PIG_POM: &str = include_str!("../recipes/pig-pom.xml");
const SPARK: &str = include_str!("../recipes/spark-requirements.txt");
const BIND_LOOPBACK: &str = include_str!("../recipes/bind_loopback.py");
const BARE_PYTHON: &str = include_str!("../recipes/bare_python.py");

/// Everything that lies ready to start clusters from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Parts {
    /// What the machine had.
    pub prerequisites: Prerequisites,
    /// YARN's jars, in a fixed order.
    pub yarn_jars: Vec<PathBuf>,
    /// The connector to Cloud Storage.
    pub gcs_connector: PathBuf,
    /// The Flink that the fields below are of.
    pub flink: FlinkVersion,
    /// The interpreter that has PyFlink.
    pub python: PathBuf,
    /// Flink's home inside PyFlink.
    pub flink_home: PathBuf,
    /// What `python3` is on the machines: the interpreter that has PyFlink, or one that has not.
    pub machine_python: PathBuf,
    /// Flink's folder `opt`.
    pub flink_opt: PathBuf,
    /// Where these parts lie, and those that only some jobs need will.
    cache: Cache,
}

impl Parts {
    /// Looks what the machine has, then fetches what the cache lacks.
    ///
    /// Idempotent; several processes may call it at once. Dropping the future ends the downloads; the next call starts the
    /// unfinished part anew.
    ///
    /// # Errors
    /// When the machine lacks something (before anything is downloaded), or a part cannot be fetched.
    pub async fn ensure(
        environment: &Environment,
        clock: Arc<dyn Clock>,
        progress: ProgressSink,
    ) -> Result<Self, SandboxError> {
        let cache = Cache::new(environment.cache.join("sandbox"), clock, progress);
        let image = &IMAGES[0];
        let pyflink_recipe = recipe(image);
        let needs = Needs {
            jars: !cache.has(PartName::Yarn, YARN_POM)
                || !cache.has(PartName::GcsConnector, GCS_POM),
            pyflink: !cache.has(image.part, &pyflink_recipe),
        };
        let prerequisites = Prerequisites::find(environment, needs).await?;
        let jars = async {
            // One after the other: two Mavens must not write one local repository at the same time.
            let yarn = cache
                .ensure(PartName::Yarn, YARN_POM, |folder| {
                    fetch_jars(&prerequisites, PartName::Yarn, YARN_POM, folder)
                })
                .await?;
            let gcs = cache
                .ensure(PartName::GcsConnector, GCS_POM, |folder| {
                    fetch_jars(&prerequisites, PartName::GcsConnector, GCS_POM, folder)
                })
                .await?;
            Ok((yarn, gcs))
        };
        let pyflink = cache.ensure(image.part, &pyflink_recipe, |folder| {
            fetch_pyflink(&prerequisites, image, None, folder)
        });
        let ((yarn, gcs), pyflink) = tokio::try_join!(jars, pyflink)?;
        let (python, flink_home) = inside(&pyflink)?;
        Ok(Self {
            yarn_jars: jars_in(&yarn.join("lib"))?,
            gcs_connector: find_one(&gcs.join("lib"), "gcs-connector")?,
            flink: image.flink,
            machine_python: python.clone(),
            python,
            flink_opt: flink_home.join("opt"),
            flink_home,
            prerequisites,
            cache,
        })
    }

    /// The same with the Flink of an image, which is fetched at first use.
    pub(crate) async fn of(&self, image: &Image) -> Result<Self, SandboxError> {
        if image.flink == self.flink {
            return Ok(self.clone());
        }
        // The interpreter that is there already has a wheel of every later PyFlink too.
        let base = Some(self.python.as_path());
        let fetch = |folder| fetch_pyflink(&self.prerequisites, image, base, folder);
        let made = self.cache.ensure(image.part, &recipe(image), fetch).await?;
        let (python, flink_home) = inside(&made)?;
        Ok(Self {
            flink: image.flink,
            machine_python: python.clone(),
            python,
            flink_opt: flink_home.join("opt"),
            flink_home,
            ..self.clone()
        })
    }

    /// The same for machines whose own Python has no PyFlink, made in a folder of the cluster.
    ///
    /// Flink's folder `opt` then has what its distribution has: the archives by which a program without Python functions may
    /// run all the same.
    pub(crate) async fn bare(self, folder: &Path) -> Result<Self, SandboxError> {
        let target = folder.display().to_string();
        let variables = BTreeMap::new();
        let arguments = ["-c", BARE_PYTHON, &target];
        let part = PartName::PyFlink;
        run(part, folder, &self.python, &arguments, &variables).await?;
        Ok(Self {
            machine_python: folder.join("python/bin/python"),
            flink_opt: folder.join("flink-opt"),
            ..self
        })
    }

    /// The folder below which all parts lie.
    pub(crate) fn folder(&self) -> &Path {
        self.cache.folder()
    }

    /// YARN's and MapReduce's jars, as a class path's entry.
    pub(crate) fn hadoop_jars(&self) -> String {
        let jars = self.yarn_jars.first().and_then(|jar| jar.parent());
        format!("{}/*", jars.unwrap_or(Path::new("")).display())
    }

    /// The folder of Pig's jars, fetched at first use.
    pub(crate) async fn pig(&self) -> Result<PathBuf, SandboxError> {
        let fetch = |folder| fetch_jars(&self.prerequisites, PartName::Pig, PIG_POM, folder);
        let folder = self.cache.ensure(PartName::Pig, PIG_POM, fetch).await?;
        Ok(folder.join("lib"))
    }

    /// Spark's home, fetched at first use.
    pub(crate) async fn spark(&self) -> Result<PathBuf, SandboxError> {
        let fetch = |folder| fetch_spark(&self.python, folder);
        let folder = self.cache.ensure(PartName::Spark, SPARK, fetch).await?;
        Ok(folder.join("lib/pyspark"))
    }
}

/// What a PyFlink is made from.
fn recipe(image: &Image) -> String {
    format!("{}{BIND_LOOPBACK}", image.requirements)
}

/// The interpreter and Flink's home in a part that has PyFlink.
fn inside(part: &Path) -> Result<(PathBuf, PathBuf), SandboxError> {
    let venv = part.join("venv");
    let packages = find_one(&venv.join("lib"), "python3.")?;
    let home = packages.join("site-packages/pyflink");
    Ok((venv.join("bin/python"), home))
}

fn jars_in(folder: &Path) -> Result<Vec<PathBuf>, SandboxError> {
    let entries = fs::read_dir(folder).map_err(SandboxError::file("read", folder))?;
    let files = entries.flatten().map(|entry| entry.path());
    let mut jars: Vec<PathBuf> = files
        .filter(|file| file.extension().is_some_and(|end| end == "jar"))
        .collect();
    jars.sort();
    Ok(jars)
}

fn find_one(folder: &Path, start: &str) -> Result<PathBuf, SandboxError> {
    let entries = fs::read_dir(folder).map_err(SandboxError::file("read", folder))?;
    let starts = |name: OsString| name.to_string_lossy().starts_with(start);
    entries
        .flatten()
        .find(|entry| starts(entry.file_name()))
        .map(|entry| entry.path())
        .ok_or_else(|| {
            SandboxError::file("find", folder.join(start))(std::io::ErrorKind::NotFound.into())
        })
}

async fn fetch_jars(
    prerequisites: &Prerequisites,
    part: PartName,
    pom: &'static str,
    folder: PathBuf,
) -> Result<(), SandboxError> {
    let file = folder.join("pom.xml");
    fs::write(&file, pom).map_err(SandboxError::file("write", &file))?;
    let maven = prerequisites.maven.clone().unwrap_or_else(|| "mvn".into());
    let output = format!("-DoutputDirectory={}", folder.join("lib").display());
    let arguments = ["-q", "-B", "dependency:copy-dependencies", &output];
    let java = BTreeMap::from([("JAVA_HOME", prerequisites.java_home.clone())]);
    run(part, &folder, &maven, &arguments, &java).await
}

/// Makes the part by the `base` interpreter, else by the one that was looked for.
async fn fetch_pyflink(
    prerequisites: &Prerequisites,
    image: &Image,
    base: Option<&Path>,
    folder: PathBuf,
) -> Result<(), SandboxError> {
    let part = image.part;
    let write = |name: &str, text: &str| {
        let file = folder.join(name);
        fs::write(&file, text).map_err(SandboxError::file("write", file))
    };
    write("requirements.txt", image.requirements)?;
    write("bind_loopback.py", BIND_LOOPBACK)?;
    // What pip unpacks and builds lies below the part too, so that it goes with it and counts as progress.
    let temporary = folder.join("tmp");
    fs::create_dir(&temporary).map_err(SandboxError::file("create the folder", &temporary))?;
    let variables = BTreeMap::from([("TMPDIR", temporary.clone())]);
    let step = async |program: &Path, arguments: &[&str]| {
        run(part, &folder, program, arguments, &variables).await
    };
    match (base, &prerequisites.interpreter) {
        (Some(python), _) => step(python, &["-m", "venv", "venv"]).await?,
        (None, Some(Interpreter::Uv(uv))) => {
            step(uv, &["venv", "--seed", "--python", "3.11", "venv"]).await?;
        }
        (None, Some(Interpreter::Python(python, _))) => {
            step(python, &["-m", "venv", "venv"]).await?;
        }
        (None, None) => step(Path::new("python3"), &["-m", "venv", "venv"]).await?,
    }
    let python = folder.join("venv/bin/python");
    step(
        &python,
        &[
            "-m",
            "pip",
            "install",
            "--quiet",
            "--requirement",
            "requirements.txt",
        ],
    )
    .await?;
    fs::remove_dir_all(&temporary).map_err(SandboxError::file("remove", &temporary))?;
    let packages = find_one(&folder.join("venv/lib"), "python3.")?;
    let jar = find_one(&packages.join("site-packages/pyflink/opt"), "flink-python")?;
    let jar = jar.display().to_string();
    step(&python, &["bind_loopback.py", &jar]).await
}

/// Spark brings what it needs of Python packages itself, in `python/lib`.
async fn fetch_spark(python: &Path, folder: PathBuf) -> Result<(), SandboxError> {
    let file = folder.join("requirements.txt");
    fs::write(&file, SPARK).map_err(SandboxError::file("write", &file))?;
    let temporary = folder.join("tmp");
    fs::create_dir(&temporary).map_err(SandboxError::file("create the folder", &temporary))?;
    let arguments = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        "lib",
        "--requirement",
        "requirements.txt",
    ];
    let variables = BTreeMap::from([("TMPDIR", temporary.clone())]);
    run(PartName::Spark, &folder, python, &arguments, &variables).await?;
    fs::remove_dir_all(&temporary).map_err(SandboxError::file("remove", &temporary))
}

/// Runs one step of a recipe in its folder; what it says is kept in the part's own log.
async fn run(
    part: PartName,
    folder: &Path,
    program: &Path,
    arguments: &[&str],
    variables: &BTreeMap<&str, PathBuf>,
) -> Result<(), SandboxError> {
    let name = program.display().to_string();
    tracing::info!(
        part = part.as_str(),
        program = name,
        ?arguments,
        "fetching a part"
    );
    let output = Command::new(program)
        .args(arguments)
        .envs(variables)
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| SandboxError::NotStarted {
            program: name.clone(),
            source,
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(SandboxError::PartFailed {
        part: part.as_str(),
        program: name,
        outcome: format!("ended with {}", output.status),
        tail: last_lines(&String::from_utf8_lossy(&said), 15),
    })
}

/// The last lines of a text.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let from = lines.len().saturating_sub(count);
    lines.get(from..).unwrap_or_default().join("\n")
}
