//! The head of a request: request line and fields (RFC 9112 sections 2 to 6).

use std::mem::replace;

use super::{
    Refusal,
    fields::{is_token, is_token_byte, split},
    target,
};
use crate::Hosts;

/// Longest method, in bytes; the longest that is registered has 17.
pub(super) const LONGEST_METHOD: usize = 32;
/// Most fields; hyper takes no more.
const MOST_FIELDS: usize = 100;

/// What a head says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) framing: Framing,
    /// Where the digit of a minor version above 1 stands; such a request counts as one of HTTP/1.1
    /// (RFC 9110 section 2.5).
    pub(super) minor_at: Option<usize>,
}

/// How long the content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes.
    Length(u64),
    /// It says so itself, chunk by chunk.
    Chunked,
}

/// What the fields so far decide about where the request goes and where it ends.
#[derive(Default)]
struct Seen<'a> {
    host: Option<&'a [u8]>,
    length: Option<u64>,
    is_chunked: bool,
    has_credentials: bool,
    has_media_type: bool,
}

/// Judges a whole head, with the empty line at its end. Every line ends with CR LF.
pub(super) fn check(head: &[u8], target_bytes: usize, hosts: Hosts) -> Result<Head, Refusal> {
    let mut lines = Lines(head);
    let first = lines.next().ok_or(Refusal::RequestLine)?;
    let line = request_line(first, target_bytes)?;
    let mut seen = Seen::default();
    for (count, field) in lines.enumerate() {
        if count >= MOST_FIELDS {
            return Err(Refusal::LargeHead);
        }
        let (name, value) = split(field)?;
        seen.take(name, value, line.minor)?;
    }
    check_host(seen.host, line.minor, hosts)?;
    let framing = match (seen.is_chunked, seen.length) {
        (true, Some(_)) => return Err(Refusal::TwoLengths),
        (true, None) => Framing::Chunked,
        (false, length) => Framing::Length(length.unwrap_or(0)),
    };
    let minor_at = (line.minor > 1).then(|| first.len() - 1);
    Ok(Head { framing, minor_at })
}

/// The lines of a head without their ends, up to the empty one.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(b'\n', self.0)?;
        let line = self.0[..end].strip_suffix(b"\r")?;
        self.0 = &self.0[end + 1..];
        (!line.is_empty()).then_some(line)
    }
}

struct RequestLine {
    minor: u8,
}

fn request_line(line: &[u8], target_bytes: usize) -> Result<RequestLine, Refusal> {
    check_method_so_far(line)?;
    let space = line.iter().position(|byte| *byte == b' ').ok_or(Refusal::RequestLine)?;
    let method = &line[..space];
    let rest = &line[space + 1..];
    let end = rest.iter().rposition(|byte| *byte == b' ').ok_or(Refusal::RequestLine)?;
    let (target, version) = (&rest[..end], &rest[end + 1..]);
    if !is_token(method) {
        return Err(Refusal::RequestLine);
    }
    if target.len() > target_bytes {
        return Err(Refusal::LongTarget);
    }
    let minor = match version {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'0'..=b'9'] => minor - b'0',
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            return Err(Refusal::Version);
        }
        _ if line.contains(&b'\r') => return Err(Refusal::LineEnd),
        _ => return Err(Refusal::RequestLine),
    };
    if method == b"CONNECT" {
        return Err(Refusal::Connect);
    }
    target::check(method, target)?;
    Ok(RequestLine { minor })
}

/// Judges the beginning of a first line: what is no method, or too long for one, need not be waited
/// for.
pub(super) fn check_method_so_far(line: &[u8]) -> Result<(), Refusal> {
    let method = line.iter().take_while(|byte| is_token_byte(**byte)).count();
    match line.get(method) {
        _ if method > LONGEST_METHOD => Err(Refusal::Method),
        Some(b' ') if method > 0 => Ok(()),
        Some(b'\r') if method > 0 => Ok(()),
        Some(_) => Err(Refusal::RequestLine),
        None => Ok(()),
    }
}

impl<'a> Seen<'a> {
    fn take(&mut self, name: &[u8], value: &'a [u8], minor: u8) -> Result<(), Refusal> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match name.len() {
            4 if is("host") => refuse_if(self.host.replace(value).is_some(), Refusal::Host),
            6 if is("expect") => {
                refuse_if(!value.eq_ignore_ascii_case(b"100-continue"), Refusal::Expectation)
            }
            12 if is("content-type") => {
                refuse_if(replace(&mut self.has_media_type, true), Refusal::Repeated)
            }
            13 if is("authorization") => {
                refuse_if(replace(&mut self.has_credentials, true), Refusal::Repeated)
            }
            14 if is("content-length") => {
                refuse_if(self.length.replace(length(value)?).is_some(), Refusal::Length)
            }
            17 if is("transfer-encoding") => {
                refuse_if(replace(&mut self.is_chunked, true) || minor == 0, Refusal::Coding)?;
                coding(value)
            }
            _ => Ok(()),
        }
    }
}

fn refuse_if(is_wrong: bool, refusal: Refusal) -> Result<(), Refusal> {
    if is_wrong { Err(refusal) } else { Ok(()) }
}

/// `Content-Length`: one number (RFC 9110 section 8.6). The largest values are hyper's own marks.
fn length(value: &[u8]) -> Result<u64, Refusal> {
    if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::Length);
    }
    let digit = |length: u64, digit: &u8| length * 10 + u64::from(digit - b'0');
    // 19 digits fit
    Ok(value.iter().fold(0, digit))
}

/// `Transfer-Encoding`: `chunked` and nothing else (RFC 9112 sections 6.1 and 6.3).
fn coding(value: &[u8]) -> Result<(), Refusal> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let codings: Vec<_> = value.split(|byte| *byte == b',').map(super::fields::trim).collect();
    let is_chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let ends_well = codings.last().is_some_and(is_chunked);
    let is_unknown = ends_well && codings.iter().filter(|coding| is_chunked(coding)).count() == 1;
    let are_tokens = codings.iter().all(|coding| is_token(coding));
    Err(if is_unknown && are_tokens { Refusal::UnknownCoding } else { Refusal::Coding })
}

fn check_host(host: Option<&[u8]>, minor: u8, hosts: Hosts) -> Result<(), Refusal> {
    let is_good = match (host, hosts) {
        (None, _) => minor == 0,
        (Some(host), Hosts::Any) => host.iter().all(|byte| (b'!'..=b'~').contains(byte)),
        (Some(host), Hosts::Strict) => target::is_authority(host),
    };
    if is_good { Ok(()) } else { Err(Refusal::Host) }
}
