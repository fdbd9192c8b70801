//! What happens to a request before it is a call: who asks, the emulator's own calls, fault rules.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::call;
use crate::call::ok;
use crate::failure::Failure;
use crate::faults::FaultRule;
use crate::server::Server;
use crate::strike::suffer;

/// The longest body of an admin call.
const LONGEST: usize = 1 << 20;

/// Where the emulator's own calls are.
const ADMIN: &str = "/emulator/v1/";

/// Answers any request.
pub(crate) async fn enter(State(server): State<Arc<Server>>, request: Request) -> Response {
    let path = request.uri().path();
    if path == "/emulator/v1/health" {
        return ok(&json!({"status": "ok"}));
    }
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    if let Err(refused) = server.guard.check(request.headers(), authority) {
        return Failure::from(refused).into_response();
    }
    if path.starts_with(ADMIN) {
        let answer = admin(&server, request).await;
        return answer.unwrap_or_else(Failure::into_response);
    }
    match server.faults.strike(request.method().as_str(), path) {
        None => call::answer(&server, request).await,
        Some(effect) => suffer(effect, request, |request| call::answer(&server, request)).await,
    }
}

async fn admin(server: &Server, request: Request) -> Result<Response, Failure> {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    match (method, path.strip_prefix(ADMIN)) {
        (Method::GET, Some("faults")) => {
            let rule = |(rule, seen)| json!({"rule": rule, "seen": seen});
            let rules: Vec<Value> = server.faults.list().into_iter().map(rule).collect();
            Ok(ok(&json!({"faults": rules})))
        }
        (Method::POST, Some("faults")) => {
            let body = axum::body::to_bytes(request.into_body(), LONGEST);
            let body = body.await.map_err(|_| Failure::TooLarge)?;
            let rule: FaultRule = serde_json::from_slice(&body)
                .map_err(|error| Failure::Invalid(error.to_string()))?;
            server.faults.add(rule);
            Ok(ok(&json!({})))
        }
        (Method::DELETE, Some("faults")) => {
            server.faults.clear();
            Ok(ok(&json!({})))
        }
        (method, _) => {
            let text = format!("the emulator has no call {method} {path}\n");
            Ok((StatusCode::NOT_FOUND, text).into_response())
        }
    }
}
