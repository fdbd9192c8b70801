//! Files named by their content, in Cloud Storage, a directory or memory.
