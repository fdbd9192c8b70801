//! The relay of Identity-Aware Proxy: bytes in both directions, over broken WebSockets too, and its close codes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use dataproc_emulator::{EmulatorOptions, ScriptedOptions};
use futures::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::cloud::Cloud;

type Socket = WebSocketStream<TlsStream<TcpStream>>;

const TARGET: &str =
    "project=p&zone=europe-west1-b&instance=one-m&interface=nic0&newWebsocket=True";

/// Opens a WebSocket as gcloud does; `headers` are set beside its own.
async fn open(
    cloud: &Cloud,
    call: &str,
    headers: &[(&'static str, &str)],
) -> Result<Socket, Error> {
    let iap = cloud.emulator.iap();
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(iap.ca_file()).unwrap();
    roots.add(authority).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(iap.address()).await.unwrap();
    let name = ServerName::try_from(iap.address().ip().to_string()).unwrap();
    let tls = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .unwrap();
    let mut request = format!("{}/{call}", iap.url())
        .into_client_request()
        .unwrap();
    let own = [
        ("sec-websocket-protocol", "relay.tunnel.cloudproxy.app"),
        ("origin", "bot:iap-tunneler"),
    ];
    for (name, value) in own.iter().chain(headers) {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    client_async(request, tls).await.map(|(socket, _)| socket)
}

/// The next frame: its tag and what follows.
async fn frame(socket: &mut Socket) -> Result<(u16, Bytes), u16> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(mut bytes))) => return Ok((bytes.get_u16(), bytes)),
            Some(Ok(Message::Close(Some(close)))) => return Err(close.code.into()),
            Some(Ok(_)) => {}
            _ => return Err(0),
        }
    }
}

fn data(bytes: &[u8]) -> Message {
    let mut frame = BytesMut::new();
    frame.put_u16(4);
    frame.put_u32(u32::try_from(bytes.len()).unwrap());
    frame.put_slice(bytes);
    Message::Binary(frame.freeze())
}

fn ack(bytes: u64) -> Message {
    let mut frame = BytesMut::new();
    frame.put_u16(7);
    frame.put_u64(bytes);
    Message::Binary(frame.freeze())
}

async fn connect(cloud: &Cloud, port: u16) -> (Socket, String) {
    let mut socket = open(cloud, &format!("connect?{TARGET}&port={port}"), &[])
        .await
        .unwrap();
    let (tag, mut rest) = frame(&mut socket).await.unwrap();
    assert_eq!((tag, rest.get_u32() as usize), (1, rest.len()));
    (socket, String::from_utf8(rest.to_vec()).unwrap())
}

async fn refused(cloud: &Cloud, call: &str) -> u16 {
    let mut socket = open(cloud, call, &[]).await.unwrap();
    frame(&mut socket).await.unwrap_err()
}

