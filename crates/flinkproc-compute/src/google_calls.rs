//! How calls of Google's clients are retried, and how their failures are sorted.

use std::time::Duration;

use flinkproc_core::{MachineRef, causes, messages};
use google_cloud_gax::error::Error;
use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::retry_policy::RetryPolicy;
use google_cloud_gax::retry_result::RetryResult;
use google_cloud_gax::retry_state::RetryState;

use crate::error::GateError;

/// Repeats what passes by itself: 429, 5xx, dropped connections and timeouts.
///
/// Everything that this crate sends may be repeated: reads, and writes that carry the fingerprint of what they replace.
/// All attempts together last no longer than this.
#[derive(Clone, Debug)]
pub(crate) struct Patient(pub(crate) Duration);

impl RetryPolicy for Patient {
    fn on_error(&self, state: &RetryState, error: Error) -> RetryResult {
        if !passes(&error) {
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

/// Whether a failure tells of the way or of the moment and not of the request.
fn passes(error: &Error) -> bool {
    match error.http_status_code() {
        Some(code) => code == 429 || (code >= 500 && code != 501),
        None => {
            error.is_transient_and_before_rpc()
                || error.is_connect()
                || error.is_io()
                || error.is_timeout()
                || error
                    .status()
                    .is_some_and(|status| status.code == Code::Unavailable)
        }
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
pub(crate) fn sort(machine: &MachineRef, changes: bool, error: &Error) -> GateError {
    let error = innermost(error);
    let machine = machine.clone();
    let googles = error.status().map(|status| status.message.clone());
    let own = googles.is_some();
    let message = googles
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| words(error));
    if error.is_transient_and_before_rpc() || error.is_connect() {
        return GateError::Unavailable { machine, message };
    }
    if error.is_authentication() {
        return GateError::Unauthenticated { machine, message };
    }
    match error.http_status_code() {
        Some(401) => GateError::Unauthenticated { machine, message },
        Some(403) => GateError::Denied { machine, message },
        // Only Google's own form of it says that the machine is absent; a proxy's says nothing of the machine.
        Some(404) if own => GateError::NotFound { machine },
        Some(409 | 412) if own => GateError::Contended { machine },
        Some(400 | 413) if own => GateError::Invalid { machine, message },
        Some(501) => GateError::Invalid { machine, message },
        Some(429 | 503) => GateError::Unavailable { machine, message },
        Some(500..) if !changes => GateError::Unavailable { machine, message },
        Some(500..) => GateError::OutcomeUnknown { machine, message },
        Some(_) => GateError::Unreadable { machine, message },
        None if error.is_io() || error.is_timeout() || error.is_transport() => match changes {
            true => GateError::OutcomeUnknown { machine, message },
            false => GateError::Unavailable { machine, message },
        },
        None if error.is_binding() || error.is_serialization() => {
            GateError::Invalid { machine, message }
        }
        None => GateError::Unreadable { machine, message },
    }
}
