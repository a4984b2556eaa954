//! Messages of the Domain Name System (RFC 1035, with the larger size of RFC 6891): the questions
//! that are asked, and what a reply says to one. Pure.
//!
//! A reply is what strangers wrote. It is read without trust: names are followed backwards alone, so
//! that no pointer leads round; nothing is allocated for what a count promises; a reply to another
//! question is foreign. CNAMEs are followed within the reply, as a recursive server gives them.

use thiserror::Error;

/// Bytes of a reply over UDP that are asked for, as fits one packet (RFC 9715).
pub const UDP_SIZE: u16 = 1232;
/// Aliases that are followed in one reply.
const MOST_ALIASES: usize = 8;
/// Longest name in a message, in bytes (RFC 1035 section 2.3.4): two more than it has as text.
const LONGEST_NAME: usize = 255;
const IN: u16 = 1;
const CNAME: u16 = 5;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// Texts.
    Txt,
    /// IPv6 addresses.
    Aaaa,
}

impl Kind {
    /// Its number.
    pub const fn code(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Txt => 16,
            Self::Aaaa => 28,
        }
    }
}

/// What a reply contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The data of the records: an address of 4 or 16 bytes, or the strings of a text, joined. None
    /// when there is no such name or no such record.
    Records(Vec<Vec<u8>>),
    /// The reply did not fit; it must be asked for over TCP.
    Truncated,
}

/// Why a message gives no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unread {
    /// Not a reply to this question: somebody else's, or forged.
    #[error("the message is no reply to this question")]
    Foreign,
    /// The server does not answer it.
    #[error("the name server answered with code {0}")]
    Refused(u8),
    /// Not a message that can be read.
    #[error("the reply is malformed")]
    Malformed,
}

/// A question of `kind` about `name`, for a recursive server; nothing when it is not a name.
pub fn query(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let mut message = Vec::with_capacity(name.len() + 32);
    message.extend_from_slice(&id.to_be_bytes());
    // recursion desired; one question, and the record of RFC 6891
    message.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?;
        message.push(length);
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    if message.len() - 12 > LONGEST_NAME {
        return None;
    }
    message.extend_from_slice(&kind.code().to_be_bytes());
    message.extend_from_slice(&IN.to_be_bytes());
    message.extend_from_slice(&[0, 0, 41]);
    message.extend_from_slice(&UDP_SIZE.to_be_bytes());
    message.extend_from_slice(&[0; 6]);
    Some(message)
}

/// Reads a reply to [`query`].
///
/// # Errors
/// [`Unread`].
pub fn read(message: &[u8], id: u16, name: &str, kind: Kind) -> Result<Reply, Unread> {
    let mut reader = Reader { message, at: 0 };
    let foreign = |_| Unread::Foreign;
    let found = reader.number().map_err(foreign)?;
    let flags = reader.number().map_err(foreign)?;
    let (questions, answers) =
        (reader.number().map_err(foreign)?, reader.number().map_err(foreign)?);
    reader.skip(4).map_err(foreign)?;
    // a response to a standard query
    if found != id || flags & 0xf800 != 0x8000 {
        return Err(Unread::Foreign);
    }
    let code = (flags & 0xf) as u8;
    if questions == 0 && code != 0 {
        return Err(Unread::Refused(code));
    }
    let asked = name.to_ascii_lowercase();
    let question = (reader.name(), reader.number(), reader.number());
    if questions != 1 || question != (Ok(asked.clone().into_bytes()), Ok(kind.code()), Ok(IN)) {
        return Err(Unread::Foreign);
    }
    if flags & 0x0200 != 0 {
        return Ok(Reply::Truncated);
    }
    match code {
        0 => records(&mut reader, answers, asked.into_bytes(), kind).map(Reply::Records),
        // there is no such name
        3 => Ok(Reply::Records(Vec::new())),
        code => Err(Unread::Refused(code)),
    }
}

