//! The REST interfaces of YARN and Flink as typed values.
