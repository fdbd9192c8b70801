//! The Dataproc API, and what else a deployment calls, on one machine.