/// The records of `kind` that the name has, or that its last alias has.
fn records(
    reader: &mut Reader<'_>,
    count: u16,
    asked: Vec<u8>,
    kind: Kind,
) -> Result<Vec<Vec<u8>>, Unread> {
    let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut aliases: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for _ in 0..count {
        let owner = reader.name()?;
        let (code, class) = (reader.number()?, reader.number()?);
        reader.skip(4)?;
        let length = usize::from(reader.number()?);
        let start = reader.at;
        reader.skip(length)?;
        if class != IN {
            continue;
        }
        if code == CNAME {
            let mut inner = Reader { message: reader.message, at: start };
            aliases.push((owner, inner.name()?));
        } else if code == kind.code() {
            found.push((owner, data(&reader.message[start..reader.at], kind)?));
        }
    }
    let mut owner = asked;
    for _ in 0..=MOST_ALIASES {
        let data = found.iter().filter(|(of, _)| *of == owner).map(|(_, data)| data.clone());
        let data: Vec<_> = data.collect();
        match aliases.iter().find(|(of, _)| *of == owner) {
            _ if !data.is_empty() => return Ok(data),
            Some((_, alias)) => owner.clone_from(alias),
            None => return Ok(data),
        }
    }
    Err(Unread::Malformed)
}

/// The data of a record as [`Reply::Records`] has it.
fn data(bytes: &[u8], kind: Kind) -> Result<Vec<u8>, Unread> {
    match kind {
        Kind::A if bytes.len() == 4 => Ok(bytes.into()),
        Kind::Aaaa if bytes.len() == 16 => Ok(bytes.into()),
        Kind::A | Kind::Aaaa => Err(Unread::Malformed),
        Kind::Txt => {
            let (mut text, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
            while let Some((length, tail)) = rest.split_first() {
                let (string, tail) =
                    tail.split_at_checked(usize::from(*length)).ok_or(Unread::Malformed)?;
                text.extend_from_slice(string);
                rest = tail;
            }
            Ok(text)
        }
    }
}

/// A place in a message.
struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn skip(&mut self, count: usize) -> Result<(), Unread> {
        self.at += count;
        if self.at <= self.message.len() { Ok(()) } else { Err(Unread::Malformed) }
    }

    fn byte(&mut self) -> Result<u8, Unread> {
        let byte = self.message.get(self.at).copied().ok_or(Unread::Malformed)?;
        self.at += 1;
        Ok(byte)
    }

    fn number(&mut self) -> Result<u16, Unread> {
        Ok(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// A name in lower case, its labels joined by points. A label with a point in it is none that
    /// anybody asks about.
    fn name(&mut self) -> Result<Vec<u8>, Unread> {
        let mut name = Vec::new();
        let mut inner = Reader { message: self.message, at: self.at };
        // where names may begin: before all that was read of this one
        let mut limit = self.at;
        let mut has_jumped = false;
        loop {
            let length = inner.byte()?;
            if length & 0xc0 == 0xc0 {
                let target = usize::from(u16::from_be_bytes([length & 0x3f, inner.byte()?]));
                if !has_jumped {
                    self.at = inner.at;
                }
                if target >= limit {
                    return Err(Unread::Malformed);
                }
                (has_jumped, limit, inner.at) = (true, target, target);
                continue;
            }
            if length == 0 {
                break;
            }
            let start = inner.at;
            // the two kinds of labels that are neither pointers nor plain are not in use
            if length > 63 {
                return Err(Unread::Malformed);
            }
            inner.skip(length.into())?;
            let label = &self.message[start..inner.at];
            if !name.is_empty() {
                name.push(b'.');
            }
            name.extend(label.iter().map(u8::to_ascii_lowercase));
            if label.contains(&b'.') || name.len() + 2 > LONGEST_NAME {
                return Err(Unread::Malformed);
            }
        }
        if !has_jumped {
            self.at = inner.at;
        }
        Ok(name)
    }
}

#[cfg(test)]
mod tests;
