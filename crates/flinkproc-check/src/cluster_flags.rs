//! gcloud's flags of `clusters create` → keys of the spec.

use crate::draft::{Draft, Value};
use crate::gcloud::{self, Asked};

/// Whether a value follows the flag.
pub(crate) fn takes_value(flag: &str) -> bool {
    let words = ["gcloud", "dataproc", "clusters", "create"].map(str::to_owned);
    match gcloud::command(&words) {
        Asked::Command(create, _) => create.flag(flag).unwrap_or_default(),
        _ => false,
    }
}

fn list(text: &str) -> Value {
    Value::List(
        text.split(',')
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect(),
    )
}

/// A span as the spec writes it: one number and one unit.
fn span(text: &str) -> Option<String> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match unit {
        "s" | "m" | "h" | "d" if number => Some(text.to_owned()),
        unit if text.bytes().all(|byte| byte.is_ascii_digit()) && !unit.is_empty() => {
            Some(format!("{text}s"))
        }
        _ => None,
    }
}

/// gcloud's `GB` are 1024³ bytes.
fn size(text: &str) -> String {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text
        .get(digits.len()..)
        .unwrap_or_default()
        .to_ascii_uppercase();
    match unit.as_str() {
        "MB" | "M" | "MIB" => format!("{digits}MiB"),
        "TB" | "T" | "TIB" => format!("{digits}TiB"),
        _ => format!("{digits}GiB"),
    }
}

/// Takes a flag over; `false` where the spec has no key for it, or its value is filled in by the shell.
pub(crate) fn apply(draft: &mut Draft, flag: &str, value: Option<&str>) -> bool {
    let Some(value) = value else {
        match flag {
            "--single-node" => draft.set("cluster", "workers", Value::Number(0)),
            "--no-address" => draft.set("cluster", "internal_ip_only", Value::Flag(true)),
            "--enable-component-gateway" | "--public-ip-address" | "--quiet" | "--async" => {}
            _ => return false,
        }
        return true;
    };
    if value.contains('$') {
        // Where it runs is found out from gcloud's own configuration.
        return matches!(flag, "--region" | "--zone" | "--project");
    }
    if value.ends_with("POLICY_ID") {
        draft.comment(
            "cluster",
            "autoscaling_policy = \"…\"   # a policy says how many workers there may be",
        );
        return true;
    }
    let number = || value.parse().ok().map(Value::Number);
    let (section, key, value) = match flag {
        "--region" => ("cluster", "region", Some(value.into())),
        "--zone" => ("cluster", "zone", Some(value.into())),
        "--project" => ("cluster", "project", Some(value.into())),
        "--image-version" => ("cluster", "image", Some(value.into())),
        "--num-workers" => ("cluster", "workers.count", number()),
        "--worker-machine-type" => ("cluster", "workers.machine_type", Some(value.into())),
        "--worker-boot-disk-size" => (
            "cluster",
            "workers.boot_disk_size",
            Some(size(value).into()),
        ),
        "--worker-boot-disk-type" => ("cluster", "workers.boot_disk_type", Some(value.into())),
        "--num-worker-local-ssds" => ("cluster", "workers.local_ssds", number()),
        "--master-machine-type" => ("cluster", "master.machine_type", Some(value.into())),
        "--master-boot-disk-size" => ("cluster", "master.boot_disk_size", Some(size(value).into())),
        "--master-boot-disk-type" => ("cluster", "master.boot_disk_type", Some(value.into())),
        "--num-secondary-workers" => ("cluster", "secondary_workers.count", number()),
        "--secondary-worker-type" => (
            "cluster",
            "secondary_workers.preemptibility",
            Some(value.into()),
        ),
        "--delete-max-idle" | "--max-idle" => ("cluster", "max_idle", span(value).map(Value::Text)),
        "--delete-max-age" | "--max-age" => ("cluster", "max_age", span(value).map(Value::Text)),
        "--network" => ("cluster", "network", Some(value.into())),
        "--subnet" => ("cluster", "subnetwork", Some(value.into())),
        "--tags" => ("cluster", "network_tags", Some(list(value))),
        "--service-account" => ("cluster", "service_account", Some(value.into())),
        "--scopes" => ("cluster", "scopes", Some(list(value))),
        "--autoscaling-policy" => ("cluster", "autoscaling_policy", Some(value.into())),
        "--bucket" => ("cluster", "config_bucket", Some(value.into())),
        "--temp-bucket" => ("cluster", "temp_bucket", Some(value.into())),
        "--gce-pd-kms-key" => ("cluster", "encryption_key", Some(value.into())),
        "--optional-components" => {
            let others: Vec<String> = value
                .split(',')
                .filter(|name| !name.eq_ignore_ascii_case("FLINK"))
                .map(str::to_owned)
                .collect();
            if !others.is_empty() {
                draft.set("cluster", "components", Value::List(others));
            }
            return true;
        }
        "--initialization-actions" => {
            let actions: Vec<String> = value
                .split(',')
                .map(|script| format!("{{ script = {} }}", crate::draft::quoted(script)))
                .collect();
            (
                "cluster",
                "initialization_actions",
                Some(Value::Raw(format!("[{}]", actions.join(", ")))),
            )
        }
        "--labels" | "--properties" | "--metadata" => {
            let section = match flag {
                "--labels" => "cluster.labels",
                "--properties" => "cluster.properties",
                _ => "cluster.metadata",
            };
            // `^;^a=b;c=d` chooses another separator.
            let (separator, pairs) = match value
                .strip_prefix('^')
                .and_then(|rest| rest.split_once('^'))
            {
                Some((separator, pairs)) if !separator.is_empty() => (separator, pairs),
                _ => (",", value),
            };
            for (key, value) in pairs
                .split(separator)
                .filter_map(|pair| pair.split_once('='))
            {
                draft.set(section, key, value);
            }
            return true;
        }
        _ => return false,
    };
    match value {
        Some(value) => {
            draft.set(section, key, value);
            true
        }
        None => false,
    }
}
