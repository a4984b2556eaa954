//! `limits.json` in the data directory: the bounds of the last started process, for `stoker doctor` and
//! scripts. It has no secret.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

use super::{descriptors::Descriptors, memory::Memory};
use crate::failure::Failure;

const NAME: &str = "limits.json";

/// The bounds of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limits {
    /// Its file descriptors.
    pub(crate) descriptors: Descriptors,
    /// Its memory.
    pub(crate) memory: Memory,
}

impl Limits {
    /// The bounds of this process, with `memory` for content.
    ///
    /// # Errors
    /// Descriptors or memory are too few.
    pub(super) fn take(memory: Option<u64>) -> Result<Self, Failure> {
        Ok(Self { descriptors: Descriptors::take()?, memory: Memory::find(memory)? })
    }

    /// Logs them.
    pub(super) fn log(&self) {
        self.descriptors.log();
        self.memory.log();
    }

    /// Writes the file.
    pub(super) fn write(&self, data: &Path) -> Result<(), Failure> {
        let path = data.join(NAME);
        // readers find the old one or the new one
        let new = path.with_extension("json.new");
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::from);
        let written =
            text.and_then(|text| fs::write(&new, text)).and_then(|()| fs::rename(&new, &path));
        written.map_err(|error| {
            Failure::because(format!("cannot write `{}`", path.display()), &error)
                .hint("is the disk full or read-only?")
        })
    }

    /// Reads the file; nothing if it is missing or of another version.
    pub(crate) fn read(data: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(data.join(NAME)).ok()?).ok()
    }
}
