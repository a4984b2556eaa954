//! What must hold of the readers in this crate, whatever bytes they are given: one function for each
//! fuzz target.
//!
//! Compiled for `cargo fuzz` and for tests, which replay `fuzz/seeds`; never part of the product. A
//! property that does not hold panics.

use std::{collections::HashSet, slice};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::Value;
use url::{Host, Url};

use crate::{
    dns::{self, Kind, Reply},
    http::{
        CacheControl, RangeRequest, StoredResponse, framed_length, http_date, parse_content_range,
        parse_http_date, parse_range, parse_unsatisfied_range, strip_hop_by_hop, unsatisfied_range,
    },
    media,
    policy::{
        Action, Call, Caller, Context, Decision, Document, Error, MAX_LENGTH, Policy, Resource,
        allows_somewhere, evaluate,
    },
    target::{self, Target},
    time::Timestamp,
    uri::normal_path_and_query,
};

/// A policy says the same however its JSON is laid out and however often it is attached, never
/// binds the root user, and yields to a policy that denies everything.
pub fn policy(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let value = serde_json::from_str::<Value>(text);
    let document = match Document::parse(text, serde_json::from_str) {
        Ok(document) => document,
        Err(Error::Syntax(_)) => return assert!(value.is_err(), "JSON was not read"),
        Err(error) => return assert!(error.to_string().len() <= 4 * text.len() + 200),
    };
    let value = value.expect("what is a policy is JSON");
    let decisions = decisions(&[&document]);
    for text in [value.to_string(), format!("{value:#}")] {
        match Document::parse(&text, serde_json::from_str) {
            Ok(again) => assert_eq!(decisions, self::decisions(&[&again])),
            // 1E9 is longer when it is written out
            Err(error) => assert!(matches!(error, Error::TooLong(_)), "{error}"),
        }
    }
    assert_eq!(decisions, self::decisions(&[&document, &document]));
    let nothing = r#"{"version":"2.0","statement":{"effect":"deny","action":"*","resource":"*"}}"#;
    let nothing = Document::parse(nothing, serde_json::from_str).expect("it is a policy");
    assert!(self::decisions(&[&document, &nothing]).iter().all(|decision| *decision == 'd'));
    assert!(text.chars().filter(|character| !character.is_whitespace()).count() <= MAX_LENGTH);
}

/// What the documents decide about some calls: `a`llow, `d`eny or `n`othing.
fn decisions(documents: &[&Document]) -> Vec<char> {
    let policies: Vec<Policy> = documents
        .iter()
        .map(|document| Policy { name: "p".into(), document: (*document).clone() })
        .collect();
    let caller =
        Caller { uin: "200000000002".into(), owner_uin: "100000000001".into(), app_id: 1251 };
    let root = Caller { uin: caller.owner_uin.clone(), ..caller.clone() };
    let resource = |owner, name| Resource::new("cdn", owner, name);
    let own = resource("100000000001", "domain/www.test.com");
    let others = [own.clone(), resource("9", "domain/b.com")];
    let address = "10.1.2.3".parse().ok();
    let mut context = Context::of_call(&caller, Timestamp::from_seconds(1_700_000_000), address);
    context.set("k", ["a".into(), "\u{4e2d}".into()]);
    let mut found = Vec::new();
    for name in ["cdn:PushUrlsCache", "cdn:DescribePushTasks", "teo:CreatePrefetchTask"] {
        let action: Action = name.parse().expect("it is an action");
        for resources in [&[][..], slice::from_ref(&own), &others] {
            let call = Call { action: &action, resources, context: &context };
            assert_eq!(evaluate(&policies, &root, &call), Decision::Root);
            found.push(match evaluate(&policies, &caller, &call) {
                Decision::Root | Decision::Allowed { .. } => 'a',
                Decision::Denied { .. } => 'd',
                Decision::NoMatch { .. } => 'n',
            });
        }
        let is_allowed = found[found.len() - 3..].contains(&'a');
        assert!(!is_allowed || allows_somewhere(&policies, &caller, &action));
    }
    found
}

