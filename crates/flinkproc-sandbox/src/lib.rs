//! A Dataproc on this machine with real YARN, Flink and OpenSSH.
