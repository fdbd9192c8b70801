//! The bounds of a cluster's lifecycle: how soon and how late it may be told to end by itself.

use jiff::Timestamp;
use serde_json::Value;

use crate::failure::ApiFailure;
use crate::schema::duration_millis;

/// Checks the bounds of the lifecycle: idle 5 minutes to 14 days, age 10 minutes to 14 days.
pub(crate) fn check_lifetime(lifecycle: Option<&Value>, now: Timestamp) -> Result<(), ApiFailure> {
    const MINUTE: i64 = 60_000;
    const MOST: i64 = 14 * 24 * 60 * MINUTE;
    let bounds = [
        ("idleDeleteTtl", "idle_delete_ttl", 5, "5 minutes"),
        ("idleStopTtl", "idle_stop_ttl", 5, "5 minutes"),
        ("autoDeleteTtl", "auto_delete_ttl", 10, "10 minutes"),
        ("autoStopTtl", "auto_stop_ttl", 10, "10 minutes"),
    ];
    for (key, field, least, least_text) in bounds {
        let asked = lifecycle.and_then(|l| l.get(key)).and_then(Value::as_str);
        let fits = asked
            .and_then(duration_millis)
            .is_none_or(|millis| (least * MINUTE..=MOST).contains(&millis));
        if !fits {
            return Err(ApiFailure::invalid_field(
                &format!("cluster.config.lifecycle_config.{field}"),
                format!(
                    "Invalid value '{}' of {field}: must be between {least_text} and 14 days",
                    asked.unwrap_or_default()
                ),
            ));
        }
    }
    for (key, field) in [
        ("autoDeleteTime", "auto_delete_time"),
        ("autoStopTime", "auto_stop_time"),
    ] {
        let asked = lifecycle.and_then(|l| l.get(key)).and_then(Value::as_str);
        let time = asked.and_then(|text| text.parse::<Timestamp>().ok());
        let left = time.map(|time| time.as_millisecond().saturating_sub(now.as_millisecond()));
        if left.is_some_and(|left| !(10 * MINUTE..=MOST).contains(&left)) {
            return Err(ApiFailure::invalid_field(
                &format!("cluster.config.lifecycle_config.{field}"),
                format!(
                    "Invalid value '{}' of {field}: must be from 10 minutes to 14 days in the future",
                    asked.unwrap_or_default()
                ),
            ));
        }
    }
    let both =
        |a: &str, b: &str| lifecycle.is_some_and(|l| l.get(a).is_some() && l.get(b).is_some());
    if both("autoDeleteTtl", "autoDeleteTime") || both("autoStopTtl", "autoStopTime") {
        return Err(ApiFailure::invalid_field(
            "cluster.config.lifecycle_config",
            "oneof field 'ttl' is already set. Cannot set both a time and a duration",
        ));
    }
    Ok(())
}
