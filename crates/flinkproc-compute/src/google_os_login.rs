//! The OS Login profile of the caller: lets a key in with an expiry, takes it out, and prunes what is left of earlier runs.

use std::fmt;
use std::sync::Mutex;

use flinkproc_core::MachineRef;
use google_cloud_auth::credentials::Credentials;
use google_cloud_gax::options::RequestOptionsBuilder;
use google_cloud_oslogin_common::model::SshPublicKey;
use google_cloud_oslogin_v1::client::OsLoginService;
use google_cloud_oslogin_v1::model::LoginProfile;
use jiff::Timestamp;

use crate::error::GateError;
use crate::gatekeeper::AdmittedKey;
use crate::google::{ATTEMPT, PATIENCE, backoff, keep, known, unbuilt};
use crate::google_account::Account;
use crate::google_calls::{Patient, sort};
use crate::profile::{Login, ProfileKey, expiry, login, marked};

/// The caller's profile.
pub(crate) struct OsLogin {
    credentials: Credentials,
    endpoint: Option<String>,
    account: Account,
    client: Mutex<Option<OsLoginService>>,
    email: Mutex<Option<String>>,
}

impl fmt::Debug for OsLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OsLogin")
            .field("endpoint", &self.endpoint)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

fn keys(profile: &LoginProfile) -> Vec<ProfileKey> {
    let keys = profile.ssh_public_keys.values();
    keys.map(|key| ProfileKey {
        name: key.name.clone(),
        text: key.key.clone(),
        expires: key.expiration_time_usec,
    })
    .collect()
}

impl OsLogin {
    pub(crate) fn new(
        credentials: Credentials,
        endpoint: Option<String>,
        account: Account,
    ) -> Self {
        Self {
            credentials,
            endpoint,
            account,
            client: Mutex::default(),
            email: Mutex::default(),
        }
    }

    async fn client(&self, machine: &MachineRef) -> Result<OsLoginService, GateError> {
        if let Some(client) = known(&self.client) {
            return Ok(client);
        }
        let own = || "https://oslogin.googleapis.com".to_owned();
        let client = OsLoginService::builder()
            .with_endpoint(self.endpoint.clone().unwrap_or_else(own))
            .with_credentials(self.credentials.clone())
            .with_retry_policy(Patient(PATIENCE))
            .with_backoff_policy(backoff())
            .with_attempt_timeout(ATTEMPT)
            .build()
            .await
            .map_err(|error| unbuilt(machine, &error))?;
        keep(&self.client, &client);
        Ok(client)
    }

    async fn email(&self) -> Result<String, GateError> {
        if let Some(email) = known(&self.email) {
            return Ok(email);
        }
        let email = self.account.email(&self.credentials).await?;
        keep(&self.email, &email);
        Ok(email)
    }

    /// Lets a key into the profile and answers its login name.
    pub(crate) async fn admit(
        &self,
        machine: &MachineRef,
        key: &AdmittedKey,
        now: Timestamp,
    ) -> Result<String, GateError> {
        let mut imported = self.import(machine, key).await;
        // A full profile is refused as a whole: it may be full of ours.
        if matches!(imported, Err(GateError::Invalid { .. })) {
            let profile = self.profile(machine).await?;
            if self.prune(machine, &profile, now).await > 0 {
                imported = self.import(machine, key).await;
            }
        } else if let Ok(profile) = &imported {
            self.prune(machine, profile, now).await;
        }
        let profile = imported?;
        let accounts = profile.posix_accounts.iter().map(|account| Login {
            name: account.username.clone(),
            primary: account.primary,
        });
        let logins: Vec<Login> = accounts.collect();
        let account = self.email().await?;
        match login(&logins) {
            Some(name) => Ok(name.to_owned()),
            None => Err(GateError::NoLogin { account }),
        }
    }

    async fn import(
        &self,
        machine: &MachineRef,
        key: &AdmittedKey,
    ) -> Result<LoginProfile, GateError> {
        let email = self.email().await?;
        let key = SshPublicKey::new()
            .set_key(marked(key))
            .set_expiration_time_usec(expiry(key));
        let client = self.client(machine).await?;
        let call = client
            .import_ssh_public_key()
            .set_parent(format!("users/{email}"))
            .set_ssh_public_key(key)
            .set_project_id(machine.project.as_str())
            // The same key twice is once.
            .with_idempotency(true);
        match call.send().await {
            Ok(answer) => answer
                .login_profile
                .ok_or(GateError::NoLogin { account: email }),
            Err(error) => match sort(machine, true, &error) {
                GateError::NotFound { .. } => Err(GateError::NoLogin { account: email }),
                other => Err(other),
            },
        }
    }

    async fn profile(&self, machine: &MachineRef) -> Result<LoginProfile, GateError> {
        let email = self.email().await?;
        let client = self.client(machine).await?;
        let call = client
            .get_login_profile()
            .set_name(format!("users/{email}"))
            .set_project_id(machine.project.as_str());
        let answer = call.send().await;
        answer.map_err(|error| match sort(machine, false, &error) {
            GateError::NotFound { .. } => GateError::NoLogin { account: email },
            other => other,
        })
    }

    /// Takes our expired keys out of the profile and says how many; that one stays is no failure.
    async fn prune(&self, machine: &MachineRef, profile: &LoginProfile, now: Timestamp) -> usize {
        let mut pruned = 0;
        for key in keys(profile).iter().filter(|key| key.is_left_over(now)) {
            match self.delete(machine, key).await {
                Ok(()) => pruned += 1,
                Err(error) => {
                    tracing::warn!(%error, "an expired key stays in the OS Login profile");
                }
            }
        }
        pruned
    }

    async fn delete(&self, machine: &MachineRef, key: &ProfileKey) -> Result<(), GateError> {
        let client = self.client(machine).await?;
        let call = client
            .delete_ssh_public_key()
            .set_name(key.name.as_str())
            .with_idempotency(true);
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => match sort(machine, true, &error) {
                GateError::NotFound { .. } => Ok(()),
                other => Err(other),
            },
        }
    }

    /// Takes a key out of the profile again.
    pub(crate) async fn expel(
        &self,
        machine: &MachineRef,
        key: &AdmittedKey,
        now: Timestamp,
    ) -> Result<(), GateError> {
        let profile = match self.profile(machine).await {
            Ok(profile) => profile,
            Err(GateError::NoLogin { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        for known in keys(&profile).iter().filter(|known| known.is(key)) {
            self.delete(machine, known).await?;
        }
        self.prune(machine, &profile, now).await;
        Ok(())
    }
}
