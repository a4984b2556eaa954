//! `limits.json` in the data directory: the bounds of the process that was started last, for
//! `stoker doctor` and for scripts. Holds no secret.

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
    /// Those of this process, with `memory` for content.
    ///
    /// # Errors
    /// There is too little of something.
    pub(super) fn take(memory: Option<u64>) -> Result<Self, Failure> {
        Ok(Self { descriptors: Descriptors::take()?, memory: Memory::find(memory)? })
    }

    /// Tells them in the log.
    pub(super) fn log(&self) {
        self.descriptors.log();
        self.memory.log();
    }

    /// Writes the file.
    pub(super) fn tell(&self, data: &Path) -> Result<(), Failure> {
        let path = data.join(NAME);
        // readers find the old one or the new one
        let new = path.with_extension("json.new");
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::from);
        let told =
            text.and_then(|text| fs::write(&new, text)).and_then(|()| fs::rename(&new, &path));
        told.map_err(|error| {
            Failure::because(format!("cannot write `{}`", path.display()), &error)
                .hint("is the disk full or read-only?")
        })
    }

    /// Reads the file; nothing when there is none or it is of another version.
    pub(crate) fn read(data: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(data.join(NAME)).ok()?).ok()
    }
}
