//! `multipart/form-data` as the vendor's clients write it (RFC 7578).
//!
//! Strict: boundaries stand at line starts, nothing stands before the first or after the last.
//! Called with the whole content; never decodes a part.

/// Most parts of one request; API v2 lists 1,000 URLs as so many parameters.
const MOST_PARTS: usize = 1100;

/// Longest head of a part, in bytes.
const LONGEST_HEAD: usize = 4096;

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
/// What is malformed, in words.
pub(crate) fn parts<'a>(content: &'a [u8], boundary: &str) -> Result<Vec<Part<'a>>, &'static str> {
    let opening = format!("--{boundary}");
    let delimiter = format!("\r\n{opening}");
    let mut rest =
        content.strip_prefix(opening.as_bytes()).ok_or("it does not begin with the boundary")?;
    let mut found = Vec::new();
    loop {
        if let Some(end) = rest.strip_prefix(b"--") {
            return if end.trim_ascii().is_empty() {
                Ok(found)
            } else {
                Err("something stands after the last boundary")
            };
        }
        let body = rest.strip_prefix(b"\r\n").ok_or("a boundary is not followed by a line end")?;
        let end = find(body, delimiter.as_bytes()).ok_or("the last boundary is missing")?;
        if found.len() == MOST_PARTS {
            return Err("it has more than 1,100 parts");
        }
        found.push(part(&body[..end])?);
        rest = &body[end + delimiter.len()..];
    }
}

fn part(text: &[u8]) -> Result<Part<'_>, &'static str> {
    // with the empty line after it
    let beginning = &text[..text.len().min(LONGEST_HEAD + 4)];
    let head_end = find(beginning, b"\r\n\r\n").ok_or(if beginning.len() < text.len() {
        "the fields of a part are longer than 4,096 bytes"
    } else {
        "a part has no empty line after its fields"
    })?;
    let head = str::from_utf8(&text[..head_end]).map_err(|_| "a part's fields are not UTF-8")?;
    let mut name = None;
    let mut is_json = false;
    for line in head.split("\r\n") {
        let (field, value) = line.split_once(':').ok_or("a part's field has no colon")?;
        if field.eq_ignore_ascii_case("content-disposition") {
            name = parameter(value, "name");
        } else if field.eq_ignore_ascii_case("content-type") {
            is_json = essence(value).eq_ignore_ascii_case("application/json");
        }
    }
    let name = name.filter(|name| !name.is_empty()).ok_or("a part has no name")?;
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
        for content in [
            "",
            "x--b--",
            "--b",
            "--b\r\n\r\n",
            "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx",
            "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
            "--b\r\nnocolon\r\n\r\nx\r\n--b--",
            "--b--trailing",
        ] {
            assert!(parts(content.as_bytes(), "b").is_err(), "{content:?}");
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
