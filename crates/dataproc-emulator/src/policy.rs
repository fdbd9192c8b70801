//! The resource `AutoscalingPolicy`: what of a request is refused, what is filled in, and what the autoscaler reads of it.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::failure::ApiFailure;
use crate::resource::checked_labels;
use crate::schema::{canonical, duration_millis};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// One policy.
#[derive(Clone, Debug)]
pub(crate) struct PolicyRecord {
    /// As the API answers it, but for its name, which depends on how it is asked for.
    pub(crate) resource: Map<String, Value>,
    pub(crate) spec: PolicySpec,
    /// Its IAM policy, as it was last set.
    pub(crate) iam: Value,
}

/// What a policy says about scaling.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PolicySpec {
    pub(crate) cooldown: Duration,
    pub(crate) graceful: Duration,
    /// Fractions of what is wanted and of what is too much; 0 to 1.
    pub(crate) up: f64,
    pub(crate) down: f64,
    /// The least changes, as fractions of the cluster; 0 to 1.
    pub(crate) up_least: f64,
    pub(crate) down_least: f64,
    pub(crate) workers: GroupBounds,
    pub(crate) secondary: GroupBounds,
}

/// How many machines a group may have, and its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupBounds {
    pub(crate) least: u32,
    pub(crate) most: u32,
    pub(crate) weight: Option<u32>,
}

fn refuse(field: &str, message: impl Into<String>) -> ApiFailure {
    ApiFailure::invalid_field(&format!("policy.{field}"), message)
}

/// Checks a policy as it came in a request and fills in the documented defaults.
pub(crate) fn accept(body: &Value) -> Result<(String, PolicyRecord), ApiFailure> {
    let mut resource = canonical("AutoscalingPolicy", body, "policy")?;
    resource.remove("name");
    let id = checked_id(&resource)?;
    let labels = checked_labels(&resource)?;
    if !labels.is_empty() {
        resource.insert("labels".to_owned(), json!(labels));
    }
    let algorithm = resource.get_mut("basicAlgorithm");
    let Some(algorithm) = algorithm.and_then(Value::as_object_mut) else {
        return Err(refuse(
            "basic_algorithm",
            "Autoscaling algorithm is required",
        ));
    };
    if algorithm.contains_key("sparkStandaloneConfig") {
        return Err(ApiFailure::not_emulated("autoscaling of Spark standalone"));
    }
    let cooldown = span(
        algorithm,
        "cooldownPeriod",
        "basic_algorithm.cooldown_period",
    )?;
    let cooldown = cooldown.unwrap_or(2 * MINUTE);
    if !(2 * MINUTE..=DAY).contains(&cooldown) {
        return Err(refuse(
            "basic_algorithm.cooldown_period",
            "Cooldown period must be between 2 minutes and 1 day",
        ));
    }
    algorithm
        .entry("cooldownPeriod")
        .or_insert_with(|| json!("120s"));
    let yarn = algorithm.get("yarnConfig").and_then(Value::as_object);
    let Some(yarn) = yarn else {
        return Err(refuse(
            "basic_algorithm.yarn_config",
            "YARN autoscaling configuration is required",
        ));
    };
    let graceful_field = "basic_algorithm.yarn_config.graceful_decommission_timeout";
    let graceful = span(yarn, "gracefulDecommissionTimeout", graceful_field)?;
    let Some(graceful) = graceful.filter(|span| *span <= DAY) else {
        return Err(refuse(
            graceful_field,
            "Graceful decommission timeout is required and must be between 0 seconds and 1 day",
        ));
    };
    let fraction = |key: &str| {
        let value = yarn.get(key).and_then(Value::as_f64).unwrap_or(0.0);
        let field = crate::schema::snake(key);
        match (0.0..=1.0).contains(&value) {
            true => Ok(value),
            false => Err(refuse(
                &format!("basic_algorithm.yarn_config.{field}"),
                format!("Invalid value {value} of {field}: must be between 0.0 and 1.0"),
            )),
        }
    };
    let (up, down) = (fraction("scaleUpFactor")?, fraction("scaleDownFactor")?);
    let up_least = fraction("scaleUpMinWorkerFraction")?;
    let down_least = fraction("scaleDownMinWorkerFraction")?;
    let workers = bounds(&mut resource, "workerConfig", 2)?;
    let Some(workers) = workers else {
        return Err(refuse("worker_config", "Worker config is required"));
    };
    let secondary = bounds(&mut resource, "secondaryWorkerConfig", 0)?;
    let none = GroupBounds {
        least: 0,
        most: 0,
        weight: Some(0),
    };
    let spec = PolicySpec {
        cooldown,
        graceful,
        up,
        down,
        up_least,
        down_least,
        workers,
        secondary: secondary.unwrap_or(none),
    };
    let record = PolicyRecord {
        resource,
        spec,
        iam: json!({"etag": "ACAB"}),
    };
    Ok((id, record))
}

