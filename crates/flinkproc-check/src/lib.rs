//! What is wrong with the Flink and gcloud commands that people have, and what to write instead.
//!
//! Scripts, pages, Pig scripts and Python programs are read for their commands ([`script::check`]); each is judged by what the
//! program of that version would really do with it, and comes back with its line, a stable code and the right command.
//! A script becomes a spec ([`mod@from_script`]), so does a running cluster ([`mod@from_cluster`]), and [`mod@migrate`] says what another
//! image changes for a deployment.
//!
//! It reads no file, starts nothing, expands no variable, and quotes nothing for a shell: right commands are words.
//!
//! ```
//! use flinkproc_check::{Language, Source, check};
//!
//! let source = Source::new("run.sh", "flink run -t yarn-per-job -py-files lib.zip -py etl.py\n");
//! let report = check(&source, Language::Shell, Some("1.17".parse()?));
//! let misread = report.all().into_iter().find(|finding| finding.code == "CHK002").unwrap();
//! assert_eq!((misread.place.line, misread.place.column), (1, 27));
//! assert_eq!(
//!     report.commands[0].instead[0].join(" "),
//!     "flink run -t yarn-per-job -pyfs lib.zip -py etl.py",
//! );
//! # Ok::<(), flinkproc_core::image::UnknownVersion>(())
//! ```
//!
//! In reading order: [`source`] (a text and its places), [`shell`] and [`pages`] (text → commands), [`gcloud`] (which flags
//! there are), [`script`] (commands → findings), [`finding`], [`mod@render`] (for people), [`mod@from_script`], [`mod@from_cluster`]
//! and [`mod@migrate`].

mod cluster_flags;
mod draft;
pub mod finding;
pub mod from_cluster;
pub mod from_script;
pub mod gcloud;
pub mod migrate;
pub mod pages;
pub mod render;
pub mod script;
pub mod shell;
pub mod source;

pub use draft::Converted;
pub use finding::{Checked, Finding, Rule};
pub use flinkproc_flink_cli::diagnosis::Severity;
pub use from_cluster::from_cluster;
pub use from_script::from_script;
pub use migrate::{Change, Deployment, migrate};
pub use pages::Language;
pub use render::render;
pub use script::{Report, check, check_line};
pub use source::{Place, Source, blotted_words};
