//! Local files that a plan depends on: which ones to look at, and what was seen.
//!
//! This crate reads no file. [`Spec::local_files`] says what to look at, and [`LocalFacts`] brings what was found.

use std::collections::BTreeMap;
use std::path::Path;

use crate::interpolate::Variables;
use crate::spec::Spec;
use crate::spec_error::SpecError;

/// A local file that the spec names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalNeed {
    /// The key that names it, such as `job.script`.
    pub key: String,
    /// The path or pattern, joined to the spec's folder. In a pattern, what is special in the folder's name is in brackets.
    pub path: String,
    /// What has to be found out.
    pub kind: NeedKind,
}

/// What has to be found out about a local file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeedKind {
    /// Its [`LocalFact`].
    File,
    /// Its [`LocalFact`], and its [`ArchiveFact`] where it is a file.
    Archive,
    /// The files (no folders) that match the pattern, and the [`LocalFact`] of each.
    Pattern,
    /// Its text, for [`LocalFacts::texts`]; its [`LocalFact`] where it cannot be read.
    Text,
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalFact {
    /// Nothing.
    Missing,
    /// A folder.
    Directory,
    /// Something that cannot be read, and why.
    Unreadable(String),
    /// A file.
    File {
        /// Its size in bytes.
        size: u64,
        /// SHA-256 of its content, in lower-case hexadecimal.
        sha256: String,
        /// CRC32C of its content, where it was found in the same pass.
        crc32c: Option<u32>,
        /// Whether its content is UTF-8; needed of the main script only.
        utf8: bool,
    },
}

/// What a file is by its first bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveFact {
    /// A zip, also a jar or a wheel.
    Zip {
        /// The files in it, by their paths.
        names: Vec<String>,
    },
    /// Something gzipped.
    Gzip,
    /// A tar.
    Tar,
    /// Nothing of these; what it looks like, such as `a text`.
    Other(String),
}

impl ArchiveFact {
    /// What the first bytes say; none for a zip, whose list is at its end. A tar is known by its first 262 bytes.
    ///
    /// ```
    /// use flinkproc_plan::ArchiveFact;
    ///
    /// assert_eq!(ArchiveFact::of(b"\x1f\x8b\x08"), Some(ArchiveFact::Gzip));
    /// assert_eq!(ArchiveFact::of(b"PK\x03\x04"), None);
    /// assert_eq!(ArchiveFact::of(b"<html>"), Some(ArchiveFact::Other("a web page".to_owned())));
    /// ```
    #[must_use]
    pub fn of(first: &[u8]) -> Option<Self> {
        let is = |what: &str| Some(Self::Other(what.to_owned()));
        if first.starts_with(b"PK\x03\x04") || first.starts_with(b"PK\x05\x06") {
            None
        } else if first.starts_with(b"\x1f\x8b") {
            Some(Self::Gzip)
        } else if first.get(257..262) == Some(b"ustar") {
            Some(Self::Tar)
        } else if first.is_empty() {
            is("an empty file")
        } else if first.starts_with(b"BZh") {
            is("compressed with bzip2")
        } else if first.starts_with(b"\xfd7zXZ") {
            is("compressed with xz")
        } else if first.starts_with(b"7z\xbc\xaf") {
            is("a 7z archive")
        } else if first.starts_with(b"version https://git-lfs") {
            is("a pointer of Git LFS")
        } else if first
            .trim_ascii_start()
            .to_ascii_lowercase()
            .starts_with(b"<!doctype html")
            || first
                .trim_ascii_start()
                .to_ascii_lowercase()
                .starts_with(b"<html")
        {
            is("a web page")
        } else if first
            .iter()
            .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
        {
            is("a text")
        } else {
            is("something else")
        }
    }

    /// What it is, in words.
    pub(crate) fn words(&self) -> &str {
        match self {
            Self::Zip { .. } => "a zip",
            Self::Gzip => "gzipped",
            Self::Tar => "a tar",
            Self::Other(what) => what,
        }
    }
}

