//! What is outside: the origin with its files, and the programs that call.

mod content;
mod nginx;
mod sdk;
mod tools;

pub(crate) use content::{Content, sha256};
pub(crate) use nginx::{Nginx, Pulled};
pub(crate) use sdk::Sdk;
pub(crate) use tools::{ffmpeg, tccli};
