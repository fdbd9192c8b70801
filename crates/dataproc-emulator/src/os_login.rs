//! OS Login: profiles with POSIX accounts and keys, which decide who enters machines with `enable-oslogin`.
//!
//! Everybody may do everything with every profile: whose token a call brings is not looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::clusters::read_json;
use crate::failure::ApiFailure;
use crate::os_login_profile::{LoginKey, Profile, expiry};
use crate::runtime::MetadataKey;
use crate::service::Service;

/// Every profile, by the account's name.
#[derive(Debug, Default)]
pub(crate) struct Logins(BTreeMap<String, Profile>);

impl Logins {
    /// The keys that may enter a project's machines at `now`.
    pub(crate) fn keys(&self, project: &str, now: Timestamp) -> Vec<MetadataKey> {
        let profiles = self.0.values();
        profiles
            .flat_map(|profile| profile.admitted(project, now))
            .collect()
    }

    /// The next time at which a key expires.
    pub(crate) fn next_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        let keys = self.0.values().flat_map(Profile::keys);
        keys.filter_map(|key| key.expires)
            .filter(|at| *at > now)
            .min()
    }

    fn profile(&mut self, account: &str) -> &mut Profile {
        self.0
            .entry(account.to_owned())
            .or_insert_with(|| Profile::new(account))
    }
}

fn check_account(account: &str) -> Result<(), ApiFailure> {
    let digits = account.bytes().all(|b| b.is_ascii_digit());
    let address = account
        .split_once('@')
        .is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty());
    if !account.is_empty() && (digits || address) {
        return Ok(());
    }
    Err(ApiFailure::invalid(format!(
        "User '{account}' is neither an email address nor a number"
    )))
}

/// The query of a call on a profile.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ProfileQuery {
    #[serde(alias = "project_id")]
    project_id: Option<String>,
    #[serde(alias = "update_mask")]
    update_mask: Option<String>,
}

type OfUser = Path<String>;
type OfPart = Path<(String, String)>;

/// `GET /v1/users/USER/loginProfile`
pub(crate) async fn login_profile(
    State(service): State<Arc<Service>>,
    Path(account): OfUser,
    Query(query): Query<ProfileQuery>,
) -> Result<Json<Value>, ApiFailure> {
    check_account(&account)?;
    let mut state = service.lock();
    let profile = state.logins.profile(&account);
    Ok(Json(profile.json(query.project_id.as_deref())))
}

/// `POST /v1/users/USER:importSshPublicKey`
pub(crate) async fn act(
    State(service): State<Arc<Service>>,
    Path(call): OfUser,
    Query(query): Query<ProfileQuery>,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let Some(account) = call.strip_suffix(":importSshPublicKey") else {
        return Err(ApiFailure::not_emulated(&format!(
            "the OS Login call {call}"
        )));
    };
    check_account(account)?;
    let key = read_key(&body, true)?;
    let project = query.project_id.filter(|id| !id.is_empty());
    let answer = {
        let now = service.clock.now();
        let mut state = service.lock();
        let profile = state.logins.profile(account);
        // A security key's owner has no key to import and wants an account only.
        profile.import(key, project.as_deref(), service.login_user.as_deref(), now)?;
        json!({"loginProfile": profile.json(project.as_deref())})
    };
    service.keys_changed().await;
    Ok(Json(answer))
}

/// `POST /v1/users/USER/sshPublicKeys`
pub(crate) async fn create_key(
    State(service): State<Arc<Service>>,
    Path(account): OfUser,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    check_account(&account)?;
    let key = read_key(&body, false)?.ok_or_else(no_key)?;
    let fingerprint = key.fingerprint.clone();
    let answer = {
        let now = service.clock.now();
        let mut state = service.lock();
        let profile = state.logins.profile(&account);
        profile.import(Some(key), None, None, now)?;
        profile.key_json(&fingerprint)?
    };
    service.keys_changed().await;
    Ok(Json(answer))
}

/// `GET /v1/users/USER/sshPublicKeys/FINGERPRINT`
pub(crate) async fn get_key(
    State(service): State<Arc<Service>>,
    Path((account, fingerprint)): OfPart,
) -> Result<Json<Value>, ApiFailure> {
    check_account(&account)?;
    let mut state = service.lock();
    state
        .logins
        .profile(&account)
        .key_json(&fingerprint)
        .map(Json)
}

