//! Machines as Compute Engine knows them: numbers, addresses, metadata, and whose keys may enter.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::failure::{ApiFailure, Code};
use crate::runtime::{ClusterFacts, Machine, MetadataKey};

/// One machine.
#[derive(Clone, Debug)]
pub(crate) struct MachineRecord {
    pub(crate) name: String,
    pub(crate) id: u64,
    pub(crate) address: IpAddr,
    pub(crate) host_keys: Vec<String>,
    pub(crate) metadata: Metadata,
    /// The keys that the runtime was last given.
    pub(crate) admitted: Vec<MetadataKey>,
}

impl MachineRecord {
    /// A machine that has just been made; its metadata is the cluster's.
    pub(crate) fn new(machine: Machine, cluster: &ClusterFacts) -> Self {
        let mut items: Vec<(String, String)> = vec![
            ("dataproc-cluster-name".to_owned(), cluster.name.clone()),
            ("dataproc-cluster-uuid".to_owned(), cluster.uuid.clone()),
            ("dataproc-region".to_owned(), cluster.region.clone()),
        ];
        items.extend(dataproc_items(&machine.name, cluster));
        items.extend(cluster.metadata.clone());
        Self {
            id: number(&format!("{}/{}", cluster.uuid, machine.name)),
            name: machine.name,
            address: machine.address,
            host_keys: machine.host_keys,
            metadata: Metadata(items),
            admitted: Vec::new(),
        }
    }

    /// Whether the machine publishes guest attributes.
    pub(crate) fn publishes(&self, project: &Metadata) -> bool {
        self.is_on(project, "enable-guest-attributes")
    }

    /// Whether an entry of the metadata is on; the machine's own goes before the project's.
    fn is_on(&self, project: &Metadata, key: &str) -> bool {
        is_true(self.metadata.get(key).or_else(|| project.get(key)))
    }

    /// The keys that may enter at `now`.
    ///
    /// With OS Login those are `logins` alone, and none where it asks for more than a key. Without, they are those of the
    /// metadata, the project's too unless they are blocked.
    pub(crate) fn keys(
        &self,
        project: &Metadata,
        logins: &[MetadataKey],
        now: Timestamp,
    ) -> Vec<MetadataKey> {
        if self.is_on(project, "enable-oslogin") {
            let more = [
                "enable-oslogin-2fa",
                "enable-oslogin-sk",
                "enable-oslogin-certificates",
            ];
            return match more.iter().any(|key| self.is_on(project, key)) {
                true => Vec::new(),
                false => logins.to_vec(),
            };
        }
        let own = self.metadata.get("ssh-keys").unwrap_or_default();
        let shared = match is_true(self.metadata.get("block-project-ssh-keys")) {
            true => "",
            false => project.get("ssh-keys").unwrap_or_default(),
        };
        own.lines()
            .chain(shared.lines())
            .filter_map(|line| valid_key(line, now))
            .collect()
    }

    /// The next time at which one of its keys expires.
    pub(crate) fn next_expiry(&self, project: &Metadata, now: Timestamp) -> Option<Timestamp> {
        let keys = self.keys(project, &[], now);
        keys.iter().filter_map(|key| expiry(&key.key)?.ok()).min()
    }
}

/// What Dataproc tells its machines, besides the names of the cluster.
fn dataproc_items(machine: &str, cluster: &ClusterFacts) -> Vec<(String, String)> {
    let masters = cluster.master_names();
    let role = match masters.iter().any(|master| master == machine) {
        true => "Master",
        false => "Worker",
    };
    let (first, others) = masters
        .split_first()
        .map_or(("", String::new()), |(first, rest)| {
            (first.as_str(), rest.join(","))
        });
    let config = &cluster.resource["config"];
    let bucket = |key: &str| config[key].as_str().unwrap_or_default().to_owned();
    let items = [
        ("dataproc-role", role.to_owned()),
        ("dataproc-master", first.to_owned()),
        ("dataproc-master-additional", others),
        ("dataproc-worker-count", cluster.workers.to_string()),
        ("dataproc-bucket", bucket("configBucket")),
        ("dataproc-temp-bucket", bucket("tempBucket")),
    ];
    let told = items.into_iter().filter(|(_, value)| !value.is_empty());
    told.map(|(key, value)| (key.to_owned(), value)).collect()
}

fn is_true(value: Option<&str>) -> bool {
    value.is_some_and(|v| v.eq_ignore_ascii_case("true") || v == "1" || v.eq_ignore_ascii_case("y"))
}

/// A line `USER:KEY`, unless it is empty, malformed or expired.
fn valid_key(line: &str, now: Timestamp) -> Option<MetadataKey> {
    let (user, key) = line.trim().split_once(':')?;
    if user.is_empty() || key.split_whitespace().count() < 2 {
        return None;
    }
    let alive = match expiry(key) {
        None => true,
        Some(Ok(until)) => until > now,
        Some(Err(())) => false,
    };
    alive.then(|| MetadataKey {
        user: user.to_owned(),
        key: key.to_owned(),
    })
}

/// The time in `… google-ssh {"userName":"…","expireOn":"2026-01-31T12:00:00+0000"}`; `None` where no such comment is.
fn expiry(key: &str) -> Option<Result<Timestamp, ()>> {
    let (_, comment) = key.split_once(" google-ssh ")?;
    let comment: Value = serde_json::from_str(comment.trim()).unwrap_or_default();
    let text = comment["expireOn"].as_str().unwrap_or_default();
    let parsed = Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", text).or_else(|_| text.parse());
    Some(parsed.map_err(|_| ()))
}

/// Key and value pairs of an instance or a project, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata(Vec<(String, String)>);

