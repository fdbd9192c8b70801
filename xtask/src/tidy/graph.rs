//! Who may import whom, and which crates stay free of IO.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::cargo;

/// The edges that `docs/architecture.md` allows, crate by crate.
const EDGES: &[(&str, &[&str])] = &[
    ("flinkproc-core", &[]),
    ("flinkproc-flink-cli", &["flinkproc-core"]),
    ("flinkproc-plan", &["flinkproc-core", "flinkproc-flink-cli"]),
    (
        "flinkproc-check",
        &["flinkproc-core", "flinkproc-flink-cli", "flinkproc-plan"],
    ),
    ("flinkproc-dataproc", &["flinkproc-core"]),
    ("flinkproc-env", &["flinkproc-core"]),
    ("flinkproc-staging", &["flinkproc-core"]),
    ("flinkproc-compute", &["flinkproc-core"]),
    ("flinkproc-ssh", &["flinkproc-core"]),
    ("flinkproc-rest", &["flinkproc-core"]),
    (
        "flinkproc-submit",
        &[
            "flinkproc-core",
            "flinkproc-flink-cli",
            "flinkproc-plan",
            "flinkproc-dataproc",
            "flinkproc-staging",
            "flinkproc-ssh",
        ],
    ),
    (
        "flinkproc-patterns",
        &[
            "flinkproc-core",
            "flinkproc-flink-cli",
            "flinkproc-plan",
            "flinkproc-dataproc",
            "flinkproc-staging",
            "flinkproc-compute",
            "flinkproc-ssh",
            "flinkproc-rest",
            "flinkproc-env",
            "flinkproc-submit",
        ],
    ),
    ("gcs-emulator", &[]),
    ("dataproc-emulator", &["gcs-emulator"]),
    (
        "flinkproc-sandbox",
        &["flinkproc-core", "gcs-emulator", "dataproc-emulator"],
    ),
    (
        "flinkproc",
        &[
            "flinkproc-core",
            "flinkproc-flink-cli",
            "flinkproc-plan",
            "flinkproc-dataproc",
            "flinkproc-staging",
            "flinkproc-compute",
            "flinkproc-ssh",
            "flinkproc-rest",
            "flinkproc-env",
            "flinkproc-check",
            "flinkproc-submit",
            "flinkproc-patterns",
            "flinkproc-sandbox",
        ],
    ),
    ("xtask", &[]),
];

/// What the pure crates may be built from.
const PURE: &[(&str, &[&str])] = &[
    (
        "flinkproc-core",
        &["async-trait", "jiff", "schemars", "serde", "thiserror"],
    ),
    ("flinkproc-flink-cli", &["serde", "thiserror"]),
    (
        "flinkproc-check",
        &["serde", "serde_json", "strsim", "thiserror", "toml"],
    ),
    (
        "flinkproc-plan",
        &[
            "base64",
            "schemars",
            "serde",
            "serde_json",
            "sha2",
            "strsim",
            "thiserror",
            "toml",
            "serde-saphyr",
        ],
    ),
];

/// What `cargo metadata` says, as far as the rules need it.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
}

/// One package.
#[derive(Deserialize)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    pub(crate) license: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

impl Metadata {
    pub(crate) fn read() -> Result<Self, String> {
        let text = cargo::output(&[
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--all-features",
        ])?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }
}

pub(crate) fn check(metadata: &Metadata) -> Vec<String> {
    let members = || {
        metadata
            .packages
            .iter()
            .filter(|package| metadata.workspace_members.contains(&package.id))
    };
    let names: BTreeSet<&str> = members().map(|package| package.name.as_str()).collect();
    let edges: BTreeMap<_, _> = EDGES.iter().copied().collect();
    let pure: BTreeMap<_, _> = PURE.iter().copied().collect();
    let mut problems = Vec::new();
    for package in members() {
        let name = package.name.as_str();
        let Some(allowed) = edges.get(name) else {
            problems.push(format!("crate {name} has no row in the crate graph"));
            continue;
        };
        // Development dependencies may cross rooms: contract suites run against the emulators.
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind.is_none())
        {
            let to = dependency.name.as_str();
            if names.contains(to) && !allowed.contains(&to) {
                problems.push(format!(
                    "{name} imports {to}, which docs/architecture.md does not allow"
                ));
            }
            if pure
                .get(name)
                .is_some_and(|pure| !names.contains(to) && !pure.contains(&to))
            {
                problems.push(format!("{name} is pure and must not depend on {to}"));
            }
        }
    }
    problems
}
