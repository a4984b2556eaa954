//! Who calls, as far as policies ask: the numbers that variables and conditions stand for.

/// Who calls. The numbers are what policy variables stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user's own number; a root user's is its `owner_uin`.
    pub uin: String,
    /// The number of the root user that owns the account.
    pub owner_uin: String,
    /// The account's application number.
    pub app_id: i64,
}

impl Caller {
    /// Whether it is the root user, to whom no policy applies.
    pub fn is_root(&self) -> bool {
        self.uin == self.owner_uin
    }
}
