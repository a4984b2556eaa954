//! What manifests name and is not followed: counted and shown, so that nobody takes an incomplete title
//! for complete.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::target::MAX_LENGTH;

/// URLs that are listed one by one.
const FIRST: usize = 5;

/// How much is named and not followed, and the first few of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotFollowed {
    /// Distinct URLs of each kind.
    pub counts: BTreeMap<Kind, u64>,
    /// The first few of them.
    pub first: Vec<String>,
}

/// A kind of reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A media segment whose path does not end in `.ts`.
    MediaSegment,
    /// `EXT-X-PART`.
    PartialSegment,
    /// `EXT-X-MAP`.
    InitializationSection,
    /// `EXT-X-MEDIA` of type `AUDIO`.
    AudioRendition,
    /// `EXT-X-MEDIA` of type `VIDEO`.
    VideoRendition,
    /// `EXT-X-MEDIA` of another type.
    SubtitleRendition,
    /// `EXT-X-I-FRAME-STREAM-INF`.
    IFramePlaylist,
    /// `EXT-X-KEY`, `EXT-X-SESSION-KEY`.
    Key,
    /// What a DASH manifest names is not looked at.
    DashManifest,
    /// The `URI` of another tag.
    Other,
    /// A line that is no HTTP URL.
    Unusable,
}

impl NotFollowed {
    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Counts one more.
    pub(super) fn record(&mut self, kind: Kind, url: &str) {
        *self.counts.entry(kind).or_default() += 1;
        if self.first.len() < FIRST && url.len() <= MAX_LENGTH {
            self.first.push(url.into());
        }
    }

    /// Adds the counts of another.
    pub fn add(&mut self, other: &Self) {
        for (kind, count) in &other.counts {
            *self.counts.entry(*kind).or_default() += count;
        }
        let room = FIRST.saturating_sub(self.first.len());
        self.first.extend(other.first.iter().take(room).cloned());
    }
}

impl fmt::Display for NotFollowed {
    /// `12 media segments other than .ts, 1 key (EXT-X-KEY)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, count)) in self.counts.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let (noun, remark) = kind.words();
            let plural = if *count == 1 { "" } else { "s" };
            write!(f, "{comma}{count} {noun}{plural}{remark}")?;
        }
        Ok(())
    }
}

impl Kind {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::MediaSegment => ("media segment", " other than .ts"),
            Self::PartialSegment => ("partial segment", " (EXT-X-PART)"),
            Self::InitializationSection => ("initialization section", " (EXT-X-MAP)"),
            Self::AudioRendition => ("audio rendition", " (EXT-X-MEDIA)"),
            Self::VideoRendition => ("video rendition", " (EXT-X-MEDIA)"),
            Self::SubtitleRendition => ("subtitle rendition", " (EXT-X-MEDIA)"),
            Self::IFramePlaylist => ("I-frame playlist", " (EXT-X-I-FRAME-STREAM-INF)"),
            Self::Key => ("key", " (EXT-X-KEY)"),
            Self::DashManifest => ("DASH manifest", ""),
            Self::Other => ("reference", " of another tag"),
            Self::Unusable => ("line", " without an HTTP URL"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_in_words_and_added_up() {
        let mut sum = NotFollowed::default();
        assert!(sum.is_empty());
        for number in 0..4 {
            sum.record(Kind::MediaSegment, &format!("http://a/{number}.m4s"));
        }
        sum.record(Kind::InitializationSection, &"x".repeat(MAX_LENGTH + 1));
        let text = "4 media segments other than .ts, 1 initialization section (EXT-X-MAP)";
        assert_eq!(sum.to_string(), text);
        assert!(!sum.is_empty());
        let mut many = NotFollowed::default();
        (0..9).for_each(|number| many.record(Kind::Key, &number.to_string()));
        assert_eq!(many.first, ["0", "1", "2", "3", "4"]);
        sum.add(&sum.clone());
        assert_eq!((sum.counts[&Kind::MediaSegment], sum.first.len()), (8, FIRST));
        assert_eq!(sum.first[4], "http://a/0.m4s");
        let json = serde_json::to_string(&sum.counts).unwrap();
        assert_eq!(json, r#"{"media-segment":8,"initialization-section":2}"#);
        assert_eq!(serde_json::from_str::<BTreeMap<Kind, u64>>(&json).unwrap(), sum.counts);
    }
}
