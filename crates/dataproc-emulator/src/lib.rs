//! The Dataproc API, and what else a deployment calls, on one machine.
//!
//! Dataproc v1 over REST for clusters and their operations — states, request ids, validation, errors of the real shape,
//! idle and age timers on a clock that can be moved on — and the calls of Compute Engine by which a deployment finds a
//! machine and lets a key in. What a cluster *is* comes in through [`ClusterRuntime`]: [`ScriptedRuntime`] here gives each
//! a real SSH server and a fake `flink`; others bring real parts.
//!
//! It refuses to listen beyond loopback. Without a token, every program on this machine may call, and pages in a browser may
//! not (by `Host` and `Origin`); with [`EmulatorOptions::token`], only calls that bring it are answered. It keeps nothing when
//! it ends. Calls that it does not know answer 501 with "not emulated". Bodies of more than 2 MiB are refused (Google's bound
//! is 10 MiB), heads of more than 64 KiB too, and connections that bring nothing for [`EmulatorOptions::patience`] are closed.
//!
//! Errors are `google.rpc.Status` with `BadRequest` or `ErrorInfo` where a field or a reason can be named. Only some of
//! their texts could be seen in the real service: rely on the status and the shape, not on the words.
//!
//! Autoscaling policies are checked as documented, and followed: what [`ClusterRuntime::yarn_memory`] tells is averaged over
//! each cooldown period of the emulator's clock, and the cluster is changed as by a patch. How a change is shared out to
//! primary and secondary workers beyond their weights is not documented; `autoscaler` says what was decided.
//!
//! Workflow templates have versions and parameters; a workflow runs its jobs as soon as those before them have ended, on a
//! cluster that is made for it and deleted in every outcome, or on the first by name that has the labels asked for. Steps
//! that do not depend on a failed one go on, which the real service may do otherwise.
//!
//! The Jobs API runs jobs of the types Pig, PySpark, Hadoop and Flink, and `pyflinkJob` as gcloud's hidden command sends it;
//! other types answer 501. What their drivers print is in numbered objects of the cluster's bucket while it is printed,
//! closed by an empty one; without a Cloud Storage it is nowhere. Jobs restart as `scheduling` says, count as work for the
//! idle timer, and end with their cluster. Details of states, and where the output of a second attempt goes, could not be
//! seen in the real service: their shape is right, their words are ours. Substates are not told.
//!
//! Around it, as far as deployments call them: Compute Engine's machines, metadata, operations, places and quotas; OS Login,
//! whose keys enter machines with `enable-oslogin` until they expire; the relay of Identity-Aware Proxy ([`Iap`]) with its
//! close codes, over TLS by an authority that is made at each start; a metadata server for each cluster, told by
//! [`ClusterFacts::metadata_host`]; permissions (all but those that `POST /emulator/v1/permissions` takes away), Secret
//! Manager, Cloud Logging and Service Usage in little. Everybody may use every OS Login profile; when the real service
//! forgets an expired key is not documented, here it is two days later at the next import. Machines with a second factor,
//! security keys or certificates let nobody in. All machines of a cluster that speak from 127.0.0.1 are its master to the
//! metadata server, whose identity tokens nobody has signed. Quotas are told, not enforced. Drivers' output is not logged.
//!
//! [`FaultRule`]s make chosen calls fail, hang or break off, and clusters run out of stock, fail, vanish or lose machines.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use dataproc_emulator::{Emulator, EmulatorOptions, ScriptedRuntime};
//!
//! let runtime = Arc::new(ScriptedRuntime::without_machines());
//! let emulator = Emulator::start(runtime, EmulatorOptions::default()).await?;
//!
//! let clusters = format!("{}/v1/projects/my-project/regions/europe-west1/clusters", emulator.url());
//! let lifecycle = serde_json::json!({"autoDeleteTtl": "3600s"});
//! let cluster = serde_json::json!({"clusterName": "mine", "config": {"lifecycleConfig": lifecycle}});
//! let client = reqwest::Client::new();
//! client.post(&clusters).json(&cluster).send().await?.error_for_status()?;
//! assert_eq!(emulator.clusters().len(), 1);
//!
//! emulator.advance(Duration::from_secs(3601)).await;
//! let answer = client.get(format!("{clusters}/mine")).send().await?;
//! assert!(answer.status() == 404 || answer.text().await?.contains("DELETING"));
//! emulator.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Reading order: [`runtime`] is the joint, [`emulator`] starts and stops everything; `routes` says which call goes
//! where, after `access` has let them in; `clusters`, `jobs`, `policies`, `templates`, `operations` and `compute` are the
//! calls, one file for each family of them; `lifecycle`, `cancelling`, `update` and `timers` are what happens to a cluster, `autoscale`,
//! `diagnose` and `preemption` too, `workflow` is what a template does, `storage` is what is written to Cloud Storage,
//! `service` is what is known of all; `resource`, `machine_group`, `image`, `lifetime`, `policy`, `template`, `schema`,
//! `filter` and `listing` read requests, `autoscaler` reckons, `routes_around` leads to the services around: `compute_…`,
//! `os_login`, `iap`, `metadata_server`, `iam`, `quotas`, `secrets`, `logging` and `service_usage`; `failure` refuses; [`faults`] and `admin` are for tests; [`scripted`] is the runtime here.

pub mod runtime;

mod access;
pub mod emulator;
mod server;

mod routes;
mod routes_around;

mod clusters;
mod compute;
mod compute_list;
mod compute_operations;
mod compute_places;
mod iam;
mod jobs;
mod log_filter;
mod logging;
mod operations;
mod os_login;
mod os_login_profile;
mod policies;
mod quotas;
mod secrets;
mod service_usage;
mod templates;

mod iap;
mod iap_frames;
mod iap_session;
mod local_ca;

mod metadata_server;
mod metadata_tree;

mod autoscale;
mod autoscaler;
mod diagnose;
mod lifecycle;
mod machines;
mod preemption;
mod service;
mod storage;
mod timers;
mod update;
mod workflow;
mod workflow_graph;

mod cancelling;
mod clock;
mod failure;
mod filter;
mod image;
mod lifetime;
mod listing;
mod machine_group;
mod policy;
mod resource;
mod schema;
mod template;
mod template_field;
mod template_parameters;

mod admin;
pub mod faults;

pub mod scripted;

pub use emulator::{Emulator, EmulatorOptions, StartError};
pub use faults::{FaultEffect, FaultRule, Faults};
pub use iap::Iap;
pub use local_ca::CaError;
pub use runtime::{
    ClusterFacts, ClusterRuntime, DriverOutput, JobEnd, JobFacts, Machine, Machines, MetadataKey,
    RuntimeError, YarnApplication, YarnMemory,
};
pub use scripted::{
    Addresses, FlinkScript, JobScript, ScriptedMachine, ScriptedOptions, ScriptedRuntime, YarnEnd,
};
