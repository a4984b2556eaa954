//! Printing what playlists name and a task does not follow: it was not requested, and a title is
//! incomplete without it.

use stoker_domain::media::NotFollowed;

use crate::output;

/// Prints it, each line after `indent`, if there is anything.
pub(super) fn print(indent: &str, not_followed: &NotFollowed) {
    lines(not_followed).iter().for_each(|line| output::line(format!("{indent}{line}")));
}

fn lines(not_followed: &NotFollowed) -> Vec<String> {
    if not_followed.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("not followed: {not_followed}")];
    lines.extend(not_followed.first.iter().map(|url| format!("       {url}")));
    let total: u64 = not_followed.counts.values().sum();
    if total > not_followed.first.len() as u64 {
        lines.push(format!("       and {} more", total - not_followed.first.len() as u64));
    }
    lines.push("       to prefetch them too, submit their URLs".into());
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use stoker_domain::media::Kind;

    use super::*;

    #[test]
    fn what_is_not_followed_is_printed_with_the_way_to_prefetch_it() {
        assert!(lines(&NotFollowed::default()).is_empty());
        let not_followed = NotFollowed {
            counts: BTreeMap::from([(Kind::MediaSegment, 12), (Kind::InitializationSection, 1)]),
            first: vec!["http://a.example/init.mp4".into()],
        };
        let expected = [
            "not followed: 12 media segments other than .ts, 1 initialization section (EXT-X-MAP)",
            "       http://a.example/init.mp4",
            "       and 12 more",
            "       to prefetch them too, submit their URLs",
        ];
        assert_eq!(lines(&not_followed), expected);
    }
}
