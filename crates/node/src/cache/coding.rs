//! Content codings (RFC 9110 section 8.4): the content of a playlist as it was before.
//!
//! For reading only: what is stored and served stays as it came. A small reply can stand for a very
//! large content, so what comes out is bounded.

use std::io::{self, Read};

use brotli_decompressor::Decompressor;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};

/// Codings one upon the other.
const MOST: usize = 4;
const BUFFER: usize = 4096;
/// A playlist that says so needs no decoding, whatever its fields claim.
const BARE: &[&[u8]] = &[b"#EXTM3U", b"\xEF\xBB\xBF#EXTM3U"];

/// Why there is no content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    /// Not one that is known here.
    #[error("the content is in coding `{0}`, which is not known here")]
    Unknown(String),
    /// It cannot be undone.
    #[error("the content is said to be in coding `{0}` and cannot be decoded")]
    Broken(String),
    /// More comes out than is taken.
    #[error("the content is longer than {0} bytes once it is decoded")]
    TooLong(usize),
}

/// Undoes the codings that `fields` name, the last one first. At most `most` bytes come out.
pub(super) fn decode(fields: &HeaderMap, content: Vec<u8>, most: usize) -> Result<Vec<u8>, Error> {
    if BARE.iter().any(|start| content.starts_with(start)) {
        return Ok(content);
    }
    let lines = fields.get_all(header::CONTENT_ENCODING).iter();
    let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    let codings: Vec<_> = lines
        .iter()
        .flat_map(|line| line.split(','))
        .map(|coding| coding.trim().to_ascii_lowercase())
        .filter(|coding| !coding.is_empty() && coding != "identity")
        .collect();
    if codings.len() > MOST {
        return Err(Error::Unknown(codings.join(", ")));
    }
    codings.iter().rev().try_fold(content, |content, coding| undo(coding, &content, most))
}

fn undo(coding: &str, content: &[u8], most: usize) -> Result<Vec<u8>, Error> {
    let decoded = match coding {
        "gzip" | "x-gzip" => read(MultiGzDecoder::new(content), most),
        // some servers leave the zlib format out
        "deflate" => read(ZlibDecoder::new(content), most)
            .or_else(|_| read(DeflateDecoder::new(content), most)),
        "br" => read(Decompressor::new(content, BUFFER), most),
        _ => return Err(Error::Unknown(coding.chars().take(40).collect())),
    };
    match decoded {
        Ok(decoded) if decoded.len() > most => Err(Error::TooLong(most)),
        Ok(decoded) => Ok(decoded),
        Err(_) => Err(Error::Broken(coding.into())),
    }
}

/// One byte more than `most` tells that there are too many.
fn read(decoder: impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut decoded = Vec::new();
    decoder.take(most as u64 + 1).read_to_end(&mut decoded)?;
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };
    use http::HeaderValue;

    use super::*;

    const TEXT: &[u8] = b"  #EXTM3U\n#EXTINF:1,\na.ts\n";
    /// `TEXT` in one uncompressed meta-block (RFC 7932 section 9.2).
    const BROTLI: &[u8] = b"\x90\x01\x10  #EXTM3U\n#EXTINF:1,\na.ts\n\x03";

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(text: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(lines: &[&str], content: &[u8]) -> Result<Vec<u8>, Error> {
        let mut fields = HeaderMap::new();
        for line in lines {
            fields.append(header::CONTENT_ENCODING, HeaderValue::from_str(line).unwrap());
        }
        decode(&fields, content.to_vec(), 1000)
    }

    #[test]
    fn what_is_known_is_undone_in_reverse_order() {
        let twice = [gzip(&TEXT[..10]), gzip(&TEXT[10..])].concat();
        let cases: [(&[&str], Vec<u8>); 12] = [
            (&[], TEXT.into()),
            (&["identity"], TEXT.into()),
            (&["gzip"], gzip(TEXT)),
            (&["GZip"], gzip(TEXT)),
            (&["x-gzip"], gzip(TEXT)),
            (&["gzip"], twice),
            (&["deflate"], zlib(TEXT)),
            (&["deflate"], deflate(TEXT)),
            (&["br"], BROTLI.into()),
            (&["deflate, gzip"], gzip(&zlib(TEXT))),
            (&["deflate", "gzip , identity"], gzip(&zlib(TEXT))),
            (&["gzip,,"], gzip(TEXT)),
        ];
        for (lines, content) in cases {
            assert_eq!(decoded(lines, &content).as_deref(), Ok(TEXT), "{lines:?}");
        }
        // said to be coded, and a playlist as it stands
        assert_eq!(decoded(&["gzip"], b"#EXTM3U\n").as_deref(), Ok(&b"#EXTM3U\n"[..]));
    }

    #[test]
    fn what_is_broken_unknown_or_too_long_is_told() {
        let cut = &gzip(TEXT)[..20];
        let bomb = vec![b' '; 1001];
        let five = "gzip, gzip, gzip, gzip, gzip";
        for (line, content, error) in [
            ("gzip", cut, Error::Broken("gzip".into())),
            ("gzip", b"<html>", Error::Broken("gzip".into())),
            ("deflate", b"<html>", Error::Broken("deflate".into())),
            ("br", b"<html>", Error::Broken("br".into())),
            ("br", &BROTLI[..12], Error::Broken("br".into())),
            ("zstd", TEXT, Error::Unknown("zstd".into())),
            (five, TEXT, Error::Unknown(five.into())),
            ("gzip", &gzip(&bomb), Error::TooLong(1000)),
            ("deflate", &zlib(&bomb), Error::TooLong(1000)),
        ] {
            assert_eq!(decoded(&[line], content), Err(error), "{line}");
        }
    }
}
