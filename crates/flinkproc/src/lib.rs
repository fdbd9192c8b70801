//! Deploys PyFlink jobs on Google Cloud Dataproc.