/// What is taken as a target reads the same again, asks for the normal form of its path and query,
/// and names the host that a reader of URLs finds.
pub fn target(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    for encode in [false, true] {
        let Ok(read) = Target::parse(text, encode) else { continue };
        assert!(read.url.len() <= target::MAX_LENGTH && read.url.is_ascii());
        assert_eq!(Target::parse(&read.url, false).as_ref(), Ok(&read));
        assert!(read.path_and_query.starts_with('/'));
        assert_eq!(normal_path_and_query(&read.path_and_query), read.path_and_query);
        assert!(!read.url.contains(['#', ' ', '\r', '\n']));
        let uri: http::Uri = read.url.parse().expect("a target can stand on a request line");
        let asked = uri.path_and_query().map(|it| normal_path_and_query(it.as_str()));
        assert_eq!(asked.as_deref(), Some(&*read.path_and_query));
        if let Ok(url) = Url::parse(&read.url)
            && let Some(Host::Domain(host)) = url.host()
        {
            assert_eq!(host.trim_end_matches('.'), read.host);
        }
    }
}

/// A playlist names absolute URLs, each once and no more than it has lines, whatever ends the lines.
pub fn playlist(data: &[u8]) {
    const BASE: &str = "http://www.test.com/live/index.m3u8?token=1";
    let Ok(named) = media::read(BASE, data) else { return };
    let children = &named.children;
    assert!(children.len() <= data.split(|byte| *byte == b'\n').count());
    let mut seen = HashSet::new();
    for child in children {
        let url = Url::parse(&child.url).expect("a child has an absolute URL");
        assert!(matches!(url.scheme(), "http" | "https") && url.fragment().is_none());
        assert!(seen.insert(&child.url));
    }
    let not_followed = named.not_followed.counts.values().sum::<u64>();
    assert!(not_followed <= data.split(|byte| *byte == b'\n').count() as u64);
    if !data.contains(&b'\r') {
        let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
        assert_eq!(media::read(BASE, &lines.join(&b"\r\n"[..])).as_ref(), Ok(&named));
    }
}

/// Fields of HTTP: ranges lie within what they are ranges of, and what is read is the same when it
/// is written anew. The first line is a size, each other one a field's value.
pub fn http_fields(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let size =
        lines.next().and_then(|line| str::from_utf8(line).ok()?.parse().ok()).unwrap_or(1000);
    let mut fields = HeaderMap::new();
    for line in lines {
        let Ok(value) = HeaderValue::from_bytes(line) else { continue };
        range(&value, size);
        framing(&value, size);
        if let Some(moment) = parse_http_date(&value)
            && (0..253_402_300_800).contains(&moment.as_seconds())
        {
            assert_eq!(parse_http_date(&http_date(moment)), Some(moment));
        }
        for name in [header::CACHE_CONTROL, header::CONNECTION] {
            fields.append(name, value.clone());
        }
        if let Ok(name) = HeaderName::from_bytes(line) {
            fields.insert(name, value);
        }
    }
    let control = CacheControl::of(&fields);
    strip_hop_by_hop(&mut fields);
    assert!(!fields.contains_key(header::CONNECTION) && !fields.contains_key("keep-alive"));
    assert_eq!(CacheControl::of(&fields), control);
    let before = fields.clone();
    strip_hop_by_hop(&mut fields);
    assert_eq!(fields, before);
}

/// Whatever stands in one field, the other takes its length away, or leaves it as it was.
fn framing(value: &HeaderValue, size: u64) {
    let mut fields = HeaderMap::new();
    fields.insert(header::CONTENT_LENGTH, size.into());
    fields.append(header::CONTENT_LENGTH, value.clone());
    assert!(!framed_length(&fields).is_ok_and(|length| length != Some(size)));
    fields.insert(header::TRANSFER_ENCODING, value.clone());
    assert!(!framed_length(&fields).is_ok_and(|length| length.is_some()));
}

