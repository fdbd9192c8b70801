//! What every call passes first: who may call, how large a body may be, and errors that all look like Google's.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures::StreamExt as _;
use gcs_emulator::guard::Refused;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use crate::failure::{ApiFailure, Code};
use crate::service::Service;

/// The largest body. The real service takes 10 MiB; what is below that and above this is refused here, because a value in
/// memory can take thirty times the room of its text.
const LARGEST_BODY: usize = 2 * 1024 * 1024;
/// How much of a body that is too large is still read and thrown away, so that its sender comes to read the answer.
const THROWN_AWAY: usize = 64 * 1024 * 1024;
/// Always answered, so that whoever starts an emulator can wait for it.
const HEALTH: &str = "/emulator/v1/health";

/// Lets those in who may call, and their bodies if they are neither too large nor too slow.
pub(crate) async fn layer(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let compute = request.uri().path().starts_with("/compute/");
    let styled = |failure: ApiFailure| match compute {
        true => failure.of_compute("invalid").into_response(),
        false => failure.into_response(),
    };
    if request.uri().path() != HEALTH {
        let authority = request.uri().authority().map(|a| a.as_str());
        if let Err(refused) = service.guard.check(request.headers(), authority) {
            return refusal(refused, styled);
        }
        if !service.guard.is_closed() && is_foreign_page(request.headers()) {
            return refusal(Refused::ForeignHost, styled);
        }
    }
    if !is_utf8(request.uri()) {
        return styled(ApiFailure::invalid("The request path is not valid UTF-8."));
    }
    match whole(request, service.patience).await {
        Ok(request) => next.run(request).await,
        Err(failure) => styled(failure),
    }
}

fn refusal(refused: Refused, styled: impl FnOnce(ApiFailure) -> Response) -> Response {
    let (message, reason) = match refused {
        Refused::NoToken => (
            "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
            "CREDENTIALS_MISSING",
        ),
        Refused::WrongToken => (
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
            "ACCESS_TOKEN_TYPE_UNSUPPORTED",
        ),
        _ => {
            let message = "This emulator has no token and answers only to calls that name a loopback address or localhost as their host and do not come from another site's page.";
            return styled(ApiFailure::new(Code::PermissionDenied, message));
        }
    };
    let failure = ApiFailure::new(Code::Unauthenticated, message).because(reason);
    let mut answer = styled(failure);
    let bearer = HeaderValue::from_static("Bearer realm=\"https://accounts.google.com/\"");
    answer
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, bearer);
    answer
}

/// Whether a page of another site sends this through somebody's browser, which names that site as the origin.
fn is_foreign_page(headers: &HeaderMap) -> bool {
    let origin = headers.get(header::ORIGIN);
    let Some(origin) = origin.map(|it| it.to_str().unwrap_or_default()) else {
        return false;
    };
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    let mut as_host = HeaderMap::new();
    if let Ok(host) = HeaderValue::from_str(host) {
        as_host.insert(header::HOST, host);
    }
    gcs_emulator::Guard::open().check(&as_host, None).is_err()
}

/// Whether the path is UTF-8 once its `%XX` are read.
fn is_utf8(uri: &Uri) -> bool {
    let path = uri.path();
    if !path.contains('%') {
        return true;
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = (first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|code| std::str::from_utf8(code).ok())
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = match code {
            Some(_) => after.get(2..).unwrap_or_default(),
            None => after,
        };
    }
    std::str::from_utf8(&bytes).is_ok()
}

/// Reads the body before anything else looks at it.
async fn whole(request: Request, patience: Duration) -> Result<Request, ApiFailure> {
    let (parts, body) = request.into_parts();
    let length = parts.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|l| l.to_str().ok()?.parse::<usize>().ok());
    if length.unwrap_or(0) == 0 && !parts.headers.contains_key(header::TRANSFER_ENCODING) {
        return Ok(Request::from_parts(parts, Body::empty()));
    }
    let too_large = || {
        ApiFailure::invalid(format!(
            "Request payload size exceeds the limit: {LARGEST_BODY} bytes."
        ))
    };
    let reading = async {
        let mut stream = body.into_data_stream();
        let mut read = BytesMut::new();
        let mut seen = 0_usize;
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|_| ApiFailure::invalid("The request's body broke off."))?;
            seen = seen.saturating_add(piece.len());
            if seen > THROWN_AWAY {
                return Err(too_large());
            }
            if seen > LARGEST_BODY {
                read = BytesMut::new();
            } else {
                read.extend_from_slice(&piece);
            }
        }
        match seen {
            0..=LARGEST_BODY => Ok(read.freeze()),
            _ => Err(too_large()),
        }
    };
    let read = match tokio::time::timeout(patience, reading).await {
        Ok(read) => read?,
        Err(_) => {
            let message = "The request's body did not arrive in time.";
            return Err(ApiFailure::new(Code::DeadlineExceeded, message).with_http(408));
        }
    };
    Ok(Request::from_parts(parts, Body::from(read)))
}

/// Puts refusals of the HTTP layer, which are plain text, into Google's words.
pub(crate) async fn reword(request: Request, next: Next) -> Response {
    let compute = request.uri().path().starts_with("/compute/");
    let answer = next.run(request).await;
    if !answer.status().is_client_error() && answer.status() != StatusCode::INTERNAL_SERVER_ERROR {
        return answer;
    }
    let kind = answer.headers().get(header::CONTENT_TYPE);
    if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain")) {
        return answer;
    }
    let text = axum::body::to_bytes(answer.into_body(), 4096).await;
    let text = text.unwrap_or_default();
    let failure = ApiFailure::invalid(String::from_utf8_lossy(&text));
    match compute {
        true => failure.of_compute("invalid").into_response(),
        false => failure.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{is_foreign_page, is_utf8};

    #[test]
    fn pages_of_other_sites_are_known_by_their_origin() {
        let check = |origin: &str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert("origin", HeaderValue::from_str(origin).unwrap());
            assert_eq!(is_foreign_page(&headers), expected, "{origin}");
        };
        check("https://example.org", true);
        check("null", true);
        check("http://localhost:8888", false);
        check("http://127.0.0.1", false);
        assert!(!is_foreign_page(&HeaderMap::new()));
    }

    #[test]
    fn paths_are_utf8_after_decoding() {
        let check = |path: &str, expected: bool| {
            assert_eq!(is_utf8(&path.parse().unwrap()), expected, "{path}");
        };
        check("/v1/a", true);
        check("/v1/%C3%A4", true);
        check("/v1/%FF", false);
        check("/v1/%", true);
        check("/v1/%zz%C3", false);
    }
}