fn checked_id(resource: &Map<String, Value>) -> Result<String, ApiFailure> {
    let id = resource.get("id").and_then(Value::as_str);
    let id = id.unwrap_or_default();
    match is_id(id) {
        true => Ok(id.to_owned()),
        false => Err(refuse(
            "id",
            format!(
                "Invalid policy id '{id}': 3 to 50 letters, numbers, underscores and hyphens, not beginning or ending with an underscore or a hyphen"
            ),
        )),
    }
}

/// Whether a policy, or a template, may be called so.
pub(crate) fn is_id(id: &str) -> bool {
    let outer = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let bytes = id.as_bytes();
    (3..=50).contains(&id.len())
        && id.bytes().all(inner)
        && outer(bytes.first())
        && outer(bytes.last())
}

fn span(
    object: &Map<String, Value>,
    key: &str,
    field: &str,
) -> Result<Option<Duration>, ApiFailure> {
    let Some(text) = object.get(key).and_then(Value::as_str) else {
        return Ok(None);
    };
    let millis = duration_millis(text).and_then(|millis| u64::try_from(millis).ok());
    match millis {
        Some(millis) => Ok(Some(Duration::from_millis(millis))),
        None => Err(refuse(field, format!("Invalid duration '{text}'"))),
    }
}

/// Reads the bounds of a group and writes the defaults into it.
fn bounds(
    resource: &mut Map<String, Value>,
    group: &str,
    least_of_all: u32,
) -> Result<Option<GroupBounds>, ApiFailure> {
    let field = crate::schema::snake(group);
    let Some(config) = resource.get_mut(group).and_then(Value::as_object_mut) else {
        return Ok(None);
    };
    let number = |key: &str| match config.get(key).and_then(Value::as_i64) {
        None => Ok(None),
        Some(number) => match u32::try_from(number) {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(refuse(
                &format!("{field}.{}", crate::schema::snake(key)),
                format!("Invalid value {number}: must not be negative"),
            )),
        },
    };
    let least = number("minInstances")?.filter(|least| *least > 0);
    let least = least.unwrap_or(least_of_all);
    let most = number("maxInstances")?.unwrap_or(0);
    let weight = number("weight")?;
    if least < least_of_all {
        return Err(refuse(
            &format!("{field}.min_instances"),
            format!("Invalid value {least}: must be at least {least_of_all}"),
        ));
    }
    if most < least {
        return Err(refuse(
            &format!("{field}.max_instances"),
            format!("Invalid value {most}: must be at least the minimum of {least}"),
        ));
    }
    if least_of_all > 0 {
        config.insert("minInstances".to_owned(), json!(least));
    }
    Ok(Some(GroupBounds {
        least,
        most,
        weight,
    }))
}

