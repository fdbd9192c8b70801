//! Which image runs, and whether it can run this job.

use flinkproc_core::{FlinkVersion, ImageVersion, YarnMode};

use super::cluster_file::ClusterFile;
use super::{ChosenImage, Draft, python};
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
        check_mode(draft, &image)?;
        deprecated(draft, &image);
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
    deprecated(draft, &runs);
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
            match check_mode(draft, &image) {
                Err(error) => draft.warn(format!("on Dataproc this would be refused: {error}")),
                Ok(()) => python::on_dataproc(draft, &image),
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

fn check_mode(draft: &Draft<'_>, image: &ImageVersion) -> Result<(), PlanError> {
    let (mode, flink) = (mode(draft, image), image.flink());
    if flink.supports(mode) {
        return Ok(());
    }
    Err(PlanError::ModeNotInFlink {
        image: image.clone(),
        flink,
        mode,
    })
}

/// Flink says so at every start from 1.15 on.
fn deprecated(draft: &mut Draft<'_>, image: &ImageVersion) {
    let flink = image.flink();
    if mode(draft, image) == YarnMode::PerJob && flink >= FlinkVersion::new(1, 15) {
        draft.warn(format!(
            "per-job mode is deprecated since Flink 1.15 and gone in 2.0 (image {image} has {flink}); `job.mode = \"application\"` runs on both"
        ));
    }
}
