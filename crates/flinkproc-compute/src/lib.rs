//! Where a machine of a cluster is, and who may enter it.
