//! What a fault rule does to a call.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::extract::connect_info::ConnectInfo;
use axum::response::{IntoResponse as _, Response};
use futures::stream::{self, StreamExt as _};
use http::{HeaderValue, StatusCode, header};

use crate::connection::Connection;
use crate::faults::FaultEffect;

/// The longest answer that is cut in half by size; of a longer one comes the first half of this much.
const LONGEST: usize = 8 << 20;

/// Lets an effect happen to a call that `serve` would answer.
///
/// A request that came over no [`Connection`] cannot be cut: it is answered 502 instead.
pub async fn suffer<S, F>(effect: FaultEffect, request: Request, serve: S) -> Response
where
    S: FnOnce(Request) -> F,
    F: Future<Output = Response>,
{
    tracing::debug!(method = %request.method(), path = request.uri().path(), ?effect, "a fault rule strikes");
    let connection = request
        .extensions()
        .get::<ConnectInfo<Connection>>()
        .map(|ConnectInfo(connection)| connection.clone());
    let cut = || {
        if let Some(connection) = &connection {
            connection.cut();
        }
        StatusCode::BAD_GATEWAY.into_response()
    };
    match effect {
        FaultEffect::Answer { status, body } => answer(status, body),
        FaultEffect::Delay { millis } => {
            pause(Duration::from_millis(millis)).await;
            serve(request).await
        }
        FaultEffect::Reset => cut(),
        FaultEffect::HalfAnswer => half(serve(request).await).await,
        FaultEffect::AnswerLost => {
            serve(request).await;
            cut()
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a delay is real time for the client, whatever clock a server has"
)]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

fn answer(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = match serde_json::from_str::<serde_json::Value>(&body) {
        Ok(_) => "application/json; charset=UTF-8",
        Err(_) => "text/html; charset=UTF-8",
    };
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

/// Promises the whole body, sends half of it, and breaks off.
async fn half(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let promised = head.headers.get(header::CONTENT_LENGTH).cloned();
    let Ok(bytes) = axum::body::to_bytes(body, LONGEST).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let promised = promised.unwrap_or_else(|| HeaderValue::from(bytes.len()));
    head.headers.insert(header::CONTENT_LENGTH, promised);
    let first = stream::iter([Ok(bytes.slice(..bytes.len() / 2))]);
    let cut = stream::once(async {
        // The server sends what it has before it hears of the error; else the half would not come either.
        tokio::task::yield_now().await;
        Err::<Bytes, _>(std::io::Error::other("a fault rule"))
    });
    Response::from_parts(head, Body::from_stream(first.chain(cut)))
}
