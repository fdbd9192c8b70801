//! Cloud Storage on a folder, for tests and local work.
