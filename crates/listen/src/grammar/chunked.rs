//! The framing of chunked content (RFC 9112 section 7.1), byte by byte as it comes.
//!
//! Content itself is skipped; only the lines between are looked at, and none is kept beyond its end.

use super::{
    Refusal,
    fields::{is_token_byte, is_value_byte, split},
};

/// Longest line with the size of a chunk and its extensions, in bytes.
const LONGEST_LINE: usize = 1024;
/// Bytes of extensions in one message.
const MOST_EXTENSIONS: usize = 8 << 10;
/// Bytes of all trailer fields.
const MOST_TRAILERS: usize = 8 << 10;
/// Digits of a size; more would not fit a number.
const MOST_DIGITS: usize = 15;

/// Fields that say where a message ends, whose it is and whom it is for do not come after it
/// (RFC 9110 section 6.5.1).
const NOT_IN_TRAILERS: [&str; 5] =
    ["authorization", "content-length", "host", "trailer", "transfer-encoding"];

/// How far the framing has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chunked {
    state: State,
    line: Vec<u8>,
    extensions: usize,
    trailers: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// In the line with a size.
    #[default]
    Size,
    /// So much of a chunk is left.
    Data(u64),
    /// After a chunk.
    DataCr,
    DataLf,
    /// In a line after the last chunk.
    Trailer,
}

impl Chunked {
    /// Reads on in `bytes`: how many of them belong to the content, and whether it ends with them.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(usize, bool), (usize, Refusal)> {
        let mut at = 0;
        while at < bytes.len() {
            match self.state {
                State::Data(left) => {
                    let here = left.min((bytes.len() - at) as u64);
                    at += here as usize;
                    self.state =
                        if here == left { State::DataCr } else { State::Data(left - here) };
                }
                State::DataCr | State::DataLf => {
                    let (wanted, next) = match self.state {
                        State::DataCr => (b'\r', State::DataLf),
                        _ => (b'\n', State::Size),
                    };
                    if bytes[at] != wanted {
                        return Err((at, Refusal::Chunk));
                    }
                    self.state = next;
                    at += 1;
                }
                State::Size | State::Trailer => {
                    let (taken, is_last) = self.line(&bytes[at..]).map_err(|why| (at, why))?;
                    at += taken;
                    if is_last {
                        return Ok((at, true));
                    }
                }
            }
        }
        Ok((at, false))
    }

    /// Takes what there is of a line; judges it at its end. How much was taken, and whether the
    /// content ends with it.
    fn line(&mut self, bytes: &[u8]) -> Result<(usize, bool), Refusal> {
        let end = memchr::memchr(b'\n', bytes);
        let taken = end.map_or(bytes.len(), |end| end + 1);
        let longest = match self.state {
            State::Trailer => MOST_TRAILERS,
            _ => LONGEST_LINE,
        };
        if self.line.len() + taken > longest {
            return Err(Refusal::Chunk);
        }
        self.line.extend_from_slice(&bytes[..taken]);
        let is_last = end.is_some() && self.end_line()?;
        Ok((taken, is_last))
    }

    fn end_line(&mut self) -> Result<bool, Refusal> {
        let line = self.line.strip_suffix(b"\r\n").ok_or(Refusal::Chunk)?;
        let mut is_last = false;
        if self.state == State::Trailer {
            self.trailers += self.line.len();
            is_last = line.is_empty();
            if self.trailers > MOST_TRAILERS || !(is_last || is_trailer(line)) {
                return Err(Refusal::Chunk);
            }
        } else {
            let (size, extensions) = size(line).ok_or(Refusal::Chunk)?;
            self.extensions += extensions.len();
            if self.extensions > MOST_EXTENSIONS || !are_extensions(extensions) {
                return Err(Refusal::Chunk);
            }
            self.state = if size == 0 { State::Trailer } else { State::Data(size) };
        }
        self.line.clear();
        Ok(is_last)
    }
}

fn size(line: &[u8]) -> Option<(u64, &[u8])> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if digits == 0 || digits > MOST_DIGITS {
        return None;
    }
    let (digits, rest) = line.split_at(digits);
    let text = std::str::from_utf8(digits).ok()?;
    Some((u64::from_str_radix(text, 16).ok()?, rest))
}

