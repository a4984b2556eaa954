//! Files with content that is the same for the same seed and compresses to nothing.

use std::{fs, path::Path};

use rand::{Rng, SeedableRng, rngs::StdRng};
use sha2::{Digest, Sha256};

/// A file of the origin.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    /// Its path on the origin, with `/` in front.
    pub(crate) path: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// SHA-256 of its bytes, in hex.
    pub(crate) sha256: String,
}

impl Content {
    /// Writes `size` bytes made from `seed` below `root`.
    pub(crate) fn write(root: &Path, path: &str, size: usize, seed: u64) -> Self {
        let mut bytes = vec![0; size];
        StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
        let file = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(file.parent().expect("a file lies in a folder")).unwrap();
        fs::write(file, &bytes).unwrap();
        Self { path: path.into(), size: size as u64, sha256: sha256(&bytes) }
    }
}

/// SHA-256 in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
