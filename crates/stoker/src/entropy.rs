//! Randomness from the operating system: seeds for the generators of all other parts, and keys.

use rand::{TryRng, rngs::SysRng};

use crate::failure::Failure;

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// An unpredictable seed.
pub(crate) fn seed() -> Result<u64, Failure> {
    SysRng
        .try_next_u64()
        .map_err(|error| Failure::because("cannot read random bytes from the system", &error))
}

/// 128 random bits.
pub(crate) fn nonce() -> Result<[u8; 16], Failure> {
    let mut nonce = [0; 16];
    for half in nonce.chunks_exact_mut(8) {
        half.copy_from_slice(&seed()?.to_le_bytes());
    }
    Ok(nonce)
}

/// A secret of `length` letters and digits; each adds 5.95 bits.
pub(crate) fn secret(length: usize) -> Result<String, Failure> {
    let mut secret = String::with_capacity(length);
    while secret.len() < length {
        // bytes of 248 and above are thrown away, so that all 62 letters are equally likely
        let bytes = seed()?.to_le_bytes();
        let letters = bytes.iter().filter(|byte| **byte < 248);
        secret.extend(letters.map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])));
    }
    secret.truncate(length);
    Ok(secret)
}

/// `length` decimal digits, the first not 0.
pub(crate) fn digits(length: usize) -> Result<String, Failure> {
    let mut digits = String::with_capacity(length);
    while digits.len() < length {
        let random = seed()? % 1_000_000_000;
        digits.push_str(&format!("{random:09}"));
        digits = digits.trim_start_matches('0').into();
    }
    digits.truncate(length);
    Ok(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_their_length_and_differ() {
        let (one, other) = (secret(32).unwrap(), secret(32).unwrap());
        assert_eq!((one.len(), other.len()), (32, 32));
        assert_ne!(one, other);
        assert!(one.bytes().all(|byte| LETTERS.contains(&byte)));
        let number = digits(12).unwrap();
        assert!(number.len() == 12 && !number.starts_with('0') && number.parse::<u64>().is_ok());
    }
}
