//! Pages of lists: so many rows at most, after the row that a caller had last.
//!
//! Rows are found by a key that stays as it is, so that what comes or goes meanwhile moves no page.

use serde::Deserialize;

use stoker_domain::time::Timestamp;

use super::{invalid::QueryError, problem::Error};

/// Rows of a page at most, and unless a caller wants fewer.
const MOST: u64 = 1000;

/// The query of a list of what an account has.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    /// Number of the account; absent = the caller's own.
    pub(super) account: Option<String>,
    /// Only keys of this user; lists of keys alone take it.
    pub(super) user: Option<String>,
    limit: Option<u64>,
    after: Option<String>,
}

/// A page of a list.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) rows: Vec<T>,
    /// What names the next page; absent when this is the last.
    pub(super) next: Option<String>,
}

impl Listing {
    /// The page of `all` that is asked for. `key` is unlike for any two of them, and they are in its
    /// order then.
    ///
    /// # Errors
    /// [`QueryError::Limit`] for a page that is too large.
    pub(super) fn page<T>(
        &self,
        mut all: Vec<T>,
        key: impl Fn(&T) -> String,
    ) -> Result<Page<T>, Error> {
        let limit = limit(self.limit)?;
        all.sort_by_cached_key(&key);
        if let Some(after) = &self.after {
            all.retain(|row| key(row) > *after);
        }
        let is_last = all.len() <= limit;
        all.truncate(limit);
        let next = if is_last { None } else { all.last().map(key) };
        Ok(Page { rows: all, next })
    }
}

/// A key that is in the order of time; `name` tells it from others of the same moment.
pub(super) fn aged(moment: Timestamp, name: &str) -> String {
    format!("{:019}-{name}", moment.as_millis().max(0))
}

/// How many rows a caller wants.
///
/// # Errors
/// [`QueryError::Limit`] for none, or too many.
pub(super) fn limit(wanted: Option<u64>) -> Result<usize, Error> {
    match wanted.unwrap_or(MOST) {
        limit @ 1..=MOST => Ok(limit as usize),
        given => Err(QueryError::Limit { given, most: MOST }.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(limit: Option<u64>, after: Option<&str>) -> Listing {
        Listing { limit, after: after.map(Into::into), ..Listing::default() }
    }

    #[test]
    fn pages_lead_to_every_row_once_whatever_comes_and_goes() {
        let rows = |names: &str| names.chars().map(String::from).collect::<Vec<_>>();
        let page = |names: &str, after| listing(Some(2), after).page(rows(names), String::clone);
        let first = page("dacbe", None).unwrap();
        assert_eq!((first.rows.concat(), first.next.as_deref()), ("ab".into(), Some("b")));
        // the last row seen is gone, and one came in front of it
        let second = page("0acde", Some("b")).unwrap();
        assert_eq!((second.rows.concat(), second.next.as_deref()), ("cd".into(), Some("d")));
        let third = page("0acde", Some("d")).unwrap();
        assert_eq!((third.rows.concat(), third.next), ("e".into(), None));
        assert!(page("abc", Some("c")).unwrap().rows.is_empty());
    }

    #[test]
    fn a_page_has_its_bound() {
        let all: Vec<u64> = (0..1001).collect();
        let page = |limit| listing(limit, None).page(all.clone(), |row| format!("{row:04}"));
        for (limit, expected) in [(None, 1000), (Some(1000), 1000), (Some(1), 1)] {
            let page = page(limit).unwrap();
            assert_eq!(page.rows.len(), expected);
            assert!(page.next.is_some());
        }
        for limit in [0, 1001, u64::MAX] {
            assert!(page(Some(limit)).is_err(), "{limit}");
        }
    }
}
