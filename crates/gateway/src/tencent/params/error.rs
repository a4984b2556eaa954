//! Why a parameter cannot be read, and the code for it, which is the same in every product.

use crate::multipart::Malformed;

/// Why parameters cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The content is not a JSON object.
    #[error("the request body is not a JSON object")]
    Json,
    /// The content is not well-formed multipart.
    #[error("the request body is not valid multipart/form-data: {0}")]
    Multipart(Malformed),
    /// More parameters, or values in them, than can be read.
    #[error("the request has too many parameters")]
    TooMany,
    /// The action has no such parameter.
    #[error("the parameter `{0}` is not recognized")]
    Unknown(String),
    /// A parameter has another type, or is given twice.
    #[error("parameter `{0}` type error")]
    Type(String),
    /// A required parameter is absent.
    #[error("the request is missing a required parameter `{0}`")]
    Missing(String),
}

impl Error {
    /// The vendor's code.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Json | Self::TooMany | Self::Type(_) => "InvalidParameter",
            Self::Multipart(_) => "InvalidRequest",
            Self::Unknown(_) => "UnknownParameter",
            Self::Missing(_) => "MissingParameter",
        }
    }
}

/// A number out of bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameter `{name}` is {given}; it must be from {least} to {most}")]
pub(crate) struct OutOfBounds {
    /// The parameter.
    pub(crate) name: &'static str,
    /// What was given.
    pub(crate) given: i64,
    /// Least that is taken.
    pub(crate) least: i64,
    /// Most that is taken.
    pub(crate) most: i64,
}
