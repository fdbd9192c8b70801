//! What every [`EnvironmentBuilder`] must do, as a suite that any implementation can run.

use std::path::Path;

use flinkproc_core::contract::{Broken, hold, must};
use flinkproc_core::{FlinkVersion, PythonVersion};
use sha2::{Digest as _, Sha256};

use crate::builder::{EnvironmentBuilder, provide};
use crate::error::EnvError;
use crate::lock;
use crate::request::{EnvironmentRequest, hex};

/// What the suite asks for: a Python and a Flink that the builder can make an environment of.
#[derive(Clone, Debug)]
pub struct Wish {
    /// A Python that the builder has.
    pub python: PythonVersion,
    /// A Flink whose `apache-flink` the builder's index has for that Python.
    pub flink: FlinkVersion,
    /// The index, when it is not the tools' own.
    pub index_url: Option<String>,
}

impl Wish {
    /// Python 3.10 and Flink 1.17.0.
    #[must_use]
    pub fn example() -> Self {
        Self {
            python: PythonVersion::new(10),
            flink: FlinkVersion::new(1, 17),
            index_url: None,
        }
    }

    /// The plain request.
    #[must_use]
    pub fn request(&self) -> EnvironmentRequest {
        EnvironmentRequest {
            python: self.python,
            flink: self.flink,
            platform: format!("{}-linux-gnu.2.99", std::env::consts::ARCH),
            requirements: String::new(),
            lock: None,
            index_url: self.index_url.clone(),
        }
    }
}

/// Runs the whole suite with archives in `folder`, which is empty and the caller's to remove.
///
/// The builder's index must not have the package `flinkproc-no-such-package`.
///
/// # Errors
/// The first clause that is broken.
pub async fn check(
    builder: &dyn EnvironmentBuilder,
    wish: &Wish,
    folder: &Path,
) -> Result<(), Broken> {
    refuses(builder, wish).await?;
    let request = wish.request();
    must("it can do what it is said to", builder.can(&request).await)?;
    let locked = must("it locks", builder.lock(&request).await)?;
    let again = must("it locks again", builder.lock(&request).await)?;
    hold(
        "the same wish is the same lock",
        locked == again,
        &(&locked, &again),
    )?;
    let pins = must("a lock can be read", lock::read(&locked.text))?;
    let pyflink = pins
        .iter()
        .any(|pin| pin.name == "apache-flink" && pin.version == wish.flink.to_string());
    hold("the lock holds the cluster's PyFlink", pyflink, &locked)?;
    let java = pins.iter().any(|pin| pin.name == lock::JAVA_PART);
    hold("the lock leaves out the Java part", !java, &locked)?;
    let given = EnvironmentRequest {
        lock: Some(locked.text.clone()),
        ..request.clone()
    };
    let taken = must("it takes a lock", builder.lock(&given).await)?;
    hold(
        "a lock that was given is taken as it is",
        taken == locked,
        &taken,
    )?;

    let first = must("it builds", provide(builder, folder, &request).await)?;
    let archive = &first.archive;
    hold("what was not there is built", first.built, archive)?;
    let name = format!("{}.tar.gz", locked.sha256);
    hold(
        "the archive is named by its lock",
        archive.path == folder.join(name),
        archive,
    )?;
    let bytes = must("the archive is there", tokio::fs::read(&archive.path).await)?;
    hold(
        "the size is the file's",
        bytes.len() as u64 == archive.size,
        archive,
    )?;
    hold(
        "the hash is the file's",
        hex(&Sha256::digest(&bytes)) == archive.sha256,
        archive,
    )?;
    let kept = must("it is found", provide(builder, folder, &request).await)?;
    hold("what is there is not built again", !kept.built, &kept)?;
    hold("and is the same", kept.archive == first.archive, &kept)?;
    let again = must(
        "it builds again",
        builder.build(&request, &locked, folder).await,
    )?;
    hold(
        "the same lock gives the same bytes",
        again.sha256 == archive.sha256,
        &again,
    )
}

async fn refuses(builder: &dyn EnvironmentBuilder, wish: &Wish) -> Result<(), Broken> {
    let mut request = wish.request();
    request.python = PythonVersion::new(99);
    let answer = builder.can(&request).await;
    hold("it has no Python 3.99", answer.is_err(), &answer)?;
    let mut request = wish.request();
    request.platform = "pdp11-unix".to_owned();
    let answer = builder.can(&request).await;
    hold("it builds for no unknown machine", answer.is_err(), &answer)?;
    let mut request = wish.request();
    request.requirements = "flinkproc-no-such-package==1.0\n".to_owned();
    let answer = builder.lock(&request).await;
    let named = matches!(&answer, Err(EnvError::Unresolvable { requirement, .. })
        if requirement.contains("flinkproc-no-such-package"));
    hold(
        "it names the requirement that has no solution",
        named,
        &answer,
    )?;
    let mut request = wish.request();
    request.requirements = "-e .\n".to_owned();
    let answer = builder.lock(&request).await;
    let told = matches!(answer, Err(EnvError::InvalidRequirement { line: 1, .. }));
    hold("it refuses what belongs to this machine", told, &answer)?;
    let mut request = wish.request();
    request.lock = Some("apache-flink\n".to_owned());
    let answer = builder.lock(&request).await;
    let told = matches!(answer, Err(EnvError::InvalidLock { line: 1, .. }));
    hold(
        "it refuses a lock that leaves something open",
        told,
        &answer,
    )
}
