//! Command lines for Apache Flink, built and read per version.