/// `*( BWS ";" BWS name [ BWS "=" BWS value ] )`, a value being a token or a quoted string.
fn are_extensions(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        let [b';', next @ ..] = skip_space(rest) else { return false };
        let Some(next) = token(skip_space(next)) else { return false };
        rest = match skip_space(next) {
            [b'=', value @ ..] => match skip_space(value) {
                [b'"', quoted @ ..] => match after_quoted(quoted) {
                    Some(next) => next,
                    None => return false,
                },
                value => match token(value) {
                    Some(next) => next,
                    None => return false,
                },
            },
            _ => next,
        };
    }
    true
}

fn skip_space(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()..]
}

/// What follows a token, if there is one.
fn token(bytes: &[u8]) -> Option<&[u8]> {
    let length = bytes.iter().take_while(|byte| is_token_byte(**byte)).count();
    (length > 0).then(|| &bytes[length..])
}

/// What follows a quoted string whose first quote has been read (RFC 9110 section 5.6.4).
fn after_quoted(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        bytes = match bytes {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', escaped, rest @ ..] if is_value_byte(*escaped) => rest,
            [b'\\', ..] => return None,
            [byte, rest @ ..] if is_value_byte(*byte) => rest,
            _ => return None,
        };
    }
}

fn is_trailer(line: &[u8]) -> bool {
    split(line).is_ok_and(|(name, _)| {
        !NOT_IN_TRAILERS.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of `text` is content, whole and byte by byte; nothing where it is broken.
    fn length(text: &[u8]) -> Option<usize> {
        let whole = match Chunked::default().read(text) {
            Ok((length, is_over)) => is_over.then_some(length),
            Err(_) => None,
        };
        let mut chunked = Chunked::default();
        let mut pieces = None;
        for (at, byte) in text.chunks(1).enumerate() {
            match chunked.read(byte) {
                Ok((1, false)) => {}
                Ok((1, true)) => {
                    pieces = Some(at + 1);
                    break;
                }
                _ => break,
            }
        }
        assert_eq!(whole, pieces, "{}", text.escape_ascii());
        whole
    }

    #[test]
    fn content_ends_where_its_framing_says() {
        for (text, rest) in [
            (&b"0\r\n\r\n"[..], 0),
            (b"3\r\nabc\r\n0\r\n\r\nGET", 3),
            (b"0003\r\nabc\r\n000\r\n\r\n", 0),
            (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", 0),
            (b"1;a\r\nx\r\n0;b=c;d=\"e;\\\"f\"\r\n\r\n", 0),
            (b"1 ; a = b\r\nx\r\n0\r\n\r\n", 0),
            (b"0\r\nX-A: b\r\nX-C:\r\n\r\n", 0),
            (b"2\r\n\r\n\r\n0\r\n\r\n", 0),
        ] {
            assert_eq!(length(text), Some(text.len() - rest), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn what_breaks_the_framing_is_refused() {
        let long = format!("1;{}\r\nx\r\n0\r\n\r\n", "a".repeat(LONGEST_LINE));
        let trailers = format!("0\r\n{}\r\n", "X: y\r\n".repeat(2000));
        for text in [
            "\r\n",
            "g\r\n",
            "-1\r\n",
            "+1\r\nx",
            "0x1\r\nx",
            " 1\r\nx",
            "1\nx\r\n0\r\n\r\n",
            "1\r\nxy\r\n0\r\n\r\n",
            "1\r\nx\n0\r\n\r\n",
            "1\r\nx0\r\n\r\n",
            "0\r\n\n",
            "0\n\r\n",
            "1 x\r\nx",
            "1;\r\nx",
            "1;=a\r\nx",
            "1;a=\r\nx",
            "1;a=\"b\r\nx",
            "1;a=\"\0\"\r\nx",
            "1;a\0\r\nx",
            "1;a=b c\r\nx",
            "1;a=\"b\"c\r\nx",
            "1;a \r\nx",
            "1 \r\nx",
            "1;a\rb\r\nx",
            "10000000000000000\r\nx",
            "0\r\nX\r\n\r\n",
            "0\r\n X: y\r\n\r\n",
            "0\r\nX : y\r\n\r\n",
            "0\r\nContent-Length: 5\r\n\r\n",
            "0\r\nTransfer-Encoding: chunked\r\n\r\n",
            &long,
            &trailers,
        ] {
            assert_eq!(length(text.as_bytes()), None, "{text:?}");
            // it is broken, and does not just go on
            let more = [text.as_bytes(), b"\r\n\r\n0\r\n\r\n"].concat();
            assert!(Chunked::default().read(&more).is_err(), "{text:?}");
        }
    }
}
