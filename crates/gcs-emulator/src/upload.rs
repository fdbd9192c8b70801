//! Uploads in one request, and the way to those in several.

use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http::{HeaderMap, Method, header};

use crate::buckets::refuse_acl;
use crate::call::{Call, blocking, ok, parse_json};
use crate::failure::Failure;
use crate::incoming::{Incoming, Received};
use crate::multipart::{self, PartEnd};
use crate::object::{Attributes, Checksums, Object};
use crate::path::check_object_name;
use crate::preconditions::Preconditions;
use crate::session;
use crate::store::{NewObject, Store};

/// The longest metadata in front of the content of a multipart upload.
const LONGEST_HEAD: usize = 1 << 20;

/// `/upload/storage/v1/b/B/o` in all its ways.
pub(crate) async fn upload(call: Call, bucket: String) -> Result<Response, Failure> {
    if let Some(id) = call.query.get("upload_id").map(str::to_owned) {
        return session::continue_upload(call, &id).await;
    }
    if call.method != Method::POST && call.method != Method::PUT {
        return Err(call.not_emulated());
    }
    refuse_acl(&call)?;
    match call.query.get("uploadType").unwrap_or("media") {
        "resumable" => session::start(call, bucket).await,
        "multipart" => multipart_upload(call, bucket).await,
        "media" => simple_upload(call, bucket).await,
        other => Err(Failure::Invalid(format!("invalid uploadType: {other}"))),
    }
}

/// Where an upload goes and what it must fulfil.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) bucket: String,
    pub(crate) name: String,
    pub(crate) attributes: Attributes,
    pub(crate) conditions: Preconditions,
}

impl Destination {
    pub(crate) fn new(
        call: &Call,
        bucket: String,
        attributes: Attributes,
    ) -> Result<Self, Failure> {
        let name = call.query.get("name").map(str::to_owned);
        let name = name
            .or_else(|| attributes.name.clone())
            .ok_or(Failure::Required("name"))?;
        Ok(Self {
            bucket,
            name,
            attributes,
            conditions: Preconditions::from_query(&call.query)?,
        })
    }

    /// Refuses early what would be refused at the end.
    pub(crate) fn check_now(&self, store: &Store) -> Result<(), Failure> {
        store.bucket(&self.bucket)?;
        check_object_name(&self.name)?;
        let live = store.object(&self.bucket, &self.name, None).ok();
        self.conditions.check(live.as_deref())
    }

    /// Makes whole content the object.
    pub(crate) async fn commit(
        mut self,
        store: Arc<Store>,
        content: Received,
        headers: &HeaderMap,
    ) -> Result<Arc<Object>, Failure> {
        check_sums(&content.sums, &self.attributes, headers)?;
        self.attributes.name = None;
        blocking(move || {
            let new = NewObject {
                bucket: self.bucket,
                name: self.name,
                attributes: self.attributes,
                conditions: self.conditions,
                components: None,
            };
            store.commit(new, &content)
        })
        .await
    }
}

fn of_headers(call: &Call) -> Attributes {
    let text = |name: header::HeaderName| call.header(name.as_str()).map(str::to_owned);
    let encoding = call.query.get("contentEncoding").map(str::to_owned);
    Attributes {
        content_type: text(header::CONTENT_TYPE),
        content_encoding: encoding.or_else(|| text(header::CONTENT_ENCODING)),
        ..Attributes::default()
    }
}

async fn simple_upload(call: Call, bucket: String) -> Result<Response, Failure> {
    let attributes = of_headers(&call);
    let destination = Destination::new(&call, bucket, attributes)?;
    let (bucket, base) = (destination.bucket.clone(), call.base());
    let object = whole(call, destination).await?;
    Ok(ok(&object.resource(&bucket, &base)))
}

/// Makes a whole body an object.
pub(crate) async fn whole(call: Call, destination: Destination) -> Result<Arc<Object>, Failure> {
    destination.check_now(&call.server.store)?;
    let mut incoming = Incoming::below(&call.server.store.incoming());
    let mut stream = call.body.into_data_stream();
    while let Some(bytes) = next(&mut stream).await? {
        incoming.push(bytes).await?;
    }
    let content = incoming.finish().await?;
    let store = Arc::clone(&call.server.store);
    destination.commit(store, content, &call.headers).await
}

