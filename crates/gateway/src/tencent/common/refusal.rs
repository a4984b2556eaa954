//! What all products of API 3.0 refuse alike: a parameter that cannot be read, a word that is not
//! known, a number out of bounds, request fields, times. And the readers of such parameters.
//!
//! Each product has codes of its own for most of these.

use std::str::FromStr;

use stoker_domain::{area::UnknownWord, time::Timestamp};

use crate::{
    request_fields,
    tencent::{
        message::{self, Message},
        params::{self, OutOfBounds, Params},
    },
};

/// A value that no action takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// It cannot be read at all.
    #[error("the parameters cannot be read")]
    Params(#[from] params::Error),
    /// Not one of a closed list.
    #[error("parameter `{name}`: {error}")]
    Word {
        /// The parameter.
        name: &'static str,
        /// What was given and what is taken.
        error: UnknownWord,
    },
    /// A number out of bounds.
    #[error(transparent)]
    Range(#[from] OutOfBounds),
    /// Fields of requests to an origin.
    #[error(transparent)]
    Fields(#[from] request_fields::Error),
    /// Not a time.
    #[error("parameter `{name}` is not a time of the form `{form}`")]
    Date {
        /// The parameter.
        name: &'static str,
        /// How it must be written.
        form: &'static str,
    },
}

/// Lets an error take what is a [`Refusal`] first.
macro_rules! from_refusals {
    ($error:ty: $($cause:ty),+) => {
        $(impl From<$cause> for $error {
            fn from(cause: $cause) -> Self {
                $crate::tencent::common::Refusal::from(cause).into()
            }
        })+
    };
}
pub(crate) use from_refusals;

impl Refusal {
    /// That `given` is not one of the words that `name` takes.
    pub(crate) fn word(
        name: &'static str,
        given: impl Into<String>,
        expected: &'static str,
    ) -> Self {
        Self::Word { name, error: UnknownWord { given: given.into(), expected } }
    }

    /// The vendor's code; `value_code` where the product has one of its own for what can be read.
    pub(crate) const fn code(&self, value_code: &'static str) -> &'static str {
        match self {
            Self::Params(error) => error.code(),
            Self::Word { .. } | Self::Range(_) | Self::Fields(_) | Self::Date { .. } => value_code,
        }
    }

    /// What the caller reads.
    pub(crate) fn message(&self) -> Message {
        match self {
            Self::Params(error) => message::params(error),
            Self::Word { name, error } => message::unknown_word(name, error),
            Self::Range(bounds) => message::range(*bounds),
            Self::Fields(error) => message::fields(error),
            Self::Date { name, form } => {
                let zh = format!("参数 `{name}` 不是 `{form}` 格式的时间");
                Message::new(self.to_string(), zh)
            }
        }
    }

    /// The rule that is broken, without what was given.
    pub(crate) const fn for_log(&self) -> &'static str {
        match self {
            Self::Params(_) => "the parameters cannot be read",
            Self::Word { name, .. }
            | Self::Range(OutOfBounds { name, .. })
            | Self::Date { name, .. } => name,
            Self::Fields(_) => "Headers",
        }
    }
}

/// Takes an optional word that its own type reads.
pub(crate) fn parsed<T>(params: &mut Params, name: &'static str) -> Result<Option<T>, Refusal>
where
    T: FromStr<Err = UnknownWord>,
{
    let read = params.given(name)?.map(|text| text.parse());
    read.transpose().map_err(|error| Refusal::Word { name, error })
}

/// Takes an optional word: the value beside it in `words`.
pub(crate) fn word<T: Copy>(
    params: &mut Params,
    name: &'static str,
    words: &[(&str, T)],
    expected: &'static str,
) -> Result<Option<T>, Refusal> {
    let Some(given) = params.given(name)? else { return Ok(None) };
    match words.iter().find(|(word, _)| *word == given) {
        Some((_, value)) => Ok(Some(*value)),
        None => Err(Refusal::word(name, given, expected)),
    }
}

/// Takes an optional time, written in `form` and read by `read`.
pub(crate) fn time(
    params: &mut Params,
    name: &'static str,
    form: &'static str,
    read: fn(&str) -> Option<Timestamp>,
) -> Result<Option<Timestamp>, Refusal> {
    let read = params.given(name)?.map(|text| read(&text).ok_or(Refusal::Date { name, form }));
    read.transpose()
}

/// Takes `Offset` (0) and `Limit` (20, at most `most`).
pub(crate) fn page(params: &mut Params, most: i64) -> Result<(u64, u64), Refusal> {
    const FURTHEST: i64 = 1_000_000_000;
    let offset = params.bounded("Offset", 0, 0..=FURTHEST)??;
    let limit = params.bounded("Limit", 20, 1..=most)??;
    Ok((offset, limit))
}

/// Takes `Headers`, fields of requests to an origin.
pub(crate) fn headers(params: &mut Params) -> Result<Vec<(String, String)>, Refusal> {
    let mut fields = Vec::new();
    for mut entry in params.structures("Headers")? {
        entry.only(&["Name", "Value"])?;
        fields.push((entry.required_text("Name")?, entry.required_text("Value")?));
    }
    request_fields::check(&fields)?;
    Ok(fields)
}
