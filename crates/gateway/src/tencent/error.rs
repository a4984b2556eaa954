//! Every way in which a call of API 3.0 fails. Wraps the errors of the products, which know nothing of
//! it; what each is answered as stands in `codes`.

use super::{
    access,
    action::Action,
    cdn::{domain, purge, push},
    params, teo,
};
use crate::{
    auth::{
        account::NotActive,
        rate, signed,
        v1::{caller, pairs, read::Unread},
    },
    content,
};

/// Why a call at `/` was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Neither GET nor POST.
    #[error("the method is not supported")]
    Method,
    /// The query is longer than a GET call may have.
    #[error("the query is too long")]
    LongQuery,
    /// A form, which is signed with signature v1, larger than such a call may be.
    #[error("the form is too large")]
    LongForm,
    /// The caller of a call with signature v1 is refused.
    #[error(transparent)]
    Caller(#[from] caller::Error),
    /// The caller is refused.
    #[error(transparent)]
    Signed(#[from] signed::Error),
    /// A common parameter is absent.
    #[error("the common parameter `{0}` is missing")]
    MissingCommon(&'static str),
    /// A version that is not served.
    #[error("the version is not served")]
    Version(String),
    /// An action that the version does not have.
    #[error("the action is unknown")]
    Action,
    /// The account has called the action too often.
    #[error(transparent)]
    Rate(#[from] rate::Exceeded),
    /// Content of a type that is not taken.
    #[error("the Content-Type is not supported")]
    ContentType,
    /// The parameters cannot be read.
    #[error("the parameters cannot be read")]
    Params(#[from] params::Error),
    /// The account is not active.
    #[error("{error}")]
    NotActive {
        /// Why.
        error: NotActive,
        /// What was called.
        action: Action,
    },
    /// The caller may not do this.
    #[error(transparent)]
    Access(#[from] Box<access::Refused>),
    /// An action on prefetches of `cdn` refused.
    #[error(transparent)]
    CdnPush(#[from] push::Error),
    /// An action on a domain of `cdn` refused.
    #[error(transparent)]
    CdnDomain(#[from] domain::Error),
    /// An action on purges of `cdn` refused.
    #[error(transparent)]
    CdnPurge(#[from] purge::Error),
    /// An action of `teo` refused.
    #[error(transparent)]
    Teo(#[from] teo::Error),
}

impl From<Unread> for Error {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Method => Self::Method,
            Unread::LongQuery => Self::LongQuery,
            Unread::Content(content::Error::TooLarge { .. }) => Self::LongForm,
            Unread::Content(error) => signed::Error::Content(error).into(),
            Unread::Pairs(pairs::Error::Type(name)) => params::Error::Type(name).into(),
            Unread::Pairs(pairs::Error::Multipart(why)) => params::Error::Multipart(why).into(),
            Unread::Pairs(pairs::Error::TooMany) => params::Error::TooMany.into(),
        }
    }
}