/// What was found out about local files, by path as [`LocalNeed::path`] has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalFacts {
    /// What is at each path; a path that is not here counts as missing.
    pub files: BTreeMap<String, LocalFact>,
    /// The paths that match each pattern.
    pub matches: BTreeMap<String, Vec<String>>,
    /// The content of each file that is wanted as text.
    pub texts: BTreeMap<String, String>,
    /// What each archive is; one that is not here is taken for what its name says.
    pub archives: BTreeMap<String, ArchiveFact>,
}

impl Spec {
    /// The local files to look at. Relative paths are taken from `folder`, the spec's own; `given` are the `--param`s.
    ///
    /// # Errors
    /// When a parameter is wrong, or a path uses a name that is not known.
    pub fn local_files(
        &self,
        folder: &str,
        given: &[(String, String)],
    ) -> Result<Vec<LocalNeed>, SpecError> {
        let mut needs = Vec::new();
        let mut need = |key: String, path: &str, kind| {
            if !is_remote(path) {
                let path = in_folder(folder, path);
                needs.push(LocalNeed { key, path, kind });
            }
        };
        if let Some(from) = &self.cluster.from {
            need("cluster.from".to_owned(), from, NeedKind::Text);
        }
        let identity = self.ssh.identity.as_deref();
        if let Some(path) = identity.filter(|text| !matches!(*text, "ephemeral" | "agent")) {
            need("ssh.identity".to_owned(), path, NeedKind::File);
        }
        for (key, path) in self.job_files() {
            let unpacked = key.starts_with("job.archives") || key.starts_with("job.jars");
            let archive = unpacked || (key.starts_with("job.python_files") && is_zip_name(path));
            let kind = if archive {
                NeedKind::Archive
            } else {
                NeedKind::File
            };
            need(key, path, kind);
        }
        for (key, path) in [
            ("job.requirements", &self.job.requirements),
            ("python.requirements", &self.python.requirements),
            ("python.lock", &self.python.lock),
        ] {
            if let Some(path) = path {
                need(key.to_owned(), path, NeedKind::Text);
            }
        }
        let params = Variables::of_params(&self.params, given)?;
        let mut inputs = Vec::new();
        for (index, input) in self.staging.input.iter().enumerate() {
            let key = format!("staging.input[{index}].from");
            let path = params.expand(&key, &input.from)?;
            if is_pattern(&path) && !is_remote(&path) {
                let path = pattern_in_folder(folder, &path);
                let kind = NeedKind::Pattern;
                inputs.push(LocalNeed { key, path, kind });
            } else {
                need(key, &path, NeedKind::File);
            }
        }
        needs.extend(inputs);
        Ok(needs)
    }

    fn job_files(&self) -> Vec<(String, &str)> {
        let job = &self.job;
        let mut files = Vec::new();
        files.extend(
            job.script
                .as_deref()
                .map(|path| ("job.script".to_owned(), path)),
        );
        files.extend(
            job.requirements
                .as_deref()
                .map(|path| ("job.requirements".to_owned(), path)),
        );
        for (key, paths) in [
            ("python_files", &job.python_files),
            ("jars", &job.jars),
            ("archives", &job.archives),
        ] {
            for (index, path) in paths.iter().enumerate() {
                let path = if key == "archives" {
                    archive_parts(path).0
                } else {
                    path.as_str()
                };
                files.push((format!("job.{key}[{index}]"), path));
            }
        }
        files
    }
}

