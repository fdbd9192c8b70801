//! The keys of an OS Login profile: which are ours, which have expired, and which login name is meant.
//!
//! A profile belongs to a person or a service account and counts on every machine that these may enter. It holds 32 KiB, and the
//! service does not take expired keys out of it by itself, so that we take out ours: those with our mark as their comment.

use jiff::Timestamp;

use crate::gatekeeper::AdmittedKey;

/// The comment by which a key of ours is known.
pub(crate) const MARK: &str = "flinkproc";

/// A key of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProfileKey {
    /// The service's name for it.
    pub(crate) name: String,
    /// Type, base64 and comment.
    pub(crate) text: String,
    /// When it stops being accepted, in microseconds since 1970; 0 is never.
    pub(crate) expires: i64,
}

/// A login name of a profile.
#[cfg(any(feature = "google", test))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) name: String,
    pub(crate) primary: bool,
}

/// The key as the profile is to hold it.
pub(crate) fn marked(key: &AdmittedKey) -> String {
    format!("{} {MARK}", key.public_key)
}

/// When the key stops being accepted, as the profile writes it.
pub(crate) fn expiry(key: &AdmittedKey) -> i64 {
    key.expires.as_microsecond()
}

impl ProfileKey {
    /// Whether it is this very key, whatever its comment.
    pub(crate) fn is(&self, key: &AdmittedKey) -> bool {
        let parts = |text: &str| -> Vec<String> {
            let words = text.split_whitespace().take(2);
            words.map(str::to_owned).collect()
        };
        parts(&self.text) == parts(&key.public_key)
    }

    /// Whether it is what is left of an earlier run of ours.
    pub(crate) fn is_left_over(&self, now: Timestamp) -> bool {
        let comment = self.text.split_whitespace().nth(2);
        comment == Some(MARK) && self.expires != 0 && self.expires <= now.as_microsecond()
    }
}

/// The login name to enter with: the primary one, else the first.
#[cfg(any(feature = "google", test))]
pub(crate) fn login(logins: &[Login]) -> Option<&str> {
    let primary = logins.iter().find(|login| login.primary);
    let login = primary.or_else(|| logins.first())?;
    Some(login.name.as_str()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{Login, ProfileKey, login, marked};
    use crate::gatekeeper::{AdmittedKey, Door};

    fn key(text: &str, expires: i64) -> ProfileKey {
        ProfileKey {
            name: "users/me/sshPublicKeys/1".to_owned(),
            text: text.to_owned(),
            expires,
        }
    }

    #[test]
    fn only_our_expired_keys_are_left_over() {
        let now = "2026-11-22T12:00:00Z".parse().expect("valid");
        let at = |hour: i64| 1_795_348_800_000_000 + (hour - 12) * 3_600_000_000;
        for (text, expires, expected) in [
            ("ssh-ed25519 AAAA flinkproc", at(11), true),
            ("ssh-ed25519 AAAA flinkproc", at(12), true),
            ("ssh-ed25519 AAAA flinkproc", at(13), false),
            ("ssh-ed25519 AAAA flinkproc", 0, false),
            ("ssh-ed25519 AAAA alice@example.com", at(11), false),
            ("ssh-ed25519 AAAA", at(11), false),
        ] {
            let found = key(text, expires).is_left_over(now);
            assert_eq!(found, expected, "{text} {expires}");
        }
    }

    #[test]
    fn a_key_is_known_whatever_its_comment() {
        let ours = AdmittedKey {
            user: "deploy".to_owned(),
            public_key: "ssh-ed25519 AAAAours".to_owned(),
            expires: "2026-11-22T14:00:00Z".parse().expect("valid"),
            door: Door::OsLogin,
        };
        assert!(key(&marked(&ours), 0).is(&ours));
        assert!(key("ssh-ed25519 AAAAours", 0).is(&ours));
        assert!(!key("ssh-ed25519 AAAAours2", 0).is(&ours));
    }

    #[test]
    fn the_primary_login_goes_first() {
        let name = |name: &str, primary| Login {
            name: name.to_owned(),
            primary,
        };
        let both = [name("a", false), name("b", true)];
        assert_eq!(login(&both), Some("b"));
        assert_eq!(login(&both[..1]), Some("a"));
        assert_eq!(login(&[name("", true)]), None);
        assert_eq!(login(&[]), None);
    }
}
