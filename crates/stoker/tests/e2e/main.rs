//! End to end: the real executable between programs that nobody here wrote.
//!
//! The origin is Debian's nginx, whose access log is the witness of what was pulled; the callers are
//! the vendor's SDKs for Python and Node, older and newer, and `tccli`; playlists are made by
//! ffmpeg. `check.sh` installs them all.
//! Every test has its own directory, its own nginx, its own `stoker up` on free ports.

#![expect(clippy::unwrap_used, clippy::panic, reason = "all of this is tests")]

mod away;
mod bad_input;
mod check;
mod clients;
mod control;
mod every_client;
mod every_field;
mod fields;
mod flood;
mod full_disk;
mod generations;
mod harness;
mod hls;
mod identity;
mod kill;
mod lives;
mod main_job;
mod ownership;
mod pace;
mod playlists;
mod purge;
mod readme;
mod refusals;
mod replay;
mod replies;
#[path = "../running/mod.rs"]
mod running;
mod standing;
mod tags;
mod v2;
mod wild;
