//! Which image runs, and whether it can run this job.

use flinkproc_core::{ImageVersion, YarnMode};

use super::cluster_file::ClusterFile;
use super::{ChosenImage, Draft};
use crate::plan_error::PlanError;

/// Dataproc's own default image since 2024-09, pinned here so that it never changes under a job.
const DEFAULT_IMAGE: &str = "2.2";

/// Takes the image from the spec, the cluster file or the built-in table, and the sandbox's in its place.
pub(super) fn choose(draft: &mut Draft<'_>, file: &ClusterFile) -> Result<ChosenImage, PlanError> {
    let written = draft.spec().cluster.image.clone();
    let written = match written {
        None => file.image()?,
        some => some,
    };
    let default = || -> Result<ImageVersion, PlanError> {
        DEFAULT_IMAGE.parse().map_err(|_| PlanError::Missing {
            key: "cluster.image",
            how: "Name the image, such as `2.2`.".to_owned(),
        })
    };
    if draft.spec().cluster.existing.is_some()
        && written.is_none()
        && draft.request.sandbox.is_none()
    {
        return Err(PlanError::Missing {
            key: "cluster.image",
            how: "Say which image the existing cluster runs: it decides Flink's version."
                .to_owned(),
        });
    }
    let Some(sandbox) = &draft.request.sandbox else {
        let image = match written {
            Some(image) => image,
            None => draft.or_built_in("cluster.image", None, default()?),
        };
        if image.is_sandbox() {
            return Err(PlanError::WrongImage {
                image,
                problem: "is of the local sandbox, and this deployment goes to Google Cloud",
            });
        }
        let mode = check_mode(draft, &image)?;
        check_python(draft, &image)?;
        debug_assert_eq!(mode, YarnMode::PerJob);
        return Ok(ChosenImage {
            runs: image,
            requested: None,
        });
    };
    let base = match &written {
        Some(image) => image.clone(),
        None => default()?,
    };
    let runs = sandbox
        .image
        .clone()
        .unwrap_or_else(|| base.nearest_sandbox());
    if !runs.is_sandbox() {
        return Err(PlanError::WrongImage {
            image: runs,
            problem: "is none of the sandbox's",
        });
    }
    check_mode(draft, &runs)?;
    let requested = match written {
        None => {
            draft.note("cluster.image", &runs, "sandbox");
            None
        }
        Some(image) if image == runs => None,
        Some(image) => {
            draft.warn(format!(
                "the sandbox has no image {image} (Flink {}): {runs} (Flink {}) stands in for it",
                image.flink(),
                runs.flink()
            ));
            let on_dataproc = check_mode(draft, &image)
                .map(|_| ())
                .and_then(|()| check_python(&mut Draft::new(draft.request), &image));
            if let Err(error) = on_dataproc {
                draft.warn(format!("on Dataproc this would be refused: {error}"));
            }
            Some(image)
        }
    };
    Ok(ChosenImage { runs, requested })
}

/// The mode that a job gets on this image.
pub(super) fn mode(draft: &Draft<'_>, image: &ImageVersion) -> YarnMode {
    draft
        .spec()
        .job
        .mode
        .and_then(crate::spec::ModeSpec::named)
        .unwrap_or_else(|| image.flink().default_mode())
}

fn check_mode(draft: &Draft<'_>, image: &ImageVersion) -> Result<YarnMode, PlanError> {
    let (mode, flink) = (mode(draft, image), image.flink());
    if !flink.supports(mode) {
        return Err(PlanError::ModeNotInFlink {
            image: image.clone(),
            flink,
            mode,
        });
    }
    match mode {
        YarnMode::PerJob => Ok(mode),
        YarnMode::Session | YarnMode::Application => Err(PlanError::ModeNotYet {
            image: image.clone(),
            flink,
            mode,
        }),
    }
}

/// Python functions need the wheel, and the wheel needs a Python that it was built for.
fn check_python(draft: &mut Draft<'_>, image: &ImageVersion) -> Result<(), PlanError> {
    if image.python_fits() {
        return Ok(());
    }
    let (lowest, highest) = image.flink().python_wheels();
    if draft.spec().job.python_functions == Some(false) {
        draft.warn(format!(
            "PyFlink {} exists for Python {lowest} to {highest} and image {image} has {}: without Python functions the job may run, by the Python files of Flink's own distribution; whether Dataproc's image keeps them is not confirmed",
            image.flink(),
            image.python()
        ));
        return Ok(());
    }
    Err(PlanError::PythonNotOnImage {
        image: image.clone(),
        python: image.python(),
        flink: image.flink(),
        lowest,
        highest,
    })
}
