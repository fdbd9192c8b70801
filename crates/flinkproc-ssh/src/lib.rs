//! An SSH connection to any host: run, spawn, upload, download, forward; shell quoting.
