//! Everything that this program says: problems and progress on standard error, results on standard output.

pub(crate) mod problem;
pub(crate) mod progress;
pub(crate) mod stdio;
pub(crate) mod summary;

pub(crate) use problem::Problem;
pub(crate) use stdio::Stdio;