/// `PATCH /v1/users/USER/sshPublicKeys/FINGERPRINT?updateMask=expirationTimeUsec`
pub(crate) async fn patch_key(
    State(service): State<Arc<Service>>,
    Path((account, fingerprint)): OfPart,
    Query(query): Query<ProfileQuery>,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    check_account(&account)?;
    let fields = fields(&body)?;
    let mask = query.update_mask.unwrap_or_default();
    for path in mask.split(',').filter(|path| !path.is_empty()) {
        if !matches!(path, "expirationTimeUsec" | "expiration_time_usec") {
            return Err(ApiFailure::invalid_field(
                "update_mask",
                format!("Invalid update mask: '{path}' cannot be changed"),
            ));
        }
    }
    let expires = expiry(fields.get("expirationTimeUsec"))?;
    let answer = {
        let mut state = service.lock();
        let profile = state.logins.profile(&account);
        profile.key_mut(&fingerprint)?.expires = expires;
        profile.key_json(&fingerprint)?
    };
    service.keys_changed().await;
    Ok(Json(answer))
}

/// `DELETE /v1/users/USER/sshPublicKeys/FINGERPRINT`
pub(crate) async fn delete_key(
    State(service): State<Arc<Service>>,
    Path((account, fingerprint)): OfPart,
) -> Result<Json<Value>, ApiFailure> {
    check_account(&account)?;
    let removed = service
        .lock()
        .logins
        .profile(&account)
        .remove_key(&fingerprint);
    removed?;
    service.keys_changed().await;
    Ok(Json(json!({})))
}

/// `POST /v1beta/users/USER/projects/PROJECT`: makes the POSIX account where there is none.
pub(crate) async fn provision_account(
    State(service): State<Arc<Service>>,
    Path((account, project)): OfPart,
) -> Result<Json<Value>, ApiFailure> {
    check_account(&account)?;
    let answer = {
        let now = service.clock.now();
        let mut state = service.lock();
        let profile = state.logins.profile(&account);
        profile.import(None, Some(&project), service.login_user.as_deref(), now)?;
        profile.json(Some(&project))["posixAccounts"][0].take()
    };
    service.keys_changed().await;
    Ok(Json(answer))
}

/// `DELETE /v1/users/USER/projects/PROJECT`: takes the POSIX account away.
pub(crate) async fn delete_account(
    State(service): State<Arc<Service>>,
    Path((account, project)): OfPart,
) -> Result<Json<Value>, ApiFailure> {
    check_account(&account)?;
    let removed = service
        .lock()
        .logins
        .profile(&account)
        .remove_account(&project);
    removed?;
    service.keys_changed().await;
    Ok(Json(json!({})))
}

fn no_key() -> ApiFailure {
    ApiFailure::invalid("Invalid SSH public key: the field 'key' is empty")
}

fn fields(body: &Bytes) -> Result<Map<String, Value>, ApiFailure> {
    let Value::Object(fields) = read_json(body)? else {
        return Err(ApiFailure::invalid(
            "Invalid JSON payload received. An object is expected",
        ));
    };
    for name in fields.keys() {
        let known = ["key", "expirationTimeUsec", "fingerprint", "name"];
        if !known.contains(&name.as_str()) {
            return Err(ApiFailure::invalid_field(
                name,
                format!(
                    "Invalid JSON payload received. Unknown name \"{name}\": Cannot find field."
                ),
            ));
        }
    }
    Ok(fields)
}

/// The key in a body; `None` is an empty one, where that may be.
fn read_key(body: &Bytes, may_be_empty: bool) -> Result<Option<LoginKey>, ApiFailure> {
    let fields = fields(body)?;
    let text = fields.get("key").and_then(Value::as_str).unwrap_or("");
    let expires = expiry(fields.get("expirationTimeUsec"))?;
    match text.trim() {
        "" if may_be_empty => Ok(None),
        "" => Err(no_key()),
        text => LoginKey::read(text, expires).map(Some),
    }
}

impl Service {
    /// Hands changed keys on before the call that changed them is answered, and sets the timers anew.
    async fn keys_changed(&self) {
        self.admit_keys().await;
        self.changed.notify_waiters();
    }
}