impl Metadata {
    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().find(|(own, _)| own == key);
        found.map(|(_, value)| value.as_str())
    }

    /// Keys and values as an object.
    pub(crate) fn values(&self) -> Value {
        let entry = |(key, value): &(String, String)| (key.clone(), json!(value));
        self.0.iter().map(entry).collect::<Map<_, _>>().into()
    }

    /// Eight bytes in base64 that change with the content.
    pub(crate) fn fingerprint(&self) -> String {
        let mut text = String::new();
        for (key, value) in &self.0 {
            text.push_str(&format!("{}:{key}{}:{value}", key.len(), value.len()));
        }
        URL_SAFE.encode(number(&text).to_be_bytes())
    }

    /// As Compute Engine answers it.
    pub(crate) fn json(&self) -> Value {
        let item = |(key, value): &(String, String)| json!({"key": key, "value": value});
        let items: Vec<Value> = self.0.iter().map(item).collect();
        let mut metadata = json!({"kind": "compute#metadata", "fingerprint": self.fingerprint()});
        if !items.is_empty() {
            metadata["items"] = json!(items);
        }
        metadata
    }

    /// Replaces everything by what a request brings, if the request has seen the present content.
    pub(crate) fn replace(&mut self, request: &Map<String, Value>) -> Result<(), ApiFailure> {
        let invalid = |message: String| ApiFailure::invalid(message).of_compute("invalid");
        let fingerprint = request.get("fingerprint").and_then(Value::as_str);
        if fingerprint.is_some_and(|seen| !seen.is_empty() && seen != self.fingerprint()) {
            let message = "Supplied fingerprint does not match current metadata fingerprint.";
            return Err(
                ApiFailure::new(Code::FailedPrecondition, message).of_compute("conditionNotMet")
            );
        }
        let mut items: Vec<(String, String)> = Vec::new();
        let given = request.get("items").and_then(Value::as_array);
        for item in given.into_iter().flatten() {
            let Some(key) = item["key"].as_str().filter(|key| is_key(key)) else {
                return Err(invalid(format!(
                    "Invalid value for field 'metadata.items.key': '{}'. Must be a match of regex '[a-zA-Z0-9-_]{{1,128}}'",
                    item["key"].as_str().unwrap_or_default()
                )));
            };
            if items.iter().any(|(own, _)| own == key) {
                return Err(invalid(format!("Metadata has duplicate key: {key}")));
            }
            let value = item["value"].as_str().unwrap_or_default();
            items.push((key.to_owned(), value.to_owned()));
        }
        self.0 = items;
        Ok(())
    }
}

fn is_key(key: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=128).contains(&key.len()) && key.bytes().all(inner)
}

/// A number that is always the same for the same text (FNV-1a), positive as a signed one.
pub(crate) fn number(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| {
        (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    hash >> 1
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use jiff::Timestamp;
    use serde_json::json;

    use super::{MachineRecord, Metadata};
    use crate::runtime::{ClusterFacts, Machine, MetadataKey};

    fn metadata(items: &[(&str, &str)]) -> Metadata {
        let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        Metadata(items.iter().map(own).collect())
    }

    fn users(own: &[(&str, &str)], project: &[(&str, &str)]) -> Vec<String> {
        let machine = Machine {
            name: "c-m".to_owned(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            host_keys: Vec::new(),
        };
        let mut record = MachineRecord::new(machine, &ClusterFacts::new("p", "r", "c", "u"));
        record.metadata = metadata(own);
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let login = MetadataKey {
            user: "me_example_com".to_owned(),
            key: "ssh-ed25519 CCCC".to_owned(),
        };
        let keys = record.keys(&metadata(project), &[login], now);
        keys.into_iter().map(|key| key.user).collect()
    }

    #[test]
    fn expired_blocked_and_malformed_keys_stay_outside() {
        let line = |user: &str, until: &str| {
            format!(
                "{user}:ssh-ed25519 AAAA google-ssh {{\"userName\":\"{user}\",\"expireOn\":\"{until}\"}}"
            )
        };
        let own = [
            line("young", "2026-01-01T00:00:01+0000"),
            line("old", "2025-12-31T23:59:59+0000"),
            line("broken", "soon"),
            "nonsense".to_owned(),
            "plain:ssh-ed25519 AAAA plain@host".to_owned(),
        ]
        .join("\n");
        let project = [("ssh-keys", "shared:ssh-rsa BBBB x")];
        let own = ("ssh-keys", own.as_str());
        assert_eq!(users(&[own], &project), ["young", "plain", "shared"]);
        let blocked = ("block-project-ssh-keys", "TRUE");
        assert_eq!(users(&[own, blocked], &project), ["young", "plain"]);
        let os_login = ("enable-oslogin", "TRUE");
        assert_eq!(users(&[own, os_login], &project), ["me_example_com"]);
        let second_factor = ("enable-oslogin-2fa", "TRUE");
        assert!(users(&[own, os_login, second_factor], &project).is_empty());
        let all = [("enable-oslogin", "TRUE"), project[0]];
        assert_eq!(users(&[own], &all), ["me_example_com"]);
        let off = ("enable-oslogin", "FALSE");
        assert_eq!(users(&[own, off], &all), ["young", "plain", "shared"]);
    }

    #[test]
    fn metadata_is_replaced_only_by_one_who_has_seen_it() {
        let mut bag = metadata(&[("a", "1")]);
        let seen = bag.fingerprint();
        let replace = |bag: &mut Metadata, fingerprint: &str| {
            let request =
                json!({"fingerprint": fingerprint, "items": [{"key": "b", "value": "2"}]});
            bag.replace(request.as_object().unwrap()).is_ok()
        };
        assert!(replace(&mut bag, &seen));
        assert_eq!(bag, metadata(&[("b", "2")]));
        assert!(!replace(&mut bag, &seen));
    }
}
