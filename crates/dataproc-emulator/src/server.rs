//! The listening side: connections that a fault rule can cut and that end when nothing comes.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::response::Response;
use gcs_emulator::connection::Stream;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::real_sleep;

/// The longest head of a request; longer ones are answered with 431.
const LONGEST_HEAD: usize = 64 * 1024;
/// How long to wait before accepting again when the process has no file descriptor left.
const BREATH: Duration = Duration::from_millis(50);

/// Answers until `stop` says so, and then until the last connection has ended.
///
/// A connection that does not bring the whole head of its next request within `patience` is closed.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    patience: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let app = TowerToHyperService::new(app);
    let mut connections = JoinSet::new();
    loop {
        let tcp = tokio::select! {
            () = stopped(&mut stop) => break,
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => tcp,
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    real_sleep(BREATH).await;
                    continue;
                }
            },
            _ = connections.join_next(), if !connections.is_empty() => continue,
        };
        connections.spawn(answer(tcp, app.clone(), patience, stop.clone()));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the handle was dropped, which ends the serving too.
    stop.wait_for(|stop| *stop).await.ok();
}

async fn answer(
    tcp: TcpStream,
    app: TowerToHyperService<Router>,
    patience: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let stream = Stream::over(tcp);
    let connection = stream.connection();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let known = ConnectInfo(connection.clone());
        request.extensions_mut().insert(known);
        let answering = app.call(request);
        async move { Ok::<Response, Infallible>(answering.await.unwrap_or_else(|never| match never {})) }
    });
    let mut serving = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(patience)
            .max_buf_size(LONGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stopped(&mut stop) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
