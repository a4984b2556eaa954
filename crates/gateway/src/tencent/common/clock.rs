//! Times as the vendor writes them: `YYYY-MM-DD HH:MM:SS` in UTC+8.

use jiff::{Timestamp as Moment, civil::DateTime, tz::Offset};
use stoker_domain::time::Timestamp;

const FORMAT: &str = "%Y-%m-%d %H:%M:%S";

/// Writes a moment; a moment beyond the calendar becomes its beginning.
pub(crate) fn format(moment: Timestamp) -> String {
    let moment = Moment::from_second(moment.as_seconds()).unwrap_or(Moment::UNIX_EPOCH);
    Offset::constant(8).to_datetime(moment).strftime(FORMAT).to_string()
}

/// Reads a moment; `None` when it is written otherwise or does not exist.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    if text.len() != "YYYY-MM-DD HH:MM:SS".len() {
        return None;
    }
    let local = DateTime::strptime(FORMAT, text).ok()?;
    // a leap second is read as the one before it
    if local.strftime(FORMAT).to_string() != text {
        return None;
    }
    let moment = Offset::constant(8).to_timestamp(local).ok()?;
    Some(Timestamp::from_seconds(moment.as_second()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_clock_is_eight_hours_ahead_of_utc() {
        let moment = Timestamp::from_seconds(1_700_000_000);
        assert_eq!(format(moment), "2023-11-15 06:13:20");
        assert_eq!(parse("2023-11-15 06:13:20"), Some(moment));
    }

    #[test]
    fn other_forms_and_days_that_never_were_are_refused() {
        for text in [
            "",
            "2023-11-15",
            "2023-11-15T06:13:20",
            "2023-02-29 00:00:00",
            "2023-11-15 24:00:00",
            "2023-1-15 06:13:200",
            "2023-11-15 06:13:20Z",
            "2026-11-21 19:00:60",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds in 0i64..4_000_000_000, text in "\\PC*") {
            let moment = Timestamp::from_seconds(seconds);
            prop_assert_eq!(parse(&format(moment)), Some(moment));
            let _ = parse(&text);
        }
    }
}
