//! How many URLs or targets one call may have.

use stoker_domain::{
    area::AreaScope,
    quota::{AreaLimits, Product},
};

use super::SubmitError;

/// How many URLs or targets one call may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BatchLimit {
    /// As many as the account may have for the product in every area that the call goes to.
    #[default]
    OfAccount,
    /// As many as the account may have, and no more than this.
    OfAccountUpTo(u32),
    /// This many, whatever the account may have.
    AtMost(u32),
}

impl BatchLimit {
    /// The number, for an account with `limits` and a call that goes to `areas`; absent areas are
    /// those of each target, which may be both.
    pub(crate) fn of(self, limits: &AreaLimits, product: Product, areas: Option<AreaScope>) -> u32 {
        let of_account = || limits.batch(product, areas.unwrap_or(AreaScope::Global));
        match self {
            Self::OfAccount => of_account(),
            Self::OfAccountUpTo(most) => of_account().min(most),
            Self::AtMost(most) => most,
        }
    }
}

/// Whether a call may have as many entries as were given.
pub(crate) fn check_count(given: usize, limit: u64) -> Result<(), SubmitError> {
    match given {
        0 => Err(SubmitError::NoUrls),
        _ if given as u64 > limit => Err(SubmitError::TooManyUrls { given, limit }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_may_have_exactly_as_many_as_the_limit_and_at_least_one() {
        assert!(matches!(check_count(0, 5), Err(SubmitError::NoUrls)));
        for given in [1, 4, 5] {
            assert!(check_count(given, 5).is_ok(), "{given}");
        }
        let error = check_count(6, 5);
        assert!(matches!(error, Err(SubmitError::TooManyUrls { given: 6, limit: 5 })));
        assert!(matches!(check_count(1, 0), Err(SubmitError::TooManyUrls { given: 1, limit: 0 })));
    }
}
