//! The Dataproc control plane behind two small traits.
