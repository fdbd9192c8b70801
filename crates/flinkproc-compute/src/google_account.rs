//! Whose OS Login profile takes the keys.

use std::error::Error;
use std::time::Duration;

use flinkproc_core::messages;
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use serde::Deserialize;

use crate::error::GateError;

/// Where Google says whose a token is.
const TOKEN_INFO: &str = "https://oauth2.googleapis.com/tokeninfo";
/// How long the question may take.
const ANSWER: Duration = Duration::from_secs(15);

/// Whose OS Login profile takes the keys.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Account {
    /// This one: the e-mail address of a person or of a service account.
    Named(String),
    /// The one whose token the credentials give: Google is asked. Works where the token has the scope of the e-mail address, as
    /// those of `gcloud auth application-default login` have.
    OfToken(reqwest::Client),
    /// The service account of the machine that this runs on: the metadata server at this host is asked.
    OfMachine {
        /// Asks; must not go through a proxy.
        http: reqwest::Client,
        /// Usually `metadata.google.internal`.
        host: String,
    },
}

impl Default for Account {
    fn default() -> Self {
        Self::OfToken(reqwest::Client::new())
    }
}

#[derive(Deserialize)]
struct TokenInfo {
    email: Option<String>,
}

fn unknown(why: impl Into<Box<dyn Error + Send + Sync>>) -> GateError {
    let why: Box<dyn Error + Send + Sync> = why.into();
    GateError::UnknownAccount {
        message: messages(why.as_ref()).join(": "),
    }
}

impl Account {
    /// The account's e-mail address.
    pub(crate) async fn email(&self, credentials: &Credentials) -> Result<String, GateError> {
        match self {
            Self::Named(email) => Ok(email.clone()),
            Self::OfToken(http) => {
                let headers = credentials.headers(http::Extensions::new()).await;
                let headers = match headers.map_err(unknown)? {
                    CacheableResource::New { data, .. } => data,
                    CacheableResource::NotModified => http::HeaderMap::new(),
                };
                let bearer = headers.get(http::header::AUTHORIZATION);
                let bearer = bearer.and_then(|value| value.to_str().ok());
                let token = bearer.and_then(|value| value.strip_prefix("Bearer "));
                let token = token.ok_or_else(|| unknown("there are no credentials"))?;
                // In the body, since addresses end up in logs.
                let asked = http
                    .post(TOKEN_INFO)
                    .timeout(ANSWER)
                    .header(
                        http::header::CONTENT_TYPE,
                        "application/x-www-form-urlencoded",
                    )
                    .body(format!("access_token={token}"));
                let answer = asked.send().await.map_err(unknown)?;
                let answer = answer.error_for_status().map_err(unknown)?;
                let info: TokenInfo = answer.json().await.map_err(unknown)?;
                info.email
                    .ok_or_else(|| unknown("the token does not tell its e-mail address"))
            }
            Self::OfMachine { http, host } => {
                let path = "computeMetadata/v1/instance/service-accounts/default/email";
                let asked = http
                    .get(format!("http://{host}/{path}"))
                    .timeout(ANSWER)
                    .header("Metadata-Flavor", "Google");
                let answer = asked.send().await.map_err(unknown)?;
                let answer = answer.error_for_status().map_err(unknown)?;
                Ok(answer.text().await.map_err(unknown)?.trim().to_owned())
            }
        }
    }
}
