//! One profile of OS Login: its keys with their expiry, its POSIX accounts, and how large it may be.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::failure::{ApiFailure, Code};
use crate::machines::number;
use crate::runtime::MetadataKey;

/// How large a profile may be, in bytes of its JSON: "Login profile size exceeds 32 KiB".
const LARGEST: usize = 32 * 1024;
/// How long an expired key is still shown. When the real service forgets one is not documented.
const SHOWN_AFTER_EXPIRY_HOURS: i64 = 48;
/// A login name is no longer than this.
const LONGEST_NAME: usize = 32;

/// One profile.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    account: String,
    keys: Vec<LoginKey>,
    /// Project and login name.
    accounts: Vec<(String, String)>,
}

/// One key of a profile.
#[derive(Clone, Debug)]
pub(crate) struct LoginKey {
    /// SHA-256 of the key, in hexadecimal.
    pub(crate) fingerprint: String,
    pub(crate) expires: Option<Timestamp>,
    text: String,
}

impl LoginKey {
    /// Reads a line as `authorized_keys` has it.
    pub(crate) fn read(text: &str, expires: Option<Timestamp>) -> Result<Self, ApiFailure> {
        let refuse = || ApiFailure::invalid("Invalid SSH public key");
        let mut words = text.split_whitespace();
        let (kind, blob) = words.next().zip(words.next()).ok_or_else(refuse)?;
        let bytes = STANDARD.decode(blob).map_err(|_| refuse())?;
        // The blob starts with its type, after four bytes of length.
        let inner = bytes
            .get(4..)
            .is_some_and(|rest| rest.starts_with(kind.as_bytes()));
        if !inner || text.contains(['\n', '\r']) {
            return Err(refuse());
        }
        let digest = Sha256::digest(&bytes);
        Ok(Self {
            fingerprint: digest.iter().map(|b| format!("{b:02x}")).collect(),
            expires,
            text: text.to_owned(),
        })
    }
}

/// Reads `expirationTimeUsec`: microseconds as a text or a number; nothing and zero never expire.
pub(crate) fn expiry(value: Option<&Value>) -> Result<Option<Timestamp>, ApiFailure> {
    let micros = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(number) => number.as_i64(),
    };
    let refuse = || {
        ApiFailure::invalid_field(
            "expirationTimeUsec",
            "Invalid value at 'expirationTimeUsec' (TYPE_INT64)",
        )
    };
    match micros.ok_or_else(refuse)? {
        0 => Ok(None),
        micros => Timestamp::from_microsecond(micros)
            .map(Some)
            .map_err(|_| refuse()),
    }
}

