//! Sizes and durations as people write and read them, always with a unit.
//!
//! Written here because `bytesize` and `jiff` accept bare numbers, other letter case, signs and
//! fractions, and print other units and digits than scripts and tests know from this program.

use std::time::Duration;

const UNITS: &[(&str, u64)] = &[
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

/// Reads `10GiB`, `1.5TB`, `512 MiB`. A bare number is refused, because its unit would be a guess.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size; write a number and a unit, as in `10GiB`");
    let text = text.trim();
    let (number, unit) = UNITS
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))
        .ok_or_else(wrong)?;
    let number: f64 = number.trim_end().parse().map_err(|_| wrong())?;
    let bytes = number * unit as f64;
    if bytes.is_finite() && bytes >= 0.0 && bytes < u64::MAX as f64 {
        Ok(bytes as u64)
    } else {
        Err(wrong())
    }
}

/// `1.5 GiB`, three digits at most.
pub(crate) fn show(bytes: u64) -> String {
    let mut size = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if size < 1000.0 {
            break;
        }
        size /= 1024.0;
        unit = next;
    }
    if unit == "B" || size >= 100.0 {
        format!("{size:.0} {unit}")
    } else {
        format!("{size:.1} {unit}")
    }
}

/// Reads `90s`, `30m`, `36h`. A bare number is refused too.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time; write a number and a unit, as in `30m`");
    let text = text.trim();
    let (number, unit) = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))
        .ok_or_else(wrong)?;
    let number: u64 = number.trim_end().parse().map_err(|_| wrong())?;
    number.checked_mul(unit).map(Duration::from_secs).ok_or_else(wrong)
}

/// `29d 23h`, `4m 5s`, `12s`: the two largest units.
pub(crate) fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest}s"),
        (0, 0, _) => format!("{minutes}m {rest}s"),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_a_unit() {
        for (text, bytes) in
            [("10GiB", 10 << 30), ("1.5 MiB", 3 << 19), ("2GB", 2_000_000_000), ("7B", 7)]
        {
            assert_eq!(parse(text), Ok(bytes));
        }
        for text in ["10", "GiB", "ten GiB", "-1GiB", "1e400GiB", "10gib", "infGiB"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_is_a_number_with_a_unit() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("36 h", 129_600), ("1d", 86_400)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "30", "m", "1.5h", "-1s", "1w", "18446744073709551615d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_durations_are_short() {
        assert_eq!(show(999), "999 B");
        assert_eq!(show(1536), "1.5 KiB");
        assert_eq!(show(10 << 30), "10.0 GiB");
        assert_eq!(show(500 << 20), "500 MiB");
        assert_eq!(show_duration(Duration::from_secs(59)), "59s");
        assert_eq!(show_duration(Duration::from_secs(2_591_999)), "29d 23h");
    }
}
