//! Cloud Storage on a folder, for tests and local work.
//!
//! The JSON API of Google Cloud Storage, as far as deployments, Hadoop's connector, Flink's file system, `gcloud storage`
//! and Google's client libraries use it: buckets; simple, multipart and resumable upload; whole and ranged download;
//! lists; preconditions on generations; MD5 and CRC32C; copy, rewrite and compose; batches. Objects of any size pass
//! through in about 2 MiB of memory, and are on the disk whole or not at all.
//!
//! It refuses to listen beyond loopback, because it asks nobody who they are. It keeps only the newest generation of an
//! object, knows neither access control nor encryption keys nor lifecycle rules, speaks no gRPC and no XML, and answers
//! 501 to what it does not know.
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
//! Reading order: [`server`] starts and stops it, `call` sends a request where its `path` belongs; `upload`, `session`
//! and `multipart` take content in through `incoming`, `download`, `listing`, `copy` and `batch` do the rest; [`store`]
//! keeps it all, as [`object`]s under [`preconditions`]; [`failure`] is what may go wrong.

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
