//! What is outside: the origin with its files, and the programs that call.

mod caller;
mod content;
mod nginx;
mod sdk;
mod tools;
mod v2;

pub(crate) use caller::Client;
pub(crate) use content::{Content, sha256};
pub(crate) use nginx::{Nginx, Pulled};
pub(crate) use sdk::Sdk;
pub(crate) use tools::{ffmpeg, node, python, tccli, venv};
pub(crate) use v2::V2Client;
