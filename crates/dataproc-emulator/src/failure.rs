//! Errors as Google's REST services answer them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

/// An answer that is an error: `{"error": {"code", "message", "status", "details"}}`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApiFailure {
    /// The canonical code.
    pub(crate) code: Code,
    /// The service's words.
    pub(crate) message: String,
    details: Vec<Value>,
    style: Style,
    http: Option<StatusCode>,
}

/// Whether Dataproc or Compute Engine is speaking; the two wrap errors differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Dataproc,
    Compute { reason: &'static str },
}

/// The codes of `google.rpc.Code` that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Cancelled,
    DeadlineExceeded,
    PermissionDenied,
    Unauthenticated,
    Aborted,
    InvalidArgument,
    NotFound,
    AlreadyExists,
    ResourceExhausted,
    FailedPrecondition,
    Unimplemented,
    Internal,
}

impl Code {
    /// The number of the code in `google.rpc.Code`.
    pub(crate) const fn number(self) -> i32 {
        match self {
            Self::Cancelled => 1,
            Self::InvalidArgument => 3,
            Self::DeadlineExceeded => 4,
            Self::PermissionDenied => 7,
            Self::Aborted => 10,
            Self::Unauthenticated => 16,
            Self::NotFound => 5,
            Self::AlreadyExists => 6,
            Self::ResourceExhausted => 8,
            Self::FailedPrecondition => 9,
            Self::Unimplemented => 12,
            Self::Internal => 13,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Cancelled => "CANCELLED",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::Aborted => "ABORTED",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
        }
    }

    const fn http(self) -> StatusCode {
        match self {
            Self::Cancelled => StatusCode::REQUEST_TIMEOUT,
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::InvalidArgument | Self::FailedPrecondition => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::AlreadyExists | Self::Aborted => StatusCode::CONFLICT,
            Self::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::Unimplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl ApiFailure {
    /// An error of Dataproc.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
            style: Style::Dataproc,
            http: None,
        }
    }

    /// A value that the service refuses.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    /// A field that the service refuses, with the detail that names it.
    pub(crate) fn invalid_field(field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let violation = json!({"field": field, "description": message});
        Self {
            details: vec![json!({
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [violation],
            })],
            ..Self::invalid(message)
        }
    }

    /// The same error with the `ErrorInfo` that names its reason.
    pub(crate) fn because(mut self, reason: &str) -> Self {
        self.details.push(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": "googleapis.com",
            "metadata": {"service": "dataproc.googleapis.com"},
        }));
        self
    }

    /// The same error under an HTTP status that is not its code's.
    pub(crate) fn with_http(mut self, status: u16) -> Self {
        self.http = StatusCode::from_u16(status).ok();
        self
    }

    /// The same with one more detail, a message with its `@type`.
    pub(crate) fn with_detail(mut self, detail: Value) -> Self {
        self.details.push(detail);
        self
    }

    /// What the real service does and this one does not.
    pub(crate) fn not_emulated(what: &str) -> Self {
        Self::new(
            Code::Unimplemented,
            format!("{what} is not emulated: this is a local Dataproc, not Google's"),
        )
    }

    /// The same error in the wrapping of Compute Engine, with the word that it uses for the reason.
    pub(crate) fn of_compute(self, reason: &'static str) -> Self {
        Self {
            style: Style::Compute { reason },
            ..self
        }
    }

    fn status(&self) -> StatusCode {
        if let Some(status) = self.http {
            return status;
        }
        match self.style {
            Style::Compute {
                reason: "conditionNotMet",
            } => StatusCode::PRECONDITION_FAILED,
            _ => self.code.http(),
        }
    }

    fn body(&self) -> Value {
        let number = self.status().as_u16();
        let mut error = json!({"code": number, "message": self.message});
        match self.style {
            Style::Dataproc => error["status"] = json!(self.code.name()),
            Style::Compute { reason } => {
                error["errors"] =
                    json!([{"message": self.message, "domain": "global", "reason": reason}]);
            }
        }
        if !self.details.is_empty() {
            error["details"] = json!(self.details);
        }
        json!({"error": error})
    }
}

impl IntoResponse for ApiFailure {
    fn into_response(self) -> Response {
        (self.status(), Json(self.body())).into_response()
    }
}
