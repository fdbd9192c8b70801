//! What a request may end with instead of success, in the shape the real service gives it.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

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
    #[error("at least one of the pre-conditions you specified did not hold")]
    PreconditionFailed,
    /// What was asked for has not changed (`ifGenerationNotMatch` on a read).
    #[error("not modified")]
    NotModified,
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The wanted bytes lie behind the object's end.
    #[error("the requested range cannot be satisfied for an object of {0} bytes")]
    RangeNotSatisfiable(u64),
    /// The upload session was cancelled.
    #[error("the upload session was cancelled")]
    SessionCancelled,
    /// The client went away before its body was whole.
    #[error("the request body ended early")]
    BodyEndedEarly,
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
            Self::RangeNotSatisfiable(_) => (
                StatusCode::RANGE_NOT_SATISFIABLE,
                "requestedRangeNotSatisfiable",
            ),
            Self::SessionCancelled => (client_closed_request(), "clientClosedRequest"),
            Self::BodyEndedEarly => (StatusCode::BAD_REQUEST, "badRequest"),
            Self::NotEmulated(_) => (StatusCode::NOT_IMPLEMENTED, "notImplemented"),
            Self::Disk(_) => (StatusCode::INTERNAL_SERVER_ERROR, "backendError"),
        }
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
        if let Self::Disk(source) = &self {
            tracing::error!(error = %source, "disk failure");
        }
        let message = match &self {
            Self::Disk(source) => format!("{self}: {source}"),
            other => other.to_string(),
        };
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        if status == StatusCode::NOT_MODIFIED {
            return response;
        }
        if let Self::RangeNotSatisfiable(size) = &self
            && let Ok(value) = format!("bytes */{size}").parse()
        {
            response.headers_mut().insert(header::CONTENT_RANGE, value);
        }
        let body = serde_json::json!({"error": {
            "code": status.as_u16(),
            "message": message,
            "errors": [{"message": message, "domain": "global", "reason": reason}],
        }});
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("application/json; charset=UTF-8"),
        );
        *response.body_mut() = Body::from(body.to_string());
        response
    }
}
