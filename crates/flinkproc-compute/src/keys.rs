//! The text of the metadata entry `ssh-keys`: lets a key in and takes it out, and leaves everybody else's alone.
//!
//! One key a line, `user:type base64 comment`. A comment of `google-ssh` and a JSON object with `expireOn` makes the guest agent
//! drop the key at that time (Google's guide "Add SSH keys to VMs", section on expiration).

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::gatekeeper::AdmittedKey;

/// The metadata entry that holds the keys.
#[cfg(feature = "google")]
pub(crate) const ENTRY: &str = "ssh-keys";

/// What is wrong with a key, if anything: it becomes part of a list whose separators it must not hold.
pub(crate) fn problem(key: &AdmittedKey) -> Option<&'static str> {
    let user = key.user.as_str();
    let parts: Vec<_> = key.public_key.split(' ').collect();
    if user.is_empty() || user.contains([':', ' ', '"']) || user.contains(char::is_control) {
        Some("the login name is empty or holds a colon, a blank, a quote or a control character")
    } else if key.public_key.contains(char::is_control) || parts.len() != 2 || parts.contains(&"") {
        Some("the public key is not a type, one blank and the key in base64")
    } else {
        None
    }
}

/// The line of a key, with its expiry in UTC.
pub(crate) fn line(key: &AdmittedKey) -> String {
    let expires = key.expires.strftime("%Y-%m-%dT%H:%M:%S+0000").to_string();
    let schema = json!({"userName": key.user, "expireOn": expires});
    format!("{}:{} google-ssh {schema}", key.user, key.public_key)
}

/// Whether a line holds this very key for this very login.
fn holds(line: &str, key: &AdmittedKey) -> bool {
    let rest = line.trim().strip_prefix(key.user.as_str());
    let rest = rest.and_then(|rest| rest.strip_prefix(':'));
    let rest = rest.and_then(|rest| rest.trim_start().strip_prefix(key.public_key.as_str()));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

/// When a line's key expires, where it says so in Google's way.
fn expiry(line: &str) -> Option<Timestamp> {
    let (_, schema) = line.split_once(" google-ssh ")?;
    let schema: Value = serde_json::from_str(schema.trim()).ok()?;
    let text = schema.get("expireOn")?.as_str()?;
    let offset = jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%z", text);
    let offset = offset.and_then(|time| time.to_timestamp()).ok();
    offset.or_else(|| text.parse().ok())
}

/// Whether a line is what is left of an earlier run: a key for the same login, with an expiry that has passed.
fn expired(line: &str, user: &str, now: Timestamp) -> bool {
    let same = line
        .trim()
        .strip_prefix(user)
        .is_some_and(|rest| rest.starts_with(':'));
    same && expiry(line).is_some_and(|expires| expires <= now)
}

/// The entry with the key in it, once, and without the expired keys of the same login.
pub(crate) fn with(entry: &str, key: &AdmittedKey, now: Timestamp) -> String {
    let others = entry.lines().filter(|line| {
        !line.trim().is_empty() && !holds(line, key) && !expired(line, &key.user, now)
    });
    let mut lines: Vec<String> = others.map(str::to_owned).collect();
    lines.push(line(key));
    lines.join("\n")
}

/// The entry without the key and without the expired keys of the same login.
pub(crate) fn without(entry: &str, key: &AdmittedKey, now: Timestamp) -> String {
    let others = entry.lines().filter(|line| {
        !line.trim().is_empty() && !holds(line, key) && !expired(line, &key.user, now)
    });
    others.collect::<Vec<_>>().join("\n")
}

/// Whether the key is in the entry.
#[cfg(any(feature = "google", test))]
pub(crate) fn contains(entry: &str, key: &AdmittedKey) -> bool {
    entry.lines().any(|line| holds(line, key))
}

/// Whether an entry `enable-oslogin` switches OS Login on; the guest agent takes these words in any case.
#[cfg(any(feature = "google", test))]
pub(crate) fn is_on(value: &str) -> bool {
    ["true", "1", "yes", "y", "on"].contains(&value.trim().to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{contains, is_on, problem, with, without};
    use crate::gatekeeper::{AdmittedKey, Door};

    const OTHERS: &str = concat!(
        "alice:ssh-ed25519 AAAAalice alice@example.com\n",
        "bob:ssh-rsa AAAAbob google-ssh {\"userName\":\"bob\",\"expireOn\":\"2020-01-01T00:00:00+0000\"}\n",
    );

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().expect("valid")
    }

    fn key(public_key: &str) -> AdmittedKey {
        AdmittedKey {
            user: "deploy".to_owned(),
            public_key: format!("ssh-ed25519 {public_key}"),
            expires: "2026-11-22T14:00:00Z".parse().expect("valid"),
            door: Door::Metadata,
        }
    }

    #[test]
    fn a_key_goes_in_with_its_expiry_and_others_stay() {
        insta::assert_snapshot!(with(OTHERS, &key("AAAAours"), now()), @r#"
        alice:ssh-ed25519 AAAAalice alice@example.com
        bob:ssh-rsa AAAAbob google-ssh {"userName":"bob","expireOn":"2020-01-01T00:00:00+0000"}
        deploy:ssh-ed25519 AAAAours google-ssh {"userName":"deploy","expireOn":"2026-11-22T14:00:00+0000"}
        "#);
    }

    #[test]
    fn letting_in_twice_is_once_and_the_expired_of_the_same_login_go() {
        let old = r#"deploy:ssh-ed25519 AAAAold google-ssh {"userName":"deploy","expireOn":"2026-11-22T12:00:00+0000"}"#;
        let entry = with(old, &key("AAAAours"), now());
        let twice = with(&entry, &key("AAAAours"), now());
        assert_eq!(entry, twice);
        assert!(!twice.contains("AAAAold"), "{twice}");
    }

    #[test]
    fn taking_out_leaves_the_others() {
        let entry = with(OTHERS, &key("AAAAours"), now());
        let entry = with(&entry, &key("AAAAours2"), now());
        let left = without(&entry, &key("AAAAours"), now());
        assert!(!contains(&left, &key("AAAAours")));
        assert!(contains(&left, &key("AAAAours2")));
        assert!(left.starts_with(OTHERS.trim_end()));
    }

    #[test]
    fn a_key_that_would_break_the_list_is_refused() {
        assert_eq!(problem(&key("AAAA")), None);
        for wrong in ["AAAA\nroot:ssh-ed25519 AAAA", "AAAA comment", ""] {
            assert!(problem(&key(wrong)).is_some(), "{wrong}");
        }
        let user = AdmittedKey {
            user: "a:b".to_owned(),
            ..key("AAAA")
        };
        assert!(problem(&user).is_some());
    }

    #[test]
    fn os_login_is_on_in_the_guest_agents_words() {
        for (value, expected) in [
            ("TRUE", true),
            ("true", true),
            ("1", true),
            ("FALSE", false),
            ("", false),
        ] {
            assert_eq!(is_on(value), expected, "{value}");
        }
    }
}
