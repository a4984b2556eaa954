//! Lists of URLs, as editors and spreadsheets write them.
//!
//! One URL on a line. Lines end in LF, CRLF or CR; the text is UTF-8, or UTF-16 with a byte order
//! mark. Blanks around a line, quotes of a single CSV column and a heading `url` are not part of
//! the URLs; empty lines and lines that begin with `#` are ignored. Any other line that is no URL is
//! refused with its number, so that nothing is dropped silently.

use std::{
    borrow::Cow,
    fmt, fs,
    io::{self, Read, Write},
};

use stoker_domain::target::Target;

use crate::{failure::Failure, output};

/// Refused lines that are printed one by one; the rest is counted.
const PRINTED: usize = 20;
/// Characters of a bad line that are shown.
const SHOWN: usize = 200;

/// A list that was read.
#[derive(Debug)]
pub(crate) struct List {
    /// What messages call it.
    name: String,
    lines: Vec<Line>,
    refused: Vec<Refused>,
}

/// A line with a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its number, from 1.
    pub(crate) number: usize,
    /// The URL as given.
    pub(crate) url: String,
}

/// A line without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    number: usize,
    /// The line as given, without its end.
    raw: Vec<u8>,
    reason: String,
}

impl Refused {
    /// A line that is refused for another reason than its form.
    pub(crate) fn new(line: &Line, reason: String) -> Self {
        Self { number: line.number, raw: line.url.clone().into_bytes(), reason }
    }

    /// The number of the line, from 1.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// As [`write_refused`] writes it, for a terminal: bytes that are no text are escaped.
    pub(crate) fn as_comment(&self) -> String {
        format!("# line {} {}\n{}", self.number, self.reason, escaped(&self.raw))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, raw, reason } = self;
        write!(f, "line {number} `{}` {reason}", shown(raw))
    }
}

/// Reads the list in the file called `name`, or in standard input when it is called `-`.
pub(crate) fn read(name: &str) -> Result<List, Failure> {
    let mut content = Vec::new();
    let read = if name == "-" {
        io::stdin().read_to_end(&mut content)
    } else {
        fs::File::open(name).and_then(|mut file| file.read_to_end(&mut content))
    };
    read.map_err(|error| {
        Failure::because(format!("cannot read the list `{name}`"), &error)
            .into_usage()
            .hint("name a text file with one URL on each line, or `-` for standard input")
    })?;
    let name = if name == "-" { "standard input" } else { name };
    Ok(List::parse(name, &content))
}

impl List {
    fn parse(name: &str, content: &[u8]) -> Self {
        let mut list = Self { name: name.into(), lines: Vec::new(), refused: Vec::new() };
        let mut is_first = true;
        for (index, raw) in lines(&utf8(content)).enumerate() {
            let number = index + 1;
            let found = text(raw).and_then(|text| url(text, &mut is_first));
            match found {
                Ok(None) => {}
                Ok(Some(url)) => list.lines.push(Line { number, url }),
                Err(reason) => list.refused.push(Refused { number, raw: raw.into(), reason }),
            }
        }
        list
    }

    /// The lines with URLs and the others.
    pub(crate) fn into_parts(self) -> (Vec<Line>, Vec<Refused>) {
        (self.lines, self.refused)
    }

    /// The lines, all of which must have URLs.
    ///
    /// # Errors
    /// Some have none; each of them is printed on standard error.
    pub(crate) fn whole(self) -> Result<Vec<Line>, Failure> {
        let Self { name, lines, refused } = self;
        let bad = refused.len();
        if bad == 0 {
            return Ok(lines);
        }
        report(&name, &refused);
        let of = lines.len() + bad;
        let lines = if bad == 1 { "line has" } else { "lines have" };
        Err(Failure::usage(format!("{bad} {lines} no URL, of {of} in the list `{name}`"))
            .hint("correct them; nothing was submitted"))
    }
}

/// Prints the refused lines of the list `name`, or the first of them, on standard error.
pub(crate) fn report(name: &str, refused: &[Refused]) {
    let bad = refused.len();
    let few = if bad <= PRINTED { bad } else { PRINTED - 1 };
    refused[..few].iter().for_each(|line| output::note(&format!("{name}: {line}")));
    if few < bad {
        output::note(&format!("{name}: and {} more", bad - few));
    }
}

/// Writes refused lines as a list that can be corrected and read again: above each line, as a
/// comment, what it was refused for.
pub(crate) fn write_refused(refused: &[Refused], to: &mut impl Write) -> io::Result<()> {
    for Refused { number, raw, reason } in refused {
        writeln!(to, "# line {number} {reason}")?;
        to.write_all(raw)?;
        writeln!(to)?;
    }
    to.flush()
}

