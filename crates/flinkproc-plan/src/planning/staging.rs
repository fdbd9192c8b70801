//! What goes to Cloud Storage: code by its content, inputs below the deployment's home.

use std::collections::BTreeMap;

use flinkproc_core::{BucketName, GcsUri};

use super::python::ChosenPython;
use super::{Draft, address};
use crate::files::{
    LocalFact, below, file_name, in_folder, is_pattern, is_remote, pattern_folder,
    pattern_in_folder,
};
use crate::interpolate::Variables;
use crate::place::At;
use crate::plan::{FileRole, RemoteFile, StagingPlan, UploadPlan};
use crate::plan_error::PlanError;
use crate::request::{DeployRequest, ResolvedJar};

/// The bucket of a sandbox where the spec names none.
const SANDBOX_BUCKET: &str = "flinkproc-sandbox";

/// The deployment's own place in the bucket.
pub(super) fn home(draft: &mut Draft<'_>) -> Result<GcsUri, PlanError> {
    let bucket = match (&draft.spec().staging.bucket, &draft.request.sandbox) {
        (Some(bucket), _) => bucket.clone(),
        (None, Some(_)) => {
            draft.note("staging.bucket", SANDBOX_BUCKET, "sandbox");
            SANDBOX_BUCKET
                .parse::<BucketName>()
                .map_err(|error| PlanError::name(draft.at("staging.bucket"), &error))?
        }
        (None, None) => {
            return Err(PlanError::Missing {
                key: "staging.bucket",
                how: "Name a bucket in `[staging]`, or with `--set staging.bucket=NAME`: the job's files and logs go there.".to_owned(),
            });
        }
    };
    let id = &draft.request.deployment;
    GcsUri::new(bucket, format!("flinkproc/deployments/{id}/"))
        .map_err(|error| PlanError::name(draft.at("staging.bucket"), &error))
}

/// The uploads, and the files that the launcher fetches, as they come together.
#[derive(Debug)]
pub(super) struct Staged<'a> {
    request: &'a DeployRequest,
    home: GcsUri,
    uploads: BTreeMap<GcsUri, UploadPlan>,
    files: BTreeMap<String, String>,
}

/// What a file has to be beside being there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// It may be anything.
    Any,
    /// It must hold something, and be UTF-8.
    Script,
}

