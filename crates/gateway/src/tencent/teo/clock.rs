//! Times as this API writes them: ISO 8601, `YYYY-MM-DDTHH:MM:SSZ` in replies, any offset in
//! requests.

use jiff::Timestamp as Moment;
use stoker_domain::time::Timestamp;

/// Writes a moment; a moment beyond the calendar becomes its beginning.
pub(super) fn format(moment: Timestamp) -> String {
    let moment = Moment::from_second(moment.as_seconds()).unwrap_or(Moment::UNIX_EPOCH);
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Reads a moment with an offset; `None` when it is written otherwise or does not exist.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let moment: Moment = text.parse().ok()?;
    Some(Timestamp::from_millis(moment.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_offset_is_read_and_zulu_is_written() {
        let moment = Timestamp::from_seconds(1_700_000_000);
        assert_eq!(format(moment), "2023-11-14T22:13:20Z");
        for text in ["2023-11-14T22:13:20Z", "2023-11-15T06:13:20+08:00"] {
            assert_eq!(parse(text), Some(moment), "{text}");
        }
        for text in ["", "2023-11-15", "2023-11-15 06:13:20", "2023-02-29T00:00:00Z"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
