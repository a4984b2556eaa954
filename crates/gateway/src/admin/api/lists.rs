//! Lists in the content of a call: kept up to a bound, and passed over beyond it.
//!
//! Content of 64 MiB could name twenty million empty texts, which take ten times as much when they
//! are read. One more than may be is kept, so that the code that counts them refuses the call.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};

/// Most URLs, or targets of a purge, that are kept.
pub(crate) const MOST_LISTED: usize = 1_000_000;

/// Reads a list of which at most `MOST` + 1 elements are kept.
pub(crate) fn at_most<'de, const MOST: usize, T, D>(content: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    content.deserialize_seq(AtMost::<MOST, T>(PhantomData))
}

struct AtMost<const MOST: usize, T>(PhantomData<T>);

impl<'de, const MOST: usize, T: Deserialize<'de>> Visitor<'de> for AtMost<MOST, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut kept = Vec::new();
        while kept.len() <= MOST {
            match elements.next_element()? {
                Some(element) => kept.push(element),
                None => return Ok(kept),
            }
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Result<Vec<String>, String> {
        let mut json = serde_json::Deserializer::from_str(content);
        let read = at_most::<3, String, _>(&mut json).map_err(|error| error.to_string());
        read.and_then(|read| json.end().map(|()| read).map_err(|error| error.to_string()))
    }

    #[test]
    fn one_more_than_may_be_is_kept_and_the_rest_is_only_read() {
        for (content, kept) in [
            ("[]", 0),
            (r#"["a"]"#, 1),
            (r#"["a","b","c"]"#, 3),
            (r#"["a","b","c","d"]"#, 4),
            (r#"["a","b","c","d","e",["f"],{"g":1}]"#, 4),
        ] {
            assert_eq!(read(content).map(|kept| kept.len()), Ok(kept), "{content}");
        }
        assert_eq!(read(r#"["a","b"]"#).unwrap(), ["a", "b"]);
    }

    #[test]
    fn what_is_no_list_is_refused_also_beyond_the_bound() {
        for content in ["{}", "1", r#"["a",1]"#, r#"["a""#, r#"["a","b","c","d","e""#] {
            assert!(read(content).is_err(), "{content}");
        }
    }
}