#[tokio::test]
async fn port_22_is_the_machines_ssh_server() {
    let cloud = Cloud::new(ScriptedOptions::default()).await;
    let (mut socket, _) = connect(&cloud, 22).await;
    let (tag, mut rest) = frame(&mut socket).await.unwrap();
    assert_eq!(tag, 4);
    rest.advance(4);
    assert!(rest.starts_with(b"SSH-2.0-OpenSSH"), "{rest:?}");
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn no_byte_is_lost_when_websockets_break() {
    let cloud = Cloud::new(ScriptedOptions::default()).await;
    let machine = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = machine.local_addr().unwrap().port();
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let expected = sent.clone();
    let machine = tokio::spawn(async move {
        let (tcp, _) = machine.accept().await.unwrap();
        let (mut reader, mut writer) = tcp.into_split();
        let mut got = vec![0; expected.len()];
        let writing = async { writer.write_all(&expected).await.unwrap() };
        let reading = async { reader.read_exact(&mut got).await.unwrap() };
        tokio::join!(writing, reading);
        assert!(got == expected);
        // The end of the connection comes after everything that was sent.
    });
    let (mut socket, sid) = connect(&cloud, port).await;
    let mut got: Vec<u8> = Vec::new();
    let mut confirmed = 0_usize;
    let mut next = 0_usize;
    let mut breaks = 0;
    let code = loop {
        if breaks < 3 && got.len() > 700_000 * (breaks + 1) {
            breaks += 1;
            if breaks == 1 {
                cloud.emulator.iap().cut();
            }
            drop(socket);
            let call = format!(
                "reconnect?sid={sid}&ack={}&zone=z&newWebsocket=True",
                got.len()
            );
            socket = open(&cloud, &call, &[]).await.unwrap();
            let (tag, mut rest) = frame(&mut socket).await.unwrap();
            assert_eq!(tag, 2);
            confirmed = usize::try_from(rest.get_u64()).unwrap();
            next = confirmed;
        }
        if next < sent.len() && next - confirmed < 100_000 {
            let end = sent.len().min(next + 16_384);
            socket.send(data(&sent[next..end])).await.unwrap();
            next = end;
        }
        let answer = tokio::time::timeout(Duration::from_millis(5), frame(&mut socket)).await;
        match answer {
            Err(_) if next < sent.len() => confirmed = confirmed.max(next.saturating_sub(90_000)),
            Err(_) => {}
            Ok(Ok((4, mut rest))) => {
                let length = rest.get_u32() as usize;
                got.extend_from_slice(&rest[..length]);
                socket.send(ack(got.len() as u64)).await.unwrap();
            }
            Ok(Ok((7, mut rest))) => confirmed = usize::try_from(rest.get_u64()).unwrap(),
            Ok(Ok(other)) => panic!("{other:?}"),
            Ok(Err(code)) => break code,
        }
    };
    assert_eq!((code, breaks), (4010, 3));
    machine.await.unwrap();
    assert!(got == sent, "{} of {}", got.len(), sent.len());
    let call = format!("reconnect?sid={sid}&ack=0");
    let deadline = Instant::now() + Duration::from_secs(20);
    while cloud.emulator.iap().sessions() > 0 {
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    assert_eq!(refused(&cloud, &call).await, 4001);
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn each_failure_has_its_code() {
    let cloud = Cloud::new(ScriptedOptions::default()).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = closed.local_addr().unwrap().port();
    drop(closed);
    assert_eq!(
        refused(&cloud, &format!("connect?{TARGET}&port={free}")).await,
        4003
    );
    let nobody = TARGET.replace("one-m", "two-m");
    assert_eq!(
        refused(&cloud, &format!("connect?{nobody}&port=22")).await,
        4047
    );
    let card = TARGET.replace("nic0", "nic1");
    assert_eq!(
        refused(&cloud, &format!("connect?{card}&port=22")).await,
        4047
    );
    assert_eq!(refused(&cloud, "reconnect?sid=none&ack=0").await, 4001);

    let trouble = json!({"close": 4051, "times": 1});
    assert_eq!(
        cloud.call("POST", "emulator/v1/iap", Some(trouble)).await.0,
        200
    );
    let wrong = json!({"close": 1000});
    assert_eq!(
        cloud.call("POST", "emulator/v1/iap", Some(wrong)).await.0,
        400
    );
    cloud.emulator.iap().refuse_next(4004, 1);
    assert_eq!(
        refused(&cloud, &format!("connect?{TARGET}&port=22")).await,
        4051
    );
    assert_eq!(
        refused(&cloud, &format!("connect?{TARGET}&port=22")).await,
        4004
    );
    let permissions = json!({"denied": ["iap.tunnelInstances.accessViaIAP"]});
    cloud
        .call("POST", "emulator/v1/permissions", Some(permissions))
        .await;
    assert_eq!(
        refused(&cloud, &format!("connect?{TARGET}&port=22")).await,
        4033
    );
    cloud
        .call(
            "POST",
            "emulator/v1/permissions",
            Some(json!({"denied": []})),
        )
        .await;

    let after = async |message: Message| {
        let (mut socket, _) = connect(&cloud, 22).await;
        socket.send(message).await.unwrap();
        loop {
            match frame(&mut socket).await {
                Ok(_) => {}
                Err(code) => return code,
            }
        }
    };
    assert_eq!(after(Message::text("hello")).await, 4007);
    assert_eq!(after(Message::binary(vec![0, 9])).await, 4008);
    assert_eq!(
        after(Message::binary(vec![0, 4, 0, 0, 0, 9, 1])).await,
        4013
    );
    assert_eq!(after(ack(1 << 40)).await, 4006);
    let (socket, sid) = connect(&cloud, 22).await;
    drop(socket);
    assert_eq!(
        refused(&cloud, &format!("reconnect?sid={sid}&ack=99999999")).await,
        4005
    );
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn bad_handshakes_are_answered_by_a_status() {
    let options = EmulatorOptions::default();
    let cloud = Cloud::with(ScriptedOptions::default(), options, json!({})).await;
    let status = async |call: &str, headers: &[(&'static str, &str)]| match open(
        &cloud, call, headers,
    )
    .await
    {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("{other:?}"),
    };
    assert_eq!(status("connect?project=p&port=22", &[]).await, 400);
    assert_eq!(
        status(&format!("connect?{TARGET}&port=seventy"), &[]).await,
        400
    );
    assert_eq!(status(&format!("connect?{TARGET}&port=0"), &[]).await, 400);
    assert_eq!(status("reconnect?sid=x", &[]).await, 400);
    assert_eq!(status("other", &[]).await, 404);
    assert_eq!(
        status("connect?project=p&region=r&network=n&host=h&port=22", &[]).await,
        501
    );
    let call = format!("connect?{TARGET}&port=22");
    assert_eq!(
        status(&call, &[("sec-websocket-protocol", "chat")]).await,
        400
    );
    assert_eq!(
        status(&call, &[("origin", "https://example.com")]).await,
        403
    );
    assert_eq!(status(&call, &[("host", "example.com")]).await, 403);

    let options = EmulatorOptions::default().token("a-secret");
    let closed = Cloud::with(ScriptedOptions::default(), options, json!({})).await;
    for bearer in ["", "Bearer another"] {
        match open(&closed, &call, &[("authorization", bearer)]).await {
            Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 401),
            other => panic!("{other:?}"),
        }
    }
    let mut socket = open(&closed, &call, &[("authorization", "Bearer a-secret")])
        .await
        .unwrap();
    assert_eq!(frame(&mut socket).await.unwrap().0, 1);
    closed.emulator.stop().await;
    cloud.emulator.stop().await;
}
