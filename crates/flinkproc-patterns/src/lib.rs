//! The deployment patterns as journaled steps.
