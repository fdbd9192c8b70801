//! Cloud Storage on a folder, for tests and local work.
//!
//! The JSON API of Google Cloud Storage, as far as deployments, Hadoop's connector, Flink's file system, `gcloud storage`
//! and Google's client libraries use it: buckets with labels and versions; simple, multipart and resumable upload; whole and
//! ranged download, gzip undone where the client does not take it; lists by prefix, delimiter, offsets and glob, with old
//! generations; preconditions on generations; MD5 and CRC32C; copy, rewrite in steps, and compose; batches; and, of the XML
//! API, the calls on one object that signed addresses use. Objects of any size pass through in a few MiB of memory, and are
//! on the disk whole or not at all. Upload sessions end with the emulator.
//!
//! It refuses to listen beyond loopback. Without a [token](Options::token) it answers every program on this machine that
//! names it by a loopback address; it asks nobody for permissions, and checks no signatures. It knows neither access lists
//! nor encryption keys, holds, retention, lifecycle rules, soft delete, notifications or folders, speaks no gRPC, always
//! answers with whole resources whatever `fields` asks for, and answers 501 to what it does not know. The words of refusals
//! are the service's where its documentation has them; status and shape are what is promised.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use gcs_emulator::{Emulator, Options};
//!
//! let folder = tempfile::tempdir()?;
//! let emulator = Emulator::start(Options::new(folder.path())).await?;
//! emulator.create_bucket("my-bucket")?;
//!
//! let client = reqwest::Client::new();
//! let upload = format!("{}/upload/storage/v1/b/my-bucket/o?name=a/b.txt", emulator.url());
//! client.post(upload).body("hello").send().await?.error_for_status()?;
//! let object = format!("{}/storage/v1/b/my-bucket/o/a%2Fb.txt?alt=media", emulator.url());
//! assert_eq!(client.get(object).send().await?.text().await?, "hello");
//! emulator.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Calls go wrong on demand, by [`faults`]: `POST /emulator/v1/faults`, `--faults FILE`, or [`Options::faults`]. The
//! emulator's own calls lie below `/emulator/v1/`: `health` needs no token, `faults` lists, adds and ends rules.
//!
//! Reading order: [`server`] starts and stops it on a [`connection`], `door` asks the [`guard`] and the [`faults`] that
//! [`strike`], `call` sends a request where its `path` belongs; `upload`, `session` and `multipart` take content in through
//! `incoming`, `download`, `listing` (with `glob`), `copy`, `buckets`, `batch` and `xml` do the rest; [`store`] keeps it all
//! on the `disk`, as [`object`]s under [`preconditions`]; [`failure`] is what may go wrong.

mod batch;
mod buckets;
mod call;
pub mod connection;
mod copy;
mod disk;
mod door;
mod download;
pub mod failure;
pub mod faults;
mod glob;
pub mod guard;
mod incoming;
mod listing;
mod multipart;
pub mod object;
mod path;
pub mod preconditions;
pub mod server;
mod session;
pub mod store;
pub mod strike;
mod upload;
mod xml;

pub use failure::Failure;
pub use faults::{FaultEffect, FaultRule, Faults};
pub use guard::Guard;
pub use server::{Emulator, Options, StartError};
pub use store::Store;
