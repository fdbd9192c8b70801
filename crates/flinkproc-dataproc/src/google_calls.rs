//! How calls of Google's clients are retried, and how their failures are sorted.

use std::time::Duration;

use flinkproc_core::{causes, messages};
use google_cloud_gax::error::Error;
use google_cloud_gax::retry_policy::RetryPolicy;
use google_cloud_gax::retry_result::RetryResult;
use google_cloud_gax::retry_state::RetryState;

use crate::error::{ApiError, Subject};

/// Repeats what passes by itself: a refusal for lack of room always, anything that leaves the outcome open only where the call is
/// safe to repeat. All attempts together last no longer than this.
#[derive(Clone, Debug)]
pub(crate) struct Patient(pub(crate) Duration);

impl RetryPolicy for Patient {
    fn on_error(&self, state: &RetryState, error: Error) -> RetryResult {
        let passes = match sort(Subject::List(String::new()), true, &error) {
            ApiError::Unavailable { .. } => true,
            ApiError::OutcomeUnknown { .. } => state.idempotent,
            _ => false,
        };
        if !passes {
            RetryResult::Permanent(error)
        } else if self
            .remaining_time(state)
            .is_some_and(|left| left.is_zero())
        {
            RetryResult::Exhausted(error)
        } else {
            RetryResult::Continue(error)
        }
    }

    fn remaining_time(&self, state: &RetryState) -> Option<Duration> {
        Some(self.0.saturating_sub(state.start.elapsed()))
    }
}

/// The failure inside a retry loop's own one.
fn innermost(error: &Error) -> &Error {
    let inner = causes(error).filter_map(|cause| cause.downcast_ref());
    inner.last().unwrap_or(error)
}

/// An error's text with those of its causes, each once.
fn words(error: &Error) -> String {
    messages(error).join(": ")
}

/// Sorts a failed call by what the caller can do.
///
/// `changes` says that the call was meant to change something, so that a lost answer leaves its outcome open.
pub(crate) fn sort(subject: Subject, changes: bool, error: &Error) -> ApiError {
    let error = innermost(error);
    let lost = |subject, message| match changes {
        true => ApiError::OutcomeUnknown { subject, message },
        false => ApiError::Unavailable { subject, message },
    };
    if error.is_transient_and_before_rpc() || error.is_connect() {
        let message = words(error);
        return ApiError::Unavailable { subject, message };
    }
    if error.is_authentication() {
        let message = words(error);
        return ApiError::Unauthenticated { subject, message };
    }
    let http = error.http_status_code();
    if let Some(status) = error.status() {
        let sorted = ApiError::from_status(subject, status.code as i32, status.message.clone());
        return match (sorted, http) {
            (ApiError::Failed { subject, message }, Some(500..)) => lost(subject, message),
            // HTTP knows two refusals that the service's own code does not tell apart from others.
            (ApiError::Failed { subject, message }, Some(429)) => {
                ApiError::Unavailable { subject, message }
            }
            (ApiError::OutcomeUnknown { subject, message }, _) => lost(subject, message),
            (sorted, _) => sorted,
        };
    }
    let message = words(error);
    match http {
        // Not in Google's form, so a proxy or a wrong endpoint speaks: its "not found" says nothing of the cluster.
        Some(429 | 503) => ApiError::Unavailable { subject, message },
        Some(501) => ApiError::Invalid { subject, message },
        Some(500..) => lost(subject, message),
        Some(401) => ApiError::Unauthenticated { subject, message },
        Some(403) => ApiError::Denied { subject, message },
        Some(_) => ApiError::Unreadable { subject, message },
        None if error.is_io() || error.is_timeout() || error.is_transport() => {
            lost(subject, message)
        }
        None if error.is_binding() || error.is_serialization() => {
            ApiError::Invalid { subject, message }
        }
        None => ApiError::Unreadable { subject, message },
    }
}
