//! [`builtin`]: every submission method of this crate, by its name.

use std::sync::Arc;

use flinkproc_plan::JobPlan;
use flinkproc_ssh::RemoteShell;

use crate::dataproc_job::DataprocJobMethod;
use crate::error::SubmitError;
use crate::hadoop::Hadoop;
use crate::method::SubmissionMethod;
use crate::native::{NativeKind, NativeMethod};
use crate::native_job;
use crate::pig::Pig;
use crate::place::DataprocPlace;
use crate::pyspark::PySpark;
use crate::ssh::SshMethod;

/// The names that [`builtin`] knows.
pub const BUILTIN: [&str; 6] = [
    SshMethod::NAME,
    Pig::NAME,
    PySpark::NAME,
    Hadoop::NAME,
    NativeKind::Flink.method(),
    NativeKind::PyFlink.method(),
];

/// Whether a job's method can carry it, as far as that shows before there is a cluster. A method that is not of this crate can.
///
/// # Errors
/// What the method's submission would say of the job.
pub fn check_job(job: &JobPlan) -> Result<(), SubmitError> {
    match NativeKind::of_method(&job.method) {
        Some(kind) => native_job::resource(kind, job, &job.tag).map(drop),
        None => Ok(()),
    }
}

/// Opens a method by its name, on a connection to the master where there is one.
///
/// # Errors
/// [`SubmitError::UnknownMethod`]; [`SubmitError::Refused`] when the method needs a way to the master and there is none.
pub fn builtin(
    name: &str,
    shell: Option<&Arc<dyn RemoteShell>>,
    place: DataprocPlace,
) -> Result<Arc<dyn SubmissionMethod>, SubmitError> {
    Ok(match name {
        SshMethod::NAME => Arc::new(SshMethod::over(shell)?),
        Pig::NAME => Arc::new(DataprocJobMethod::new(Pig, place)),
        PySpark::NAME => Arc::new(DataprocJobMethod::new(PySpark, place)),
        Hadoop::NAME => Arc::new(DataprocJobMethod::new(Hadoop, place)),
        _ => match NativeKind::of_method(name) {
            Some(kind) => Arc::new(NativeMethod::new(kind, place)),
            None => {
                let name = name.to_owned();
                return Err(SubmitError::UnknownMethod { name });
            }
        },
    })
}
