//! `multipart/form-data` as the vendor's clients write it (RFC 7578).
//!
//! Strict: boundaries stand at line starts, nothing stands before the first or after the last.
//! Called with the whole content, of which parts are slices; never decodes a part. `multer` reads
//! streams: it copies the content, which no budget would count, and skips without a word what stands
//! before the first boundary and after the last.

/// Most parts of one request; API v2 lists 1,000 URLs as so many parameters.
const MOST_PARTS: usize = 1100;

/// Longest head of a part, in bytes.
const LONGEST_HEAD: usize = 4096;

/// Why content is not taken as multipart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// The Content-Type names no boundary.
    #[error("the Content-Type names no boundary")]
    NoBoundary,
    /// It does not begin with the boundary.
    #[error("it does not begin with the boundary")]
    Beginning,
    /// Something stands after the last boundary.
    #[error("something stands after the last boundary")]
    Ending,
    /// A boundary is not followed by a line end.
    #[error("a boundary is not followed by a line end")]
    LineEnd,
    /// The last boundary is missing.
    #[error("the last boundary is missing")]
    LastBoundary,
    /// It has more parts than are taken.
    #[error("it has more than 1,100 parts")]
    TooManyParts,
    /// The fields of a part are too long.
    #[error("the fields of a part are longer than 4,096 bytes")]
    LongFields,
    /// A part has no empty line after its fields.
    #[error("a part has no empty line after its fields")]
    EmptyLine,
    /// The fields of a part are not UTF-8.
    #[error("a part's fields are not UTF-8")]
    NotUtf8,
    /// A field of a part has no colon.
    #[error("a part's field has no colon")]
    Colon,
    /// A part has no name.
    #[error("a part has no name")]
    Name,
}

/// One part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    /// Its parameter.
    pub(crate) name: &'a str,
    /// Whether its content is JSON.
    pub(crate) is_json: bool,
    /// Its content.
    pub(crate) content: &'a [u8],
}

/// The boundary named by a `Content-Type` of `multipart/form-data`; `None` when it names none.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    parameter(content_type, "boundary").filter(|boundary| matches!(boundary.len(), 1..=70))
}

/// The parts of `content`, in order.
///
/// # Errors
/// What is malformed.
pub(crate) fn parts<'a>(content: &'a [u8], boundary: &str) -> Result<Vec<Part<'a>>, Malformed> {
    let opening = format!("--{boundary}");
    let delimiter = format!("\r\n{opening}");
    let mut rest = content.strip_prefix(opening.as_bytes()).ok_or(Malformed::Beginning)?;
    let mut found = Vec::new();
    loop {
        if let Some(end) = rest.strip_prefix(b"--") {
            return if end.trim_ascii().is_empty() { Ok(found) } else { Err(Malformed::Ending) };
        }
        let body = rest.strip_prefix(b"\r\n").ok_or(Malformed::LineEnd)?;
        let end = find(body, delimiter.as_bytes()).ok_or(Malformed::LastBoundary)?;
        if found.len() == MOST_PARTS {
            return Err(Malformed::TooManyParts);
        }
        found.push(part(&body[..end])?);
        rest = &body[end + delimiter.len()..];
    }
}

fn part(text: &[u8]) -> Result<Part<'_>, Malformed> {
    // with the empty line after it
    let beginning = &text[..text.len().min(LONGEST_HEAD + 4)];
    let head_end = find(beginning, b"\r\n\r\n").ok_or(if beginning.len() < text.len() {
        Malformed::LongFields
    } else {
        Malformed::EmptyLine
    })?;
    let head = str::from_utf8(&text[..head_end]).map_err(|_| Malformed::NotUtf8)?;
    let mut name = None;
    let mut is_json = false;
    for line in head.split("\r\n") {
        let (field, value) = line.split_once(':').ok_or(Malformed::Colon)?;
        if field.eq_ignore_ascii_case("content-disposition") {
            name = parameter(value, "name");
        } else if field.eq_ignore_ascii_case("content-type") {
            is_json = essence(value).eq_ignore_ascii_case("application/json");
        }
    }
    let name = name.filter(|name| !name.is_empty()).ok_or(Malformed::Name)?;
    Ok(Part { name, is_json, content: &text[head_end + 4..] })
}

