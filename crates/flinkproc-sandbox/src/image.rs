//! The sandbox's images: which there are, and which one stands for an image of Dataproc's.

use flinkproc_core::{FlinkVersion, ImageVersion};

use crate::progress::PartName;

/// The image of a cluster that names none.
pub const DEFAULT_IMAGE: &str = "sandbox-1.20";

/// What one of the sandbox's images is made of.
#[derive(Debug)]
pub(crate) struct Image {
    /// Its name, as a cluster's body has it.
    pub(crate) name: &'static str,
    /// The Flink on it.
    pub(crate) flink: FlinkVersion,
    /// The part that holds this Flink.
    pub(crate) part: PartName,
    /// What pip makes that part from.
    pub(crate) requirements: &'static str,
    /// Whether Pig is part of it, as up to image 2.2, or comes with the optional component `PIG` only.
    pub(crate) has_pig: bool,
}

/// Oldest first; the first one's part is fetched before a sandbox starts, the others' by the first cluster that asks.
pub(crate) const IMAGES: [Image; 2] = [
    Image {
        name: DEFAULT_IMAGE,
        flink: FlinkVersion::new(1, 20),
        part: PartName::PyFlink,
        requirements: include_str!("../recipes/pyflink-1.20-requirements.txt"),
        has_pig: true,
    },
    Image {
        name: "sandbox-2.2",
        flink: FlinkVersion::new(2, 2),
        part: PartName::PyFlink22,
        requirements: include_str!("../recipes/pyflink-2.2-requirements.txt"),
        has_pig: false,
    },
];

impl Image {
    /// The image that a cluster gets that asks for this one: itself, or the one with the same major version of Flink.
    pub(crate) fn for_asked(asked: &str) -> &'static Self {
        let asked: Option<ImageVersion> = asked.parse().ok();
        let nearest = asked.map(|image| image.nearest_sandbox());
        let is_it = |image: &&Self| {
            nearest
                .as_ref()
                .is_some_and(|near| near.line() == image.name)
        };
        IMAGES.iter().find(is_it).unwrap_or(&IMAGES[0])
    }
}

#[cfg(test)]
mod tests {
    use flinkproc_core::ImageVersion;

    use super::{IMAGES, Image};

    #[test]
    fn each_image_of_dataprocs_has_a_stand_in() {
        let check = |asked: &str, expected: &str| {
            assert_eq!(Image::for_asked(asked).name, expected, "{asked}");
        };
        check("2.2-debian12", "sandbox-1.20");
        check("2.1.5-ubuntu20", "sandbox-1.20");
        check("3.0-debian12", "sandbox-2.2");
        check("sandbox-1.20", "sandbox-1.20");
        check("sandbox-2.2", "sandbox-2.2");
        check("another", "sandbox-1.20");
    }

    #[test]
    fn the_table_of_images_has_the_same() {
        let known: Vec<_> = ImageVersion::known()
            .filter(ImageVersion::is_sandbox)
            .collect();
        let ours: Vec<_> = IMAGES
            .iter()
            .map(|image| (image.name, image.flink.minor()))
            .collect();
        let theirs: Vec<_> = known
            .iter()
            .map(|image| (image.line(), image.flink().minor()))
            .collect();
        assert_eq!(ours, theirs);
        for (image, known) in IMAGES.iter().zip(known) {
            let line = format!("apache-flink=={}\n", known.flink());
            assert_eq!(image.requirements, line, "{}", image.name);
            assert_eq!(image.has_pig, !known.installs_components_at_create());
        }
    }
}
