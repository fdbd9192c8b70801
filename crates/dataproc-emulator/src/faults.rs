//! Failures on demand: rules that make chosen calls go wrong, for the tests of those who call.
//!
//! What a rule is and which calls it strikes is [`gcs_emulator::faults`]; here are the effects. As JSON:
//! `{"method": "GET", "path": "/v1/projects/*/operations/*", "nth": 2, "effect": {"answer": {"status": 503}}}`. Rules come
//! through [`Emulator::faults`](crate::Emulator::faults), by the file of `--faults` (a JSON list), or by
//! `POST /emulator/v1/faults`. They do not reach the calls below `/emulator/v1`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use gcs_emulator::strike::suffer;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::failure::ApiFailure;
use crate::runtime::RuntimeError;
use crate::service::{ClusterKey, Service};

/// Which calls go wrong, and how.
///
/// ```
/// use dataproc_emulator::{FaultEffect, FaultRule};
///
/// let rule = FaultRule::on("POST", "/v1/projects/*/regions/*/clusters", FaultEffect::AnswerLost);
/// assert_eq!(rule.nth, 1);
/// let text = r#"{"method": "POST", "path": "*/clusters", "effect": {"stockout": {}}}"#;
/// let rule: FaultRule = serde_json::from_str(text)?;
/// # Ok::<(), serde_json::Error>(())
/// ```
pub type FaultRule = gcs_emulator::FaultRule<FaultEffect>;

/// The rules in force. Handles share them.
pub type Faults = gcs_emulator::Faults<FaultEffect>;

/// What happens to a call, or to the cluster that it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum FaultEffect {
    /// It is answered so, without any effect.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body; JSON is labelled as JSON, everything else as HTML, as a proxy's error page is.
        #[serde(default)]
        body: String,
    },
    /// It is carried out after so many milliseconds of real time.
    Delay {
        /// How long.
        millis: u64,
    },
    /// The connection is cut before any effect.
    Reset,
    /// It takes effect; half of its answer's body comes, then the connection is cut.
    HalfAnswer,
    /// It takes effect, and the connection is cut instead of an answer.
    AnswerLost,
    /// What the call begins (making, changing or starting a cluster) ends without machines: the zone has none left.
    Stockout {
        /// What was missing.
        #[serde(default = "machines")]
        detail: String,
    },
    /// The call is refused, because the project may not have so much.
    Quota {
        /// The quota, such as `CPUS`.
        #[serde(default = "cpus")]
        metric: String,
        /// What was asked for.
        #[serde(default)]
        requested: u64,
        /// What is left.
        #[serde(default)]
        available: u64,
    },
    /// What a `POST` or `PATCH` begins fails; before any other call its cluster enters the state `ERROR`.
    ErrorCluster {
        /// The words for the cluster's status.
        detail: String,
    },
    /// Somebody else begins to delete the cluster just before the call.
    Deleting {
        /// The cluster's name, when the path does not have it.
        #[serde(default)]
        cluster: Option<String>,
    },
    /// Compute Engine takes this secondary worker away just before the call.
    Preempt {
        /// The machine's name, such as `my-cluster-sw-0`.
        machine: String,
    },
}

fn machines() -> String {
    "the machines of the cluster".to_owned()
}

fn cpus() -> String {
    "CPUS".to_owned()
}

tokio::task_local! {
    /// How the work that a call begins is to fail.
    static WORK_FAILS: RuntimeError;
}

/// How the work that the present call begins is to fail, when a rule says so.
pub(crate) fn of_this_call() -> Option<RuntimeError> {
    WORK_FAILS.try_with(Clone::clone).ok()
}