/// The content in UTF-8, without a byte order mark. What is no character of UTF-16 becomes a byte
/// that is none of UTF-8.
fn utf8(content: &[u8]) -> Cow<'_, [u8]> {
    match content {
        [0xEF, 0xBB, 0xBF, rest @ ..] => rest.into(),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes).into(),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes).into(),
        _ => content.into(),
    }
}

fn utf16(content: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u8> {
    let (pairs, rest) = content.as_chunks::<2>();
    let mut text = Vec::with_capacity(content.len());
    for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match decoded {
            Ok(character) => {
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Err(_) => text.push(0xFF),
        }
    }
    // half a character
    text.extend(rest.iter().map(|_| 0xFF));
    text
}

/// The lines without their ends: LF, CRLF or CR.
fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = content;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
        let (line, tail) = rest.split_at(end);
        rest = tail.strip_prefix(b"\r\n").or_else(|| tail.get(1..)).unwrap_or_default();
        Some(line)
    })
}

/// The line as text, without blanks around it.
fn text(raw: &[u8]) -> Result<&str, String> {
    if raw.contains(&0) {
        let way_out = "save the list as UTF-8, or as UTF-16 with a byte order mark";
        return Err(format!("has bytes that are zero: {way_out}"));
    }
    // editors leave invisible marks
    let is_blank = |c: char| c.is_whitespace() || matches!(c, '\u{FEFF}' | '\u{200B}');
    str::from_utf8(raw).map(|text| text.trim_matches(is_blank)).map_err(|error| {
        let at = error.valid_up_to();
        format!("is not UTF-8 at byte {} ({:#04x}): save the list as UTF-8", at + 1, raw[at])
    })
}

/// The URL on a line, if one is meant to be there.
fn url(text: &str, is_first: &mut bool) -> Result<Option<String>, String> {
    let cell = cell(text)?;
    if cell.is_empty() || cell.starts_with('#') {
        return Ok(None);
    }
    let is_heading = ["url", "urls"].iter().any(|word| cell.eq_ignore_ascii_case(word));
    if std::mem::take(is_first) && is_heading {
        return Ok(None);
    }
    Target::parse(&cell, true).map_err(|error| error.to_string())?;
    Ok(Some(cell.into_owned()))
}

/// What stands in the only column: without the quotes of CSV, where there are some.
fn cell(text: &str) -> Result<Cow<'_, str>, String> {
    let columns = || "has more than one column".to_owned();
    let Some(quoted) = text.strip_prefix('"') else {
        return if text.contains('\t') { Err(columns()) } else { Ok(text.into()) };
    };
    let mut cell = String::new();
    let mut rest = quoted;
    loop {
        let Some((before, after)) = rest.split_once('"') else {
            return Err("begins with a quote that does not end on the line".into());
        };
        cell.push_str(before);
        let Some(further) = after.strip_prefix('"') else {
            let is_empty = |c: char| c.is_whitespace() || matches!(c, ',' | ';');
            let is_last = after.trim_matches(is_empty).is_empty();
            return if is_last { Ok(cell.trim().to_owned().into()) } else { Err(columns()) };
        };
        cell.push('"');
        rest = further;
    }
}

