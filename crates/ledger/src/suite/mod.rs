//! The behaviour of a ledger.
