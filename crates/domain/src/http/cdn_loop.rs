//! Loops: requests that an installation sends to an origin and that come back to it.
//!
//! `CDN-Loop` (RFC 8586) names everybody who passed the request on; an installation adds itself once
//! for each time that it asks an origin, with a tag of the host for which it asks. A host whose own
//! tag is there already asks itself. One domain may have another as its origin, so other hosts are
//! no loop until there are too many. A `Via` (RFC 9110 section 7.6.3) goes beside it, which shows the
//! loop where an intermediary removes `CDN-Loop`. The name is derived from the secret that the nodes of
//! an installation share, and reveals nothing of it.

use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

use super::fields::{CDN_LOOP, members};

/// Passes through one installation at most, each for another host.
const MOST_PASSES: usize = 4;
/// Bytes of a digest that make the name of an installation.
const NAME_BYTES: usize = 8;
/// And the tag of a host.
const TAG_BYTES: usize = 4;

/// Recognizes the requests of one installation.
#[derive(Clone, Debug)]
pub struct LoopGuard {
    secret: [u8; 32],
    name: String,
    via: HeaderValue,
}

impl LoopGuard {
    /// That of the installation whose nodes share `secret`.
    pub fn new(secret: &str) -> Self {
        let secret = Sha256::new()
            .chain_update(b"stoker cdn-loop 1\0")
            .chain_update(secret.as_bytes())
            .finalize()
            .into();
        let name = format!("stoker-{}", digits(&secret, b"name", NAME_BYTES));
        let via = HeaderValue::try_from(format!("1.1 {name}")).expect("hexadecimal digits");
        Self { secret, name, via }
    }

    /// Adds the installation to `fields` of a request to an origin, for `host`.
    pub fn mark(&self, fields: &mut HeaderMap, host: &str) {
        let entry = format!("{};h={}", self.name, self.tag(host));
        let entry = HeaderValue::try_from(entry).expect("hexadecimal digits");
        fields.append(CDN_LOOP, entry);
        fields.append(header::VIA, self.via.clone());
    }

    /// Whether a request with `fields` for `host` has been here before.
    pub fn is_loop(&self, fields: &HeaderMap, host: &str) -> bool {
        if !fields.contains_key(CDN_LOOP) && !fields.contains_key(header::VIA) {
            return false;
        }
        let mut passes = 0;
        for member in members(fields, &CDN_LOOP) {
            let mut parts = member.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            if !parts.next().is_some_and(|id| id.eq_ignore_ascii_case(self.name.as_bytes())) {
                continue;
            }
            passes += 1;
            let own = self.tag(host);
            let is_own =
                |part: &[u8]| part.strip_prefix(b"h=").is_some_and(|h| h == own.as_bytes());
            if parts.any(is_own) {
                return true;
            }
        }
        let is_via = |member: &&[u8]| {
            let mut words = member.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            words.nth(1).is_some_and(|by| by.eq_ignore_ascii_case(self.name.as_bytes()))
        };
        let vias = members(fields, &header::VIA).filter(is_via).count();
        passes >= MOST_PASSES || vias > passes
    }

    fn tag(&self, host: &str) -> String {
        digits(&self.secret, host.as_bytes(), TAG_BYTES)
    }
}

fn digits(secret: &[u8; 32], of: &[u8], bytes: usize) -> String {
    let digest = Sha256::new().chain_update(secret).chain_update(of).finalize();
    digest.iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn fields(lines: &[(HeaderName, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn a_host_that_asks_itself_is_a_loop_through_whatever_stands_between() {
        let guard = LoopGuard::new("secret");
        let mut asked = fields(&[(CDN_LOOP, "other; x=\"a, b\""), (header::VIA, "1.1 proxy")]);
        assert!(!guard.is_loop(&asked, "a.example"));
        guard.mark(&mut asked, "a.example");
        assert!(guard.is_loop(&asked, "a.example"));
        // one domain may be the origin of another, and then comes back
        assert!(!guard.is_loop(&asked, "b.example"));
        guard.mark(&mut asked, "b.example");
        assert!(guard.is_loop(&asked, "a.example") && guard.is_loop(&asked, "b.example"));
        assert!(!guard.is_loop(&asked, "c.example"));
        // somebody else's installation
        assert!(!LoopGuard::new("another").is_loop(&asked, "a.example"));
    }

    #[test]
    fn what_proxies_make_of_it_is_recognized() {
        let guard = LoopGuard::new("secret");
        let (name, tag) = (guard.name.clone(), guard.tag("a.example"));
        for lines in [
            [(CDN_LOOP, format!("{name} ; v=1 ; h={tag}"))],
            [(CDN_LOOP, format!("x, ,{};h={tag},y", name.to_uppercase()))],
            [(header::VIA, format!("1.1 {name}"))],
            [(header::VIA, format!("HTTP/1.1 x, 1.0  {name} (comment)"))],
        ] {
            let lines = lines.iter().map(|(name, text)| (name.clone(), text.as_str()));
            let asked = fields(&lines.collect::<Vec<_>>());
            assert!(guard.is_loop(&asked, "a.example"), "{asked:?}");
        }
        for (field, text) in [
            (CDN_LOOP, format!("{name}x;h={tag}")),
            (CDN_LOOP, format!("x;h={tag}")),
            (CDN_LOOP, name.clone()),
            (header::VIA, name),
            (header::VIA, "1.1 stoker".into()),
        ] {
            assert!(!guard.is_loop(&fields(&[(field, &text)]), "a.example"), "{text}");
        }
    }

    #[test]
    fn a_long_way_through_one_installation_is_a_loop_too() {
        let guard = LoopGuard::new("secret");
        let mut asked = HeaderMap::new();
        for n in 0..MOST_PASSES {
            assert!(!guard.is_loop(&asked, "z.example"), "{n}");
            guard.mark(&mut asked, &format!("{n}.example"));
        }
        assert!(guard.is_loop(&asked, "z.example"));
    }

    #[test]
    fn the_name_is_stable_and_tells_neither_secret_nor_host() {
        let mut asked = HeaderMap::new();
        LoopGuard::new("secret").mark(&mut asked, "a.example");
        let mut again = HeaderMap::new();
        LoopGuard::new("secret").mark(&mut again, "a.example");
        assert_eq!(asked, again);
        let text = format!("{asked:?}");
        assert!(!text.contains("secret") && !text.contains("a.example"), "{text}");
    }
}
