//! Eviction.
