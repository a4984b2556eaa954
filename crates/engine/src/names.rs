//! Short names of tasks, purges and zones.

/// Twelve lower-case letters or digits, of any number.
pub(crate) fn short(random: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let digit = |place: u32| DIGITS[(random / 36u64.pow(place) % 36) as usize];
    (0..12).map(|place| char::from(digit(place))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_have_twelve_characters() {
        assert_eq!(short(0), "000000000000");
        assert_eq!(short(36 * 35 + 1), "1z0000000000");
        assert!(short(u64::MAX).bytes().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase()));
        assert_eq!(short(u64::MAX).len(), 12);
    }
}
