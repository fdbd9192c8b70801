//! What a request may end with instead of success, in the shape the real service gives it.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::guard::Refused;

/// A refusal, answered as Google's JSON error body.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The bucket, object or upload session is not there.
    #[error("{0}")]
    NotFound(String),
    /// The bucket is there already, or not empty.
    #[error("{0}")]
    Conflict(String),
    /// A precondition does not hold.
    #[error("At least one of the pre-conditions you specified did not hold.")]
    PreconditionFailed,
    /// What was asked for has not changed (`ifGenerationNotMatch` on a read).
    #[error("not modified")]
    NotModified,
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// A parameter or a field that the call needs is missing.
    #[error("Required parameter: {0}")]
    Required(&'static str),
    /// The wanted bytes lie behind the object's end.
    #[error("The requested range cannot be satisfied for an object of {0} bytes.")]
    RangeNotSatisfiable(u64),
    /// The upload session was cancelled.
    #[error("the upload session was cancelled")]
    SessionCancelled,
    /// The client went away before its body was whole.
    #[error("the request body ended early")]
    BodyEndedEarly,
    /// A body that is not an object's content is longer than the service takes.
    #[error("Request is too large.")]
    TooLarge,
    /// The caller may not call.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// The real service knows this call; the emulator does not.
    #[error("not emulated: {0}")]
    NotEmulated(String),
    /// The disk refused.
    #[error("the emulator's disk failed")]
    Disk(#[from] std::io::Error),
}

impl Failure {
    /// HTTP status and Google's one-word reason.
    #[must_use]
    pub const fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "notFound"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            Self::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, "conditionNotMet"),
            Self::NotModified => (StatusCode::NOT_MODIFIED, "notModified"),
            Self::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid"),
            Self::Required(_) => (StatusCode::BAD_REQUEST, "required"),
            Self::RangeNotSatisfiable(_) => (
                StatusCode::RANGE_NOT_SATISFIABLE,
                "requestedRangeNotSatisfiable",
            ),
            Self::SessionCancelled => (client_closed_request(), "clientClosedRequest"),
            Self::BodyEndedEarly => (StatusCode::BAD_REQUEST, "badRequest"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "uploadTooLarge"),
            Self::Refused(Refused::NoToken) => (StatusCode::UNAUTHORIZED, "required"),
            Self::Refused(Refused::WrongToken) => (StatusCode::UNAUTHORIZED, "authError"),
            Self::Refused(Refused::ForeignHost) => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotEmulated(_) => (StatusCode::NOT_IMPLEMENTED, "notImplemented"),
            Self::Disk(_) => (StatusCode::INTERNAL_SERVER_ERROR, "backendError"),
        }
    }

    /// The words for the client.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Disk(source) => {
                tracing::error!(error = %source, "disk failure");
                format!("{self}: {source}")
            }
            other => other.to_string(),
        }
    }

    /// Where in the request the trouble lies: kind of place and its name.
    const fn place(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::PreconditionFailed => Some(("header", "If-Match")),
            Self::Refused(Refused::NoToken | Refused::WrongToken) => {
                Some(("header", "Authorization"))
            }
            Self::Required(name) => Some(("parameter", name)),
            _ => None,
        }
    }

    fn json(&self, status: StatusCode, reason: &str) -> Value {
        let message = self.message();
        let mut error = json!({"message": message, "domain": "global", "reason": reason});
        if let Some((kind, name)) = self.place() {
            error["locationType"] = kind.into();
            error["location"] = name.into();
        }
        json!({"error": {"code": status.as_u16(), "message": message, "errors": [error]}})
    }
}

/// 499, which the service answers for a cancelled upload.
const fn client_closed_request() -> StatusCode {
    match StatusCode::from_u16(499) {
        Ok(status) => status,
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, reason) = self.status();
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        if status == StatusCode::NOT_MODIFIED {
            return response;
        }
        let headers = response.headers_mut();
        if let Self::RangeNotSatisfiable(size) = &self
            && let Ok(value) = format!("bytes */{size}").parse()
        {
            headers.insert(header::CONTENT_RANGE, value);
        }
        if status == StatusCode::UNAUTHORIZED {
            let realm = HeaderValue::from_static("Bearer realm=\"https://accounts.google.com/\"");
            headers.insert(header::WWW_AUTHENTICATE, realm);
        }
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=UTF-8"),
        );
        *response.body_mut() = Body::from(self.json(status, reason).to_string());
        response
    }
}
