//! Ways to hand a PyFlink job to a Dataproc cluster, one file each.