fn range(value: &HeaderValue, size: u64) {
    if let RangeRequest::Satisfiable { start, end_inclusive } = parse_range(value, size) {
        assert!(start <= end_inclusive && end_inclusive < size);
    }
    if let Some(read) = parse_content_range(value) {
        assert!(read.length() > 0 && read.total.is_none_or(|total| read.end_inclusive < total));
        assert_eq!(parse_content_range(&read.to_value()), Some(read));
    }
    if let Some(size) = parse_unsatisfied_range(value) {
        assert_eq!(parse_unsatisfied_range(&unsatisfied_range(size)), Some(size));
    }
}

/// What is read as the head of a stored response is the same when it is written anew.
pub fn stored_response(data: &[u8]) {
    let Some(read) = StoredResponse::decode(&Bytes::copy_from_slice(data)) else { return };
    let written = Bytes::from(read.encode());
    assert!(written.len() <= data.len());
    assert_eq!(StoredResponse::decode(&written).as_ref(), Some(&read));
    let now = Timestamp::from_seconds(1_700_000_000);
    // numbers that no response leads to saturate, each at its own end
    if read.lifetime_ms.max(read.corrected_initial_age_ms) < 1 << 50 {
        assert!(!read.is_fresh(now) || read.fresh_until() >= now);
    }
}

/// A reply of a name server gives no more than is in it, whole addresses alone, and nothing for a
/// question that it does not repeat.
pub fn dns(data: &[u8]) {
    let id = data.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
    for kind in [Kind::Txt, Kind::A, Kind::Aaaa] {
        let Ok(reply) = dns::read(data, id, "_cdnauth.example.com", kind) else { continue };
        assert!(dns::read(data, !id, "_cdnauth.example.com", kind).is_err());
        assert!(dns::read(data, id, "_cdnauth.example.org", kind).is_err());
        let Reply::Records(records) = reply else { continue };
        assert!(records.iter().map(Vec::len).sum::<usize>() < data.len());
        for record in records {
            match kind {
                Kind::A => assert_eq!(record.len(), 4),
                Kind::Aaaa => assert_eq!(record.len(), 16),
                Kind::Txt => assert!(record.len() <= usize::from(u16::MAX)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use proptest::{collection::vec, prelude::*, sample::Index};

    use super::*;

    type Check = fn(&[u8]);

    const TARGETS: [(&str, Check); 6] = [
        ("policy", policy),
        ("target", target),
        ("playlist", playlist),
        ("http_fields", http_fields),
        ("stored_response", stored_response),
        ("dns", dns),
    ];

    fn seeds() -> Vec<(&'static str, Check, Vec<u8>)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
        let of_target = |(name, check): (&'static str, Check)| {
            let files = fs::read_dir(root.join(name)).expect("each target has seeds");
            let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
            files.sort();
            assert!(!files.is_empty(), "{name} has no seeds");
            files.into_iter().map(move |file| (name, check, fs::read(file).unwrap()))
        };
        TARGETS.into_iter().flat_map(of_target).collect()
    }

    #[test]
    fn every_property_holds_of_every_seed() {
        for (name, check, seed) in seeds() {
            println!("{name}: {:?}", String::from_utf8_lossy(&seed));
            check(&seed);
        }
    }

    proptest! {
        #[test]
        fn every_property_holds_of_seeds_with_a_few_bytes_changed(
            which in any::<Index>(), changes in vec((any::<Index>(), any::<u8>()), 1..4),
        ) {
            let seeds = seeds();
            let (_, check, mut bytes) = which.get(&seeds).clone();
            for (place, byte) in changes {
                let place = place.index(bytes.len() + 1);
                bytes.splice(place..(place + 1).min(bytes.len()), [byte]);
            }
            check(&bytes);
        }
    }
}