/// A media type without its parameters.
pub(crate) fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// The value of `; name=value` or `; name="value"` in a field; backslashes are not unescaped,
/// because no client writes them.
fn parameter<'a>(field: &'a str, name: &str) -> Option<&'a str> {
    field.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        key.trim().eq_ignore_ascii_case(name).then(|| bare.unwrap_or(value))
    })
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_read_as_written() {
        let content =
            b"--b\r\nContent-Disposition: form-data; name=\"Area\"\r\n\r\nmain\r\nland\r\n\
            --b\r\nContent-Disposition: form-data; filename=\"x\"; name=Urls\r\n\
            Content-Type: application/json; charset=utf-8\r\n\r\n[1]\r\n--b--\r\n";
        assert_eq!(
            parts(content, "b").unwrap(),
            [
                Part { name: "Area", is_json: false, content: b"main\r\nland" },
                Part { name: "Urls", is_json: true, content: b"[1]" },
            ]
        );
        assert_eq!(parts(b"--b--", "b"), Ok(vec![]));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let field = |head: &str| format!("--b\r\n{head}\r\n\r\nx\r\n--b--");
        for (content, why) in [
            (String::new(), Malformed::Beginning),
            ("x--b--".into(), Malformed::Beginning),
            ("\r\n--b--".into(), Malformed::Beginning),
            ("--b".into(), Malformed::LineEnd),
            ("--b \r\n\r\nx\r\n--b--".into(), Malformed::LineEnd),
            ("--b\r\n\r\n".into(), Malformed::LastBoundary),
            (
                "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx".into(),
                Malformed::LastBoundary,
            ),
            ("--b\r\nContent-Disposition: form-data\r\n--b--".into(), Malformed::EmptyLine),
            (field("Content-Disposition: form-data"), Malformed::Name),
            (field("Content-Disposition: form-data; name=\"\""), Malformed::Name),
            (field("nocolon"), Malformed::Colon),
            ("--b--trailing".into(), Malformed::Ending),
            ("--b--\r\n--b--".into(), Malformed::Ending),
        ] {
            assert_eq!(parts(content.as_bytes(), "b"), Err(why), "{content:?}");
        }
    }

    #[test]
    fn the_boundary_may_stand_anywhere_and_be_quoted() {
        for field in [
            "multipart/form-data; boundary=ab",
            "multipart/form-data; charset=utf-8; boundary=\"ab\"",
            "multipart/form-data;BOUNDARY=ab;x=y",
        ] {
            assert_eq!(boundary(field), Some("ab"), "{field}");
        }
        assert_eq!(boundary("multipart/form-data"), None);
        assert_eq!(boundary("multipart/form-data; boundary="), None);
    }

    #[test]
    fn parts_and_their_fields_are_bounded() {
        let part = |head: usize| {
            let fields = "Content-Disposition: form-data; name=a\r\nX: ";
            let filled = format!("{fields}{}", "x".repeat(head - fields.len()));
            format!("--b\r\n{filled}\r\n\r\nvalue\r\n")
        };
        for (count, head, is_taken) in [
            (1, LONGEST_HEAD, true),
            (1, LONGEST_HEAD + 1, false),
            (MOST_PARTS, 100, true),
            (MOST_PARTS + 1, 100, false),
        ] {
            let content = part(head).repeat(count) + "--b--";
            let read = parts(content.as_bytes(), "b");
            assert_eq!(read.is_ok_and(|parts| parts.len() == count), is_taken, "{count} {head}");
        }
    }

    proptest! {
        #[test]
        fn no_content_makes_the_parser_panic(content in "(--b|\r\n|[a-z:;=\"-]){0,30}", field in "\\PC*") {
            let _ = parts(content.as_bytes(), "b");
            let _ = boundary(&field);
        }
    }
}