/// A line as it may appear in a message: cut to what a person reads.
fn shown(raw: &[u8]) -> String {
    let text = escaped(raw);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A line no byte of which acts on a terminal.
fn escaped(raw: &[u8]) -> String {
    let Ok(text) = str::from_utf8(raw) else { return raw.escape_ascii().to_string() };
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    text.trim().chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(content: &[u8]) -> (Vec<(usize, String)>, Vec<String>) {
        let (lines, refused) = List::parse("urls.txt", content).into_parts();
        let lines = lines.into_iter().map(|line| (line.number, line.url)).collect();
        (lines, refused.iter().map(Refused::to_string).collect())
    }

    #[track_caller]
    fn assert_urls(content: &[u8], expected: &[(usize, &str)]) {
        let (lines, refused) = parse(content);
        let lines: Vec<_> = lines.iter().map(|(number, url)| (*number, url.as_str())).collect();
        assert_eq!((&lines[..], &refused[..]), (expected, &[][..]), "{}", content.escape_ascii());
    }

    fn utf16_of(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_list_is_taken_as_editors_and_spreadsheets_write_it() {
        let (a, b) = ("http://a.example/1", "http://a.example/2");
        let both = [(1, a), (2, b)];
        type Case<'a> = (&'a [u8], &'a [(usize, &'a str)]);
        let cases: [Case<'_>; 14] = [
            (b"", &[]),
            (b"http://a.example/1\nhttp://a.example/2", &both),
            (b"http://a.example/1\r\nhttp://a.example/2\r\n", &both),
            (b"http://a.example/1\rhttp://a.example/2\r", &both),
            (b"\xEF\xBB\xBFhttp://a.example/1\nhttp://a.example/2\n", &both),
            (b"# first\n\nhttp://a.example/1\n \t\n  # x\nhttp://a.example/2", &[(3, a), (6, b)]),
            (b"  http://a.example/1 \t\n\thttp://a.example/2\xC2\xA0\n", &both),
            (b"http://a.example/1\t\t\r\nhttp://a.example/2\t\r\n", &both),
            (b"\"http://a.example/1\"\n\" http://a.example/2 \",,\n", &both),
            (b"\"http://a.example/1\";\n\"http://a.example/2\"\t \n", &both),
            (b"URL\r\nhttp://a.example/1\r\n", &[(2, a)]),
            (b"# made by x\n\"Urls\"\nhttp://a.example/1\n", &[(3, a)]),
            (b"\"# a comment\"\nhttp://a.example/x,y;z\n", &[(2, "http://a.example/x,y;z")]),
            ("http://a.example/中 文\n".as_bytes(), &[(1, "http://a.example/中 文")]),
        ];
        for (content, expected) in cases {
            assert_urls(content, expected);
        }
        let text = "\u{FEFF}http://a.example/1\r\nhttp://a.example/中🎬\r\n";
        let expected = [(1, a), (2, "http://a.example/中🎬")];
        assert_urls(&utf16_of(text, u16::to_le_bytes), &expected);
        assert_urls(&utf16_of(text, u16::to_be_bytes), &expected);
    }

    #[test]
    fn a_bad_line_is_named_by_its_number_and_costs_no_other() {
        let good = "http://a.example/1";
        for (line, reason) in [
            (
                &b"ftp://a.example/"[..],
                "`ftp://a.example/` must begin with `http://` or `https://`",
            ),
            (b"www.example.com/x", "`www.example.com/x` must begin with"),
            (b"http:///x", "`http:///x` has no valid host"),
            (
                b"http://a.example/caf\xE9",
                r"`http://a.example/caf\xe9` is not UTF-8 at byte 21 (0xe9)",
            ),
            (b"h\0t\0t\0p\0", r"`h\u{0}t\u{0}t\u{0}p\u{0}` has bytes that are zero"),
            (
                b"http://a.example/\x1b[2J",
                r"`http://a.example/\u{1b}[2J` has a character that no URI",
            ),
            (b"\"http://a.example/1", "begins with a quote that does not end"),
            (b"\"http://a.example/1\",\"x\"", "has more than one column"),
            (b"http://a.example/1\t200", "has more than one column"),
            (b"url", "`url` must begin with"),
        ] {
            let content = [good.as_bytes(), b"\r\n", line, b"\r\n", good.as_bytes()].concat();
            let (lines, refused) = parse(&content);
            assert_eq!(lines, [(1, good.into()), (3, good.into())], "{reason}");
            assert!(
                matches!(&refused[..], [one] if one.starts_with("line 2 ") && one.contains(reason)),
                "{reason}: {refused:?}"
            );
        }
        let mut half = utf16_of("\u{FEFF}http://a.example/1\nhttp://b.example/", u16::to_le_bytes);
        half.extend(0xD800_u16.to_le_bytes());
        half.push(b'x');
        let (lines, refused) = parse(&half);
        assert_eq!((lines.len(), refused.len()), (1, 1), "{refused:?}");
        assert!(List::parse("x", &half).whole().is_err());
    }

    #[test]
    fn refused_lines_are_written_as_a_list_that_can_be_corrected() {
        let content = b"http://a.example/1\nnot a url\nhttp://a.example/caf\xE9\n";
        let (_, refused) = List::parse("urls.txt", content).into_parts();
        let mut written = Vec::new();
        write_refused(&refused, &mut written).unwrap();
        let expected = b"# line 2 must begin with `http://` or `https://`\nnot a url\n\
            # line 3 is not UTF-8 at byte 21 (0xe9): save the list as UTF-8\nhttp://a.example/caf\xE9\n";
        assert_eq!(written.escape_ascii().to_string(), expected.escape_ascii().to_string());
        let (_, again) = List::parse("rejected.txt", &written).into_parts();
        assert_eq!(again.len(), 2);
    }
}
