//! The submission methods: what each needs, and how they compare.

use serde::Serialize;

mod comparison;

pub use comparison::{Comparison, ComparisonRow, Measured, Measurements, comparison};

/// What a plan has to know of a submission method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MethodFacts {
    /// Its name in specs and on the command line.
    pub name: &'static str,
    /// Whether somebody must be able to enter the master.
    pub needs_ssh: bool,
    /// Whether our launcher runs the job, with all that it promises: start at most once, the true exit status, every byte of
    /// the output, arguments byte for byte.
    pub uses_launcher: bool,
    /// Whether the job is one of Dataproc's own, in its list of jobs.
    pub dataproc_job: bool,
    /// Optional components that it needs where the image does not bring them.
    pub components: &'static [&'static str],
    /// Whether it has to be allowed by `job.experimental`.
    pub experimental: bool,
    /// What it is, in a sentence.
    pub what: &'static str,
}

/// The methods that flinkproc brings, the default first.
pub const ALL: [MethodFacts; 5] = [
    MethodFacts {
        name: "ssh",
        needs_ssh: true,
        uses_launcher: true,
        dataproc_job: false,
        components: &[],
        experimental: false,
        what: "The launcher is started over an SSH connection, which may then break.",
    },
    MethodFacts {
        name: "pig",
        needs_ssh: false,
        uses_launcher: true,
        dataproc_job: true,
        components: &["PIG"],
        experimental: false,
        what: "A Dataproc Pig job of two lines copies the launcher to the master and runs it.",
    },
    MethodFacts {
        name: "pyspark",
        needs_ssh: false,
        uses_launcher: true,
        dataproc_job: true,
        components: &[],
        experimental: false,
        what: "A Dataproc PySpark job whose program starts no Spark and runs the launcher.",
    },
    MethodFacts {
        name: "hadoop",
        needs_ssh: false,
        uses_launcher: true,
        dataproc_job: true,
        components: &[],
        experimental: false,
        what: "A Dataproc Hadoop job whose small Java program runs the launcher.",
    },
    MethodFacts {
        name: "native",
        needs_ssh: false,
        uses_launcher: false,
        dataproc_job: true,
        components: &[],
        experimental: true,
        what: "A Dataproc Flink job: the service runs `flink` itself, without the launcher.",
    },
];

/// The facts of the method of this name, if flinkproc brings it.
///
/// `native-pyflink` is `native` by the job type of gcloud's hidden `jobs submit pyflink`.
///
/// ```
/// let pig = flinkproc_plan::methods::find("pig").expect("one of ours");
/// assert!(!pig.needs_ssh);
/// assert_eq!(pig.components, ["PIG"]);
/// ```
#[must_use]
pub fn find(name: &str) -> Option<&'static MethodFacts> {
    let name = if name == "native-pyflink" {
        "native"
    } else {
        name
    };
    ALL.iter().find(|facts| facts.name == name)
}
