//! Files named by their content, in Cloud Storage, a directory or memory.
//!
//! [`Staging`] is the few calls that a deployment needs of an object store: write what is not there yet, look, read,
//! list, delete. Everything is idempotent, so a lost answer is no more than a second call. [`LocalFile`] finds a file's
//! SHA-256, which names its object, and its CRC32C, which every upload is checked by on both sides.
//!
//! It never overwrites an object, never discovers credentials or an endpoint, knows no access control, and retries only
//! what is safe to repeat, waiting by the [`Clock`](flinkproc_core::Clock) it was given.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use flinkproc_staging::{LocalFile, MemoryStaging, Put, StagingExt as _};
//!
//! let folder = tempfile::tempdir()?;
//! let script = folder.path().join("etl.py");
//! std::fs::write(&script, "print('hello')")?;
//!
//! let staging = MemoryStaging::new().with_bucket("my-bucket".parse()?);
//! let file = LocalFile::read(script).await?;
//! let (object, put) = staging.put_by_content(&"gs://my-bucket".parse()?, &file).await?;
//! assert_eq!(put, Put::Written);
//! assert_eq!(object.to_string(), format!("gs://my-bucket/flinkproc/{}/etl.py", file.sha256));
//! assert_eq!(staging.read_all(&object).await?, "print('hello')");
//! # Ok(())
//! # }
//! ```
//!
//! Reading order: [`staging`] is the trait; [`digest`] names files; [`transfer`] builds on both. [`memory`] and
//! [`directory`] are stateful doubles, `google` is Cloud Storage, `contract` (behind a feature) is what they all must
//! do, `faulty` makes any of them fail on demand, and [`error`] is what may go wrong.

#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod digest;
pub mod directory;
pub mod error;
mod faulty;
#[cfg(feature = "google")]
pub mod google;
#[cfg(feature = "google")]
mod google_api;
#[cfg(feature = "google")]
mod google_values;
pub mod memory;
pub mod staging;
pub mod transfer;

pub use digest::{ContentHash, InvalidHash, LocalFile, content_address};
pub use directory::DirectoryStaging;
pub use error::StagingError;
#[cfg(feature = "google")]
pub use google::GoogleStaging;
pub use memory::MemoryStaging;
pub use staging::{Content, ObjectMeta, Put, Staging};
pub use transfer::{SIDE_BY_SIDE, StagingExt};