/// Whether a file of this name is a zip, as Python and Java take it.
pub(crate) fn is_zip_name(name: &str) -> bool {
    [".zip", ".whl", ".egg", ".jar"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Whether a path is in a bucket.
pub(crate) fn is_remote(path: &str) -> bool {
    path.starts_with("gs://")
}

/// A path taken from a folder; an absolute one stays.
pub(crate) fn in_folder(folder: &str, path: &str) -> String {
    if folder.is_empty() || folder == "." {
        path.to_owned()
    } else {
        Path::new(folder).join(path).to_string_lossy().into_owned()
    }
}

/// A pattern taken from a folder, whose own name means no pattern.
pub(crate) fn pattern_in_folder(folder: &str, pattern: &str) -> String {
    let mut plain = String::with_capacity(folder.len());
    for c in folder.chars() {
        match c {
            '*' | '?' | '[' | ']' => plain.extend(['[', c, ']']),
            _ => plain.push(c),
        }
    }
    in_folder(&plain, pattern)
}

/// An archive's file and the directory that it is unpacked into, `env.zip#venv`; by default the file's own name, as Flink
/// has it.
pub(crate) fn archive_parts(text: &str) -> (&str, &str) {
    text.rsplit_once('#')
        .unwrap_or_else(|| (text, file_name(text)))
}

/// What follows the last slash.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a path is a pattern.
#[must_use]
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// The folder that a pattern's matches lie below: what stands before its first part with a wildcard. It is empty, or ends with a
/// slash.
///
/// ```
/// assert_eq!(flinkproc_plan::pattern_folder("docs/2026/**/*.md"), "docs/2026/");
/// assert_eq!(flinkproc_plan::pattern_folder("*.md"), "");
/// ```
#[must_use]
pub fn pattern_folder(pattern: &str) -> &str {
    let wild = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    let before = pattern.get(..wild).unwrap_or_default();
    let end = before.rfind('/').map_or(0, |at| at + 1);
    before.get(..end).unwrap_or_default()
}

/// A match's path below the pattern's folder. Whoever expands a pattern may drop or add a `./` in front.
pub(crate) fn below<'a>(folder: &str, path: &'a str) -> &'a str {
    let folder = folder.strip_prefix("./").unwrap_or(folder);
    let plain = path.strip_prefix("./").unwrap_or(path);
    plain
        .strip_prefix(folder)
        .unwrap_or_else(|| file_name(path))
}

#[cfg(test)]
mod tests {
    use super::{NeedKind, below};
    use crate::layers::Layers;

    #[test]
    fn every_local_file_is_listed_and_nothing_of_a_bucket() {
        let text = "\
[params]
day = '1'
[job]
script = 'a.py'
python_files = ['gs://bucket/b.py', '/abs/c.py']
archives = ['env.zip#venv']
[cluster]
from = 'cluster.yaml'
[ssh]
identity = 'keys/id'
[[staging.input]]
from = 'data/${params.day}/*.csv'
[[staging.input]]
from = 'd.csv'
";
        let layers = Layers {
            name: "flinkproc.toml",
            text,
            ..Layers::default()
        };
        let spec = layers.resolve().expect("valid").spec;
        let given = [("day".to_owned(), "2".to_owned())];
        let needs = spec.local_files("my [old] jobs", &given).expect("valid");
        let needs = needs.iter().map(|need| {
            let kind = match need.kind {
                NeedKind::File => "file",
                NeedKind::Archive => "archive",
                NeedKind::Pattern => "pattern",
                NeedKind::Text => "text",
            };
            format!("{} {kind} {}", need.key, need.path)
        });
        insta::assert_snapshot!(needs.collect::<Vec<_>>().join("\n"), @"
        cluster.from text my [old] jobs/cluster.yaml
        ssh.identity file my [old] jobs/keys/id
        job.script file my [old] jobs/a.py
        job.python_files[1] file /abs/c.py
        job.archives[0] archive my [old] jobs/env.zip
        staging.input[1].from file my [old] jobs/d.csv
        staging.input[0].from pattern my [[]old[]] jobs/data/2/*.csv
        ");
    }

    #[test]
    fn a_match_keeps_its_path_below_the_pattern() {
        for (folder, path) in [
            ("data/", "data/x/a"),
            ("./data/", "data/x/a"),
            ("data/", "./data/x/a"),
            ("", "x/a"),
            ("../d/", "../d/x/a"),
        ] {
            assert_eq!(below(folder, path), "x/a", "{folder} {path}");
        }
        assert_eq!(below("other/", "data/x/a"), "a");
    }
}
