//! Calls that may be made once only.

use sha2::{Digest, Sha256};
use stoker_ledger::Error;

use crate::Engine;

impl Engine {
    /// Takes a signed call once: false when a call with this key, nonce and time (seconds since
    /// 1970) was taken before, also before a restart. Remembered for `keep_seconds` after its time.
    ///
    /// # Errors
    /// What the ledger said.
    pub async fn admit_once(
        &self,
        secret_id: &str,
        nonce: u64,
        time: i64,
        keep_seconds: u64,
    ) -> Result<bool, Error> {
        let hash = Sha256::digest(format!("{nonce} {secret_id}"));
        let mut call = [0; 16];
        call.copy_from_slice(&hash[..16]);
        let forget_before = self.clock.now().as_seconds().saturating_sub_unsigned(keep_seconds);
        self.ledger.admit_once(time, call, forget_before).await
    }
}