async fn multipart_upload(mut call: Call, bucket: String) -> Result<Response, Failure> {
    if call.header(header::CONTENT_ENCODING.as_str()).is_some() {
        return Err(Failure::NotEmulated(
            "a compressed multipart upload".to_owned(),
        ));
    }
    let kind = call.header(header::CONTENT_TYPE.as_str());
    let boundary = multipart::boundary(kind.unwrap_or_default())?;
    let body = std::mem::replace(&mut call.body, Body::empty());
    let mut stream = body.into_data_stream();
    let mut beginning = BytesMut::new();
    let head = loop {
        let Some(bytes) = next(&mut stream).await? else {
            return Err(Failure::Invalid("the multipart body is broken".to_owned()));
        };
        beginning.extend_from_slice(&bytes);
        let so_far = beginning.clone().freeze();
        if let Some(head) = multipart::upload_head(&so_far, &boundary) {
            break head;
        }
        if beginning.len() > LONGEST_HEAD {
            return Err(Failure::Invalid("the metadata part is too long".to_owned()));
        }
    };
    let mut attributes = Attributes::read(&parse_json(&head.metadata)?)?;
    if attributes.content_type.is_none() {
        attributes.content_type = head.content_type;
    }
    let destination = Destination::new(&call, bucket, attributes)?;
    destination.check_now(&call.server.store)?;
    let mut incoming = Incoming::below(&call.server.store.incoming());
    let mut end = PartEnd::new(&head.delimiter);
    let mut chunk = Some(beginning.freeze().slice(head.start..));
    while let Some(bytes) = chunk {
        for piece in end.feed(&bytes) {
            if !piece.is_empty() {
                incoming.push(piece).await?;
            }
        }
        chunk = next(&mut stream).await?;
    }
    if !end.found() {
        return Err(Failure::Invalid("the multipart body is broken".to_owned()));
    }
    let content = incoming.finish().await?;
    let bucket = destination.bucket.clone();
    let store = Arc::clone(&call.server.store);
    let object = destination.commit(store, content, &call.headers).await?;
    Ok(ok(&object.resource(&bucket, &call.base())))
}

/// The next piece of a body.
pub(crate) async fn next(stream: &mut BodyDataStream) -> Result<Option<Bytes>, Failure> {
    stream
        .next()
        .await
        .transpose()
        .map_err(|_| Failure::BodyEndedEarly)
}

/// Compares the content with every checksum that the client gave, in the metadata or in headers.
fn check_sums(sums: &Checksums, given: &Attributes, headers: &HeaderMap) -> Result<(), Failure> {
    let is = |kind: &str, wanted: &str| {
        let actual = match kind {
            "crc32c" => sums.crc32c_text(),
            _ => sums.md5_text().unwrap_or_default(),
        };
        let decode = |text: &str| BASE64_STANDARD.decode(text).ok();
        if decode(&actual) == decode(wanted.trim()) {
            Ok(())
        } else {
            Err(Failure::Invalid(format!(
                "Provided {kind} hash \"{wanted}\" doesn't match calculated {kind} hash \"{actual}\"."
            )))
        }
    };
    if let Some(wanted) = &given.crc32c {
        is("crc32c", wanted)?;
    }
    if let Some(wanted) = &given.md5_hash {
        is("md5", wanted)?;
    }
    let texts = |name: &'static str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|it| it.to_str().ok())
    };
    for wanted in texts("content-md5") {
        is("md5", wanted)?;
    }
    for hashes in texts("x-goog-hash") {
        for (kind, wanted) in hashes.split(',').filter_map(|it| it.split_once('=')) {
            match kind.trim() {
                "crc32c" => is("crc32c", wanted)?,
                "md5" => is("md5", wanted)?,
                _ => {}
            }
        }
    }
    Ok(())
}
