//! Whose credentials are used: OS Login has to know whose profile takes the key.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use crate::environment::Environment;
use crate::gcloud;

/// What a file of Application Default Credentials says of its owner.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CredentialsFile {
    client_email: Option<String>,
    service_account_impersonation_url: Option<String>,
}

/// The file of Application Default Credentials, where there is one.
fn file(environment: &Environment) -> Option<PathBuf> {
    let named = environment.path("GOOGLE_APPLICATION_CREDENTIALS");
    let usual = || gcloud::directory(environment).join("application_default_credentials.json");
    Some(named.unwrap_or_else(usual)).filter(|path| path.exists())
}

/// The account as far as files and variables tell it; for a person's credentials they do not, and Google is asked with the token.
pub(crate) fn known(environment: &Environment) -> Option<String> {
    if let Some(account) = environment.text("FLINKPROC_ACCOUNT") {
        return Some(account.to_owned());
    }
    let text = fs::read_to_string(file(environment)?).ok()?;
    let told: CredentialsFile = serde_json::from_str(&text).unwrap_or_default();
    let impersonated = told.service_account_impersonation_url.as_deref();
    let impersonated = impersonated.and_then(|url| {
        let (_, name) = url.rsplit_once("/serviceAccounts/")?;
        Some(name.split(':').next().unwrap_or(name).to_owned())
    });
    impersonated.or(told.client_email)
}

/// The metadata server's host, where the credentials come from there.
pub(crate) fn metadata_server(environment: &Environment) -> Option<String> {
    if file(environment).is_some() {
        return None;
    }
    let host = environment.text("GCE_METADATA_HOST");
    Some(host.unwrap_or("metadata.google.internal").to_owned())
}

#[cfg(test)]
mod tests {
    use super::{known, metadata_server};
    use crate::environment::Environment;

    #[test]
    fn the_account_is_read_where_it_stands() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("key.json");
        let path = path.to_str().expect("UTF-8");
        let check = |text: &str| {
            std::fs::write(path, text).expect("written");
            known(&Environment::of(&[(
                "GOOGLE_APPLICATION_CREDENTIALS",
                path,
            )]))
        };
        let key = r#"{"type": "service_account", "client_email": "sa@p.iam.gserviceaccount.com"}"#;
        assert_eq!(check(key).as_deref(), Some("sa@p.iam.gserviceaccount.com"));
        let url = r#"{"service_account_impersonation_url": "https://iam/v1/projects/-/serviceAccounts/b@p.iam.gserviceaccount.com:generateAccessToken"}"#;
        assert_eq!(check(url).as_deref(), Some("b@p.iam.gserviceaccount.com"));
        assert_eq!(check(r#"{"type": "authorized_user"}"#), None);
        assert_eq!(check("garbage"), None);
        let set = Environment::of(&[
            ("GOOGLE_APPLICATION_CREDENTIALS", path),
            ("FLINKPROC_ACCOUNT", "me@example.com"),
        ]);
        assert_eq!(known(&set).as_deref(), Some("me@example.com"));
        assert_eq!(metadata_server(&set), None);
        let nothing = Environment::of(&[("CLOUDSDK_CONFIG", "/nonexistent")]);
        assert_eq!(
            metadata_server(&nothing).as_deref(),
            Some("metadata.google.internal")
        );
    }
}