impl Profile {
    pub(crate) fn new(account: &str) -> Self {
        Self {
            account: account.to_owned(),
            keys: Vec::new(),
            accounts: Vec::new(),
        }
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &LoginKey> {
        self.keys.iter()
    }

    /// Adds a key or changes the expiry of one that is there, and makes the POSIX account of a project.
    pub(crate) fn import(
        &mut self,
        key: Option<LoginKey>,
        project: Option<&str>,
        login_user: Option<&str>,
        now: Timestamp,
    ) -> Result<(), ApiFailure> {
        let mut wished = self.clone();
        let shown = Span::new().hours(SHOWN_AFTER_EXPIRY_HOURS);
        wished.keys.retain(|key| {
            let forgotten = key.expires.and_then(|at| at.checked_add(shown).ok());
            forgotten.is_none_or(|at| at > now)
        });
        if let Some(key) = key {
            wished.keys.retain(|old| old.fingerprint != key.fingerprint);
            wished.keys.push(key);
        }
        if let Some(project) = project
            && !wished.accounts.iter().any(|(own, _)| own == project)
        {
            let user = login_user.map_or_else(|| login_name(&self.account), str::to_owned);
            wished.accounts.push((project.to_owned(), user));
        }
        let size = wished.json(None).to_string().len();
        if size > LARGEST {
            let message = "Login profile size exceeds 32 KiB. Delete profile values to make additional space.";
            return Err(ApiFailure::invalid(message));
        }
        *self = wished;
        Ok(())
    }

    /// The keys that may enter a project's machines at `now`, each with the login name there.
    pub(crate) fn admitted(&self, project: &str, now: Timestamp) -> Vec<MetadataKey> {
        let Some((_, user)) = self.accounts.iter().find(|(own, _)| own == project) else {
            return Vec::new();
        };
        let alive = self
            .keys
            .iter()
            .filter(|key| key.expires.is_none_or(|at| at > now));
        alive
            .map(|key| MetadataKey {
                user: user.clone(),
                key: key.text.clone(),
            })
            .collect()
    }

    pub(crate) fn key_mut(&mut self, fingerprint: &str) -> Result<&mut LoginKey, ApiFailure> {
        let missing = self.no_key(fingerprint);
        let found = self
            .keys
            .iter_mut()
            .find(|key| key.fingerprint == fingerprint);
        found.ok_or(missing)
    }

    pub(crate) fn remove_key(&mut self, fingerprint: &str) -> Result<(), ApiFailure> {
        let at = self.keys.iter().position(|k| k.fingerprint == fingerprint);
        let at = at.ok_or_else(|| self.no_key(fingerprint))?;
        self.keys.remove(at);
        Ok(())
    }

    pub(crate) fn remove_account(&mut self, project: &str) -> Result<(), ApiFailure> {
        let at = self.accounts.iter().position(|(own, _)| own == project);
        let missing = || {
            let message = format!(
                "POSIX account users/{}/projects/{project} not found",
                self.account
            );
            ApiFailure::new(Code::NotFound, message)
        };
        let at = at.ok_or_else(missing)?;
        self.accounts.remove(at);
        Ok(())
    }

    fn no_key(&self, fingerprint: &str) -> ApiFailure {
        let message = format!(
            "SSH public key users/{}/sshPublicKeys/{fingerprint} not found",
            self.account
        );
        ApiFailure::new(Code::NotFound, message)
    }

    /// A key as the API answers it.
    pub(crate) fn key_json(&self, fingerprint: &str) -> Result<Value, ApiFailure> {
        let found = self.keys.iter().find(|k| k.fingerprint == fingerprint);
        let key = found.ok_or_else(|| self.no_key(fingerprint))?;
        let mut json = json!({
            "key": key.text,
            "fingerprint": key.fingerprint,
            "name": format!("users/{}/sshPublicKeys/{}", self.account, key.fingerprint),
        });
        if let Some(expires) = key.expires {
            json["expirationTimeUsec"] = json!(expires.as_microsecond().to_string());
        }
        Ok(json)
    }

    /// The profile as the API answers it, with the accounts of one project only where one is asked for.
    pub(crate) fn json(&self, project: Option<&str>) -> Value {
        let mut profile = json!({"name": unique_id(&self.account)});
        let fitting = self
            .accounts
            .iter()
            .filter(|(own, _)| project.is_none_or(|project| project.is_empty() || project == own));
        let accounts: Vec<Value> = fitting
            .map(|(own, user)| {
                // Above the numbers of a machine's own users.
                let id = (number(&self.account) % 2_000_000_000 + 2_000_000).to_string();
                json!({
                    "primary": true,
                    "username": user,
                    "uid": id,
                    "gid": id,
                    "homeDirectory": format!("/home/{user}"),
                    "operatingSystemType": "LINUX",
                    "accountId": own,
                    "name": format!("users/{}/projects/{own}", self.account),
                })
            })
            .collect();
        if !accounts.is_empty() {
            profile["posixAccounts"] = json!(accounts);
        }
        for key in &self.keys {
            profile["sshPublicKeys"][&key.fingerprint] =
                self.key_json(&key.fingerprint).unwrap_or_default();
        }
        profile
    }
}

/// The number of an account: 21 digits.
fn unique_id(account: &str) -> String {
    match account.bytes().all(|b| b.is_ascii_digit()) {
        true => account.to_owned(),
        false => format!("1{:020}", number(account)),
    }
}

/// `sa_` and the number of a service account; of a person, `user_domain_com`.
fn login_name(account: &str) -> String {
    let service = account.ends_with(".gserviceaccount.com");
    if service || account.bytes().all(|b| b.is_ascii_digit()) {
        return format!("sa_{}", unique_id(account));
    }
    let plain = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_lowercase(),
        false => '_',
    };
    account.chars().map(plain).take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{LoginKey, Profile, login_name};

    fn key(number: u32) -> LoginKey {
        use base64::Engine;
        let mut blob = b"\0\0\0\x0bssh-ed25519".to_vec();
        blob.extend(number.to_be_bytes());
        let blob = base64::engine::general_purpose::STANDARD.encode(blob);
        LoginKey::read(&format!("ssh-ed25519 {blob} me"), None).unwrap()
    }

    #[test]
    fn login_names_come_from_the_account() {
        let check = |account: &str, expected: &str| assert_eq!(login_name(account), expected);
        check("First.Last@Example.com", "first_last_example_com");
        check("12345", "sa_12345");
        check(
            "a-person-with-a-very-long-name@example.com",
            "a_person_with_a_very_long_name_e",
        );
        assert!(login_name("robot@p.iam.gserviceaccount.com").starts_with("sa_1"));
    }

    #[test]
    fn a_profile_takes_no_more_than_32_kib_and_stays_as_it_was() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut profile = Profile::new("me@example.com");
        let full = (0..1000).find(|n| {
            let import = profile.import(Some(key(*n)), Some("p"), None, now);
            import.is_err_and(|e| e.message.contains("exceeds 32 KiB"))
        });
        let kept = profile.keys().count();
        assert_eq!(full.map(|n| n as usize), Some(kept));
        assert!(profile.json(None).to_string().len() <= 32 * 1024);
        profile.remove_key(&key(0).fingerprint).unwrap();
        assert!(profile.import(Some(key(1000)), None, None, now).is_ok());
    }

    #[test]
    fn expired_keys_stay_outside_and_are_forgotten_two_days_later() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut profile = Profile::new("me@example.com");
        let mut old = key(1);
        old.expires = Some(now);
        profile
            .import(Some(old), Some("p"), Some("me"), now)
            .unwrap();
        profile.import(Some(key(2)), None, None, now).unwrap();
        let users = |project| profile.admitted(project, now).len();
        assert_eq!((users("p"), users("q")), (1, 0));
        assert_eq!(profile.keys().count(), 2);
        let later = now + jiff::SignedDuration::from_hours(48);
        profile.import(Some(key(3)), None, None, later).unwrap();
        assert_eq!(profile.keys().count(), 2);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "ssh-ed25519",
            "ssh-ed25519 ???",
            "ssh-ed25519 AAAA",
            "a b c",
        ] {
            assert!(LoginKey::read(text, None).is_err(), "{text}");
        }
    }
}
