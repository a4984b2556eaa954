//! What every product's error answers; only the top of this module turns them into replies.

use crate::tencent::message::Message;

/// Why an action of one product refused.
pub(crate) trait Refused: std::error::Error {
    /// The vendor's code.
    fn code(&self) -> &'static str;

    /// What the caller reads.
    fn message(&self) -> Message;

    /// What the log reads: never a URL, a query or the name of a parameter that the caller made up.
    fn for_log(&self) -> String;

    /// Whether somebody has to act: the server failed, not the caller.
    fn is_internal(&self) -> bool {
        self.code().starts_with("InternalError")
    }
}