impl<'a> Staged<'a> {
    pub(super) const fn new(draft: &Draft<'a>, home: GcsUri) -> Self {
        Self {
            request: draft.request,
            home,
            uploads: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }

    /// Takes a file of the job: a local one is uploaded under its content's hash, one in a bucket is fetched from there.
    pub(super) fn job_file(
        &mut self,
        key: &str,
        path: &str,
        role: FileRole,
        demand: Demand,
    ) -> Result<RemoteFile, PlanError> {
        let name = file_name(path).to_owned();
        let at = || self.request.spec.at(key);
        if name.is_empty() {
            return Err(PlanError::Invalid {
                at: at(),
                value: path.to_owned(),
                problem: "it names a folder, not a file".to_owned(),
            });
        }
        let file = if is_remote(path) {
            RemoteFile {
                from: address(at, path)?,
                name: name.clone(),
                sha256: None,
                role,
            }
        } else {
            let local = in_folder(&self.request.folder, path);
            let seen = look_at(self.request, at(), &local, demand)?;
            let object = format!("flinkproc/{}/{name}", seen.sha256);
            let to = GcsUri::new(self.home.bucket().clone(), object)
                .map_err(|error| PlanError::name(at(), &error))?;
            let sha256 = seen.sha256.clone();
            self.upload(local, to.clone(), seen);
            RemoteFile {
                from: to,
                name: name.clone(),
                sha256: Some(sha256),
                role,
            }
        };
        self.only(&name, path)?;
        Ok(file)
    }

    /// Takes the spec's inputs.
    pub(super) fn add_inputs(&mut self, variables: &Variables) -> Result<(), PlanError> {
        let request = self.request;
        for (index, input) in request.spec.spec.staging.input.iter().enumerate() {
            let key = format!("staging.input[{index}]");
            let at = || request.spec.at(&format!("{key}.from"));
            let from = variables.expand(&format!("{key}.from"), &input.from)?;
            let to = input.to.as_deref().unwrap_or_default();
            let to = variables.expand(&format!("{key}.to"), to)?;
            let folder = match to.trim_matches('/') {
                "" => String::new(),
                folder => format!("{folder}/"),
            };
            if from.is_empty() || is_remote(&from) || folder.split('/').any(|part| part == "..") {
                return Err(PlanError::Invalid {
                    at: at(),
                    value: from,
                    problem:
                        "an input is a local file or pattern, and goes to a folder below `input/`"
                            .to_owned(),
                });
            }
            let path = in_folder(&request.folder, &from);
            if !is_pattern(&from) {
                self.input(at(), &folder, &path, file_name(&path))?;
                continue;
            }
            let pattern = pattern_in_folder(&request.folder, &from);
            let fixed = in_folder(&request.folder, pattern_folder(&from));
            let matches = request.files.matches.get(&pattern);
            let matches = matches.filter(|matches| !matches.is_empty());
            let matches = matches.ok_or_else(|| PlanError::NoMatch {
                at: at(),
                pattern: path,
            })?;
            for local in matches {
                let below = below(&fixed, local);
                self.input(at(), &folder, local, below)?;
            }
        }
        Ok(())
    }

    fn input(&mut self, at: At, folder: &str, local: &str, below: &str) -> Result<(), PlanError> {
        let to = self.home.join(&format!("input/{folder}{below}"));
        let to = to.map_err(|error| PlanError::name(at.clone(), &error))?;
        let seen = look_at(self.request, at, local, Demand::Any)?;
        if let Some(first) = self.uploads.get(&to).filter(|first| first.local != local) {
            return Err(PlanError::SameName {
                name: to.to_string(),
                first: first.local.clone(),
                second: local.to_owned(),
            });
        }
        self.upload(local.to_owned(), to, seen);
        Ok(())
    }

    fn upload(&mut self, local: String, to: GcsUri, seen: Seen) {
        let plan = UploadPlan {
            local,
            to: to.clone(),
            size: seen.size,
            sha256: seen.sha256,
            crc32c: seen.crc32c,
        };
        self.uploads.entry(to).or_insert(plan);
    }

    /// The deployment's own place in the bucket.
    pub(super) const fn home(&self) -> &GcsUri {
        &self.home
    }

    /// Takes a connector's jar.
    pub(super) fn connector(
        &mut self,
        key: &str,
        jar: &ResolvedJar,
    ) -> Result<RemoteFile, PlanError> {
        let at = || self.request.spec.at(key);
        let object = format!("flinkproc/{}/{}", jar.sha256, jar.file_name);
        let to = GcsUri::new(self.home.bucket().clone(), object)
            .map_err(|error| PlanError::name(at(), &error))?;
        let seen = Seen {
            size: jar.size,
            sha256: jar.sha256.clone(),
            crc32c: jar.crc32c,
        };
        self.upload(jar.local.clone(), to.clone(), seen);
        let file = RemoteFile {
            from: to,
            name: jar.file_name.clone(),
            sha256: Some(jar.sha256.clone()),
            role: FileRole::Jar,
        };
        self.only(&file.name, &jar.coordinate)?;
        Ok(file)
    }

    /// All files of a job lie in one folder.
    pub(super) fn only(&mut self, name: &str, path: &str) -> Result<(), PlanError> {
        match self.files.insert(name.to_owned(), path.to_owned()) {
            None => Ok(()),
            Some(first) => Err(PlanError::SameName {
                name: name.to_owned(),
                first,
                second: path.to_owned(),
            }),
        }
    }

    pub(super) fn into_plan(self, python: ChosenPython) -> StagingPlan {
        StagingPlan {
            texts: python.action.into_iter().collect(),
            environment: python.shipped.map(|(environment, _)| environment),
            home: self.home,
            uploads: self.uploads.into_values().collect(),
        }
    }
}

/// What a plan says of a local file's content.
pub(super) struct Seen {
    size: u64,
    sha256: String,
    crc32c: Option<u32>,
}

/// What is known of a local file that is as it has to be.
pub(super) fn look_at(
    request: &DeployRequest,
    at: At,
    local: &str,
    demand: Demand,
) -> Result<Seen, PlanError> {
    let path = local.to_owned();
    match request.files.files.get(local) {
        None | Some(LocalFact::Missing) => Err(PlanError::FileMissing { at, path }),
        Some(LocalFact::Directory) => Err(PlanError::FileIsDirectory { at, path }),
        Some(LocalFact::Unreadable(reason)) => Err(PlanError::FileUnreadable {
            at,
            path,
            reason: reason.clone(),
        }),
        Some(LocalFact::File { size: 0, .. }) if demand == Demand::Script => {
            Err(PlanError::FileEmpty { at, path })
        }
        Some(LocalFact::File { utf8: false, .. }) if demand == Demand::Script => {
            Err(PlanError::FileNotUtf8 { at, path })
        }
        Some(LocalFact::File {
            size,
            sha256,
            crc32c,
            utf8: _,
        }) => Ok(Seen {
            size: *size,
            sha256: sha256.clone(),
            crc32c: *crc32c,
        }),
    }
}