/// The layer that lets the rules strike.
pub(crate) async fn layer(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let faults = &service.faults;
    let Some(effect) = faults.strike(request.method().as_str(), request.uri().path()) else {
        return next.run(request).await;
    };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    tracing::debug!(%method, path, ?effect, "a fault rule strikes");
    let over_http = match effect {
        FaultEffect::Reset => gcs_emulator::FaultEffect::Reset,
        FaultEffect::AnswerLost => gcs_emulator::FaultEffect::AnswerLost,
        FaultEffect::Answer { status, body } => gcs_emulator::FaultEffect::Answer { status, body },
        FaultEffect::Delay { millis } => gcs_emulator::FaultEffect::Delay { millis },
        FaultEffect::HalfAnswer => gcs_emulator::FaultEffect::HalfAnswer,
        FaultEffect::Quota {
            metric,
            requested,
            available,
        } => return quota(&metric, requested, available).into_response(),
        FaultEffect::Stockout { detail } => {
            let error = RuntimeError::Stockout { detail };
            return WORK_FAILS.scope(error, next.run(request)).await;
        }
        FaultEffect::ErrorCluster { detail } if matches!(method, Method::POST | Method::PATCH) => {
            let error = RuntimeError::Failed { detail };
            return WORK_FAILS.scope(error, next.run(request)).await;
        }
        FaultEffect::ErrorCluster { detail } => {
            if let Some(key) = cluster_of(&path, None) {
                service.fail_cluster(&key, &detail);
            }
            return next.run(request).await;
        }
        FaultEffect::Deleting { cluster } => {
            if let Some(key) = cluster_of(&path, cluster.as_deref())
                && let Err(failure) = service.delete(&key, "", "")
            {
                tracing::debug!(cluster = key.name, message = failure.message, "not deleted");
            }
            return next.run(request).await;
        }
        FaultEffect::Preempt { machine } => {
            if let Err(failure) = service.preempt(&machine).await {
                tracing::warn!(machine, message = failure.message, "not preempted");
            }
            return next.run(request).await;
        }
    };
    suffer(over_http, request, |request| next.run(request)).await
}

/// The cluster that a call is about; `name` where the path has only project and region.
fn cluster_of(path: &str, name: Option<&str>) -> Option<ClusterKey> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let &[_, "projects", project, "regions", region, ref rest @ ..] = parts.as_slice() else {
        return None;
    };
    let of_path = match rest {
        ["clusters", name] => name.split(':').next(),
        _ => None,
    };
    Some(ClusterKey::new(project, region, name.or(of_path)?))
}

/// As the service words it; seen in users' reports.
fn quota(metric: &str, requested: u64, available: u64) -> ApiFailure {
    let message =
        format!("Insufficient '{metric}' quota. Requested {requested}.0, available {available}.0.");
    ApiFailure::invalid(&message).with_detail(json!({
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"subject": metric, "description": message}],
    }))
}

#[cfg(test)]
mod tests {
    use super::{FaultEffect, FaultRule, cluster_of};

    #[test]
    fn effects_are_read_by_their_names() {
        let check = |effect: &str, expected: Option<FaultEffect>| {
            let text = format!(r#"{{"path": "*", "effect": {effect}}}"#);
            let rule = serde_json::from_str::<FaultRule>(&text).ok();
            assert_eq!(rule.map(|rule| rule.effect), expected, "{effect}");
        };
        check(r#""half-answer""#, Some(FaultEffect::HalfAnswer));
        check(
            r#"{"answer": {"status": 503}}"#,
            Some(FaultEffect::Answer {
                status: 503,
                body: String::new(),
            }),
        );
        check(
            r#"{"preempt": {"machine": "c-sw-0"}}"#,
            Some(FaultEffect::Preempt {
                machine: "c-sw-0".to_owned(),
            }),
        );
        check(
            r#"{"deleting": {}}"#,
            Some(FaultEffect::Deleting { cluster: None }),
        );
        check(r#"{"deleting": {"name": "c"}}"#, None);
        check(r#"{"preempt": {}}"#, None);
        check(r#""explode""#, None);
    }

    #[test]
    fn a_path_names_its_cluster() {
        let check = |path: &str, name: Option<&str>, expected: Option<&str>| {
            let key = cluster_of(path, name).map(|key| key.name);
            assert_eq!(key.as_deref(), expected, "{path}");
        };
        check("/v1/projects/p/regions/r/clusters/c", None, Some("c"));
        check("/v1/projects/p/regions/r/clusters/c:stop", None, Some("c"));
        check("/v1/projects/p/regions/r/jobs/j", None, None);
        check("/v1/projects/p/regions/r/jobs/j", Some("c"), Some("c"));
        check("/compute/v1/projects/p/zones/z/instances/i", None, None);
    }
}