/// The id in a cluster's `policyUri`, which names project and region too, as the service demands.
pub(crate) fn id_of_uri<'a>(
    uri: &'a str,
    project: &str,
    region: &str,
) -> Result<&'a str, ApiFailure> {
    let refuse = |message: String| {
        ApiFailure::invalid_field("cluster.config.autoscaling_config.policy_uri", message)
    };
    let name = match uri.find("projects/") {
        Some(at) if at == 0 || uri.starts_with("https://") || uri.starts_with("//") => {
            uri.get(at..).unwrap_or_default()
        }
        _ => uri,
    };
    let parts: Vec<&str> = name.split('/').collect();
    match parts.as_slice() {
        [
            "projects",
            of,
            "regions" | "locations",
            at,
            "autoscalingPolicies",
            id,
        ] => {
            if (*of, *at) == (project, region) {
                return Ok(id);
            }
            Err(refuse(format!(
                "Autoscaling policy '{uri}' must be in the project '{project}' and the region '{region}' of its cluster"
            )))
        }
        _ => Err(refuse(format!(
            "Invalid autoscaling policy '{uri}': must be projects/PROJECT/regions/REGION/autoscalingPolicies/ID"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::{GroupBounds, accept, id_of_uri, is_id};

    fn policy(change: impl FnOnce(&mut Value)) -> Value {
        let mut policy = json!({
            "id": "abc",
            "workerConfig": {"maxInstances": 10},
            "basicAlgorithm": {"yarnConfig": {
                "gracefulDecommissionTimeout": "0s", "scaleUpFactor": 0.5, "scaleDownFactor": 1,
            }},
        });
        change(&mut policy);
        policy
    }

    #[test]
    fn defaults_are_filled_in() {
        let (id, record) = accept(&policy(|_| {})).unwrap();
        assert_eq!(id, "abc");
        assert_eq!(record.resource["basicAlgorithm"]["cooldownPeriod"], "120s");
        assert_eq!(record.resource["workerConfig"]["minInstances"], 2);
        assert_eq!(record.spec.cooldown, Duration::from_secs(120));
        let bounds = GroupBounds {
            least: 2,
            most: 10,
            weight: None,
        };
        assert_eq!(record.spec.workers, bounds);
        assert_eq!((record.spec.up, record.spec.down), (0.5, 1.0));
        assert_eq!(record.spec.secondary.most, 0);
    }

    #[test]
    fn wrong_policies_are_refused_by_field() {
        let check = |change: fn(&mut Value), part: &str| {
            let message = accept(&policy(change)).unwrap_err().message;
            assert!(message.contains(part), "{message}");
        };
        check(|p| p["id"] = json!("-ab"), "Invalid policy id");
        check(
            |p| p["basicAlgorithm"]["cooldownPeriod"] = json!("119s"),
            "2 minutes and 1 day",
        );
        check(
            |p| p["basicAlgorithm"]["cooldownPeriod"] = json!("86401s"),
            "2 minutes and 1 day",
        );
        check(
            |p| p["basicAlgorithm"]["yarnConfig"]["scaleUpFactor"] = json!(1.1),
            "scale_up_factor",
        );
        check(
            |p| p["basicAlgorithm"]["yarnConfig"]["scaleDownMinWorkerFraction"] = json!(-0.1),
            "scale_down_min",
        );
        check(
            |p| p["basicAlgorithm"]["yarnConfig"] = json!({}),
            "Graceful decommission",
        );
        check(
            |p| p["basicAlgorithm"] = Value::Null,
            "algorithm is required",
        );
        check(
            |p| p["basicAlgorithm"] = json!({}),
            "YARN autoscaling configuration",
        );
        check(
            |p| p["workerConfig"] = Value::Null,
            "Worker config is required",
        );
        check(
            |p| p["workerConfig"]["maxInstances"] = json!(1),
            "at least the minimum",
        );
        check(
            |p| p["workerConfig"]["minInstances"] = json!(1),
            "at least 2",
        );
        check(
            |p| p["secondaryWorkerConfig"] = json!({"minInstances": 3, "maxInstances": 2}),
            "minimum of 3",
        );
        check(
            |p| p["secondaryWorkerConfig"] = json!({"weight": -1}),
            "not be negative",
        );
        check(|p| p["other"] = json!(1), "Unknown name \"other\"");
    }

    #[test]
    fn policies_are_named_in_full_and_at_home() {
        let check = |uri: &str, expected: Option<&str>| {
            assert_eq!(id_of_uri(uri, "p", "us-east1").ok(), expected, "{uri}");
        };
        check(
            "projects/p/regions/us-east1/autoscalingPolicies/abc",
            Some("abc"),
        );
        check(
            "projects/p/locations/us-east1/autoscalingPolicies/abc",
            Some("abc"),
        );
        check(
            "https://www.googleapis.com/compute/v1/projects/p/locations/us-east1/autoscalingPolicies/abc",
            Some("abc"),
        );
        check("projects/q/regions/us-east1/autoscalingPolicies/abc", None);
        check("projects/p/regions/us-east4/autoscalingPolicies/abc", None);
        check("abc", None);
        assert!(is_id("a-b_c") && !is_id("ab") && !is_id("ab_") && !is_id(&"a".repeat(51)));
    }
}
