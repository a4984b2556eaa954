//! Bytes and lines of fields (RFC 9110 section 5, RFC 9112 section 5).

use super::Refusal;

/// Whether it may stand in a token (RFC 9110 section 5.6.2).
pub(super) fn is_token_byte(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`'
        | b'|' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z')
}

pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

/// Whether it may stand in a value: anything but control characters (RFC 9110 section 5.5).
pub(super) fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Name and value of a line without its end; spaces around the value are gone.
///
/// A folded line begins with a space and so has no name (RFC 9112 section 5.2).
pub(super) fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let colon = line.iter().position(|byte| !is_token_byte(*byte)).ok_or(Refusal::Field)?;
    if colon == 0 || line[colon] != b':' {
        return Err(if line.contains(&b'\r') { Refusal::LineEnd } else { Refusal::Field });
    }
    let value = &line[colon + 1..];
    match value.iter().copied().find(|byte| !is_value_byte(*byte)) {
        None => Ok((&line[..colon], trim(value))),
        Some(b'\r') => Err(Refusal::LineEnd),
        Some(_) => Err(Refusal::Field),
    }
}

/// Without the spaces and tabs around it.
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_a_name_a_colon_and_a_value() {
        assert_eq!(split(b"A:b"), Ok((&b"A"[..], &b"b"[..])));
        assert_eq!(split(b"a-b: \t c d \t"), Ok((&b"a-b"[..], &b"c d"[..])));
        assert_eq!(split(b"a:"), Ok((&b"a"[..], &b""[..])));
        assert_eq!(split(b"a: \xff\xe4"), Ok((&b"a"[..], &b"\xff\xe4"[..])));
        for line in [&b""[..], b"a", b" a: b", b"\ta: b", b"a : b", b": b", b"a\0: b", b"a: \0"] {
            assert_eq!(split(line), Err(Refusal::Field), "{}", line.escape_ascii());
        }
        assert_eq!(split(b"a: b\x7f"), Err(Refusal::Field));
        assert_eq!(split(b"a: b\rc: d"), Err(Refusal::LineEnd));
    }
}
