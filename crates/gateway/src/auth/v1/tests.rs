//! Vectors of real clients, the restriction on `@` values, and mutations that never pass.

use std::sync::LazyLock;

use super::*;

const SECRET: &str = "SKTESTTESTTESTTESTTESTTEST0001";

struct Vector {
    name: &'static str,
    method: Method,
    host: &'static str,
    path: &'static str,
    sent: &'static str,
}

impl Vector {
    fn covered(&self, sent: &[u8]) -> Option<Covered> {
        self.covered_with(sent, self.host, SECRET)
    }

    fn covered_with(&self, sent: &[u8], host: &str, secret: &str) -> Option<Covered> {
        let pairs = pairs::from_form(sent).ok()?;
        let message = Message {
            method: &self.method,
            host: host.as_bytes(),
            path: self.path,
            pairs: &pairs,
            aliases: &[],
        };
        verify(secret, &message)
    }
}

/// All of `vectors.txt`.
static VECTORS: LazyLock<Vec<Vector>> = LazyLock::new(|| {
    let blocks = include_str!("vectors.txt").split("\n\n").skip(1);
    let vector = |block: &'static str| {
        let (head, sent) = block.trim_end().split_once('\n').unwrap();
        let [name, method, host, path] = head.split(' ').collect::<Vec<_>>()[..] else {
            panic!("`{head}` is not name, method, host and path")
        };
        Vector { name, method: method.parse().unwrap(), host, path, sent }
    };
    blocks.map(vector).collect()
});

fn vector(name: &str) -> &'static Vector {
    VECTORS.iter().find(|vector| vector.name == name).unwrap()
}

#[test]
fn every_vector_of_a_real_client_passes() {
    assert_eq!(VECTORS.len(), 12);
    for vector in VECTORS.iter() {
        let covered = vector.covered(vector.sent.as_bytes());
        let expected =
            if ["V4", "V7"].contains(&vector.name) { Covered::WithoutAt } else { Covered::All };
        assert_eq!(covered, Some(expected), "{}", vector.name);
    }
}

#[test]
fn another_secret_method_path_or_host_does_not_pass() {
    for vector in VECTORS.iter() {
        let sent = vector.sent.as_bytes();
        assert_eq!(vector.covered_with(sent, vector.host, "SKTEST"), None, "{}", vector.name);
        assert_eq!(vector.covered_with(sent, "other.host", SECRET), None, "{}", vector.name);
        let other = Vector { path: "/other", method: vector.method.clone(), ..*vector };
        assert_eq!(other.covered(sent), None, "{}", vector.name);
        let method = if vector.method == Method::GET { Method::POST } else { Method::GET };
        let other = Vector { method, ..*vector };
        assert_eq!(other.covered(sent), None, "{}", vector.name);
    }
}

#[test]
fn a_host_with_a_port_may_have_been_signed_without() {
    let vector = vector("V1");
    let host = format!("{}:8443", vector.host);
    let covered = vector.covered_with(vector.sent.as_bytes(), &host, SECRET);
    assert_eq!(covered, Some(Covered::All));
}

#[test]
fn an_at_value_is_left_out_only_of_a_post_and_never_of_the_protocol() {
    let sent = |extra: &str| format!("{}&{extra}", vector("V2").sent).into_bytes();
    let v2 = vector("V2");
    assert_eq!(v2.covered(&sent("note=%40x")), Some(Covered::WithoutAt));
    assert_eq!(v2.covered(&sent("urls.2=%40x")), Some(Covered::WithoutAt));
    for common in ["Token", "Region", "Version"] {
        assert_eq!(v2.covered(&sent(&format!("{common}=%40x"))), None, "{common}");
    }
    let get = format!("{}&note=%40x", vector("V1").sent);
    assert_eq!(vector("V1").covered(get.as_bytes()), None);
}

#[test]
fn one_bit_changed_in_any_name_or_value_never_passes() {
    let mut refused = 0;
    for vector in VECTORS.iter() {
        let sent = vector.sent.as_bytes();
        let whole = pairs::from_form(sent).unwrap();
        let seen = |pairs: Vec<Pair>| -> Vec<Pair> {
            pairs.into_iter().filter(|pair| !pair.value.starts_with('@')).collect()
        };
        for changed in every_flip(sent) {
            let Ok(pairs) = pairs::from_form(&changed) else { continue };
            // `%3a` for `%3A`, or inside of what is treated as absent
            let is_same = pairs == whole
                || (vector.covered(sent) == Some(Covered::WithoutAt)
                    && seen(pairs) == seen(whole.clone()));
            if !is_same {
                refused += 1;
                let text = String::from_utf8_lossy(&changed);
                assert_eq!(vector.covered(&changed), None, "{}: {text}", vector.name);
            }
        }
    }
    assert!(refused > 20_000, "{refused} mutations were tried");
}

#[test]
fn one_bit_changed_in_method_host_or_path_never_passes() {
    fn texts(text: &str) -> impl Iterator<Item = String> {
        every_flip(text.as_bytes()).filter_map(|flipped| String::from_utf8(flipped).ok())
    }
    for vector in VECTORS.iter() {
        let sent = vector.sent.as_bytes();
        for host in texts(vector.host) {
            assert_eq!(vector.covered_with(sent, &host, SECRET), None, "{}: {host}", vector.name);
        }
        for path in texts(vector.path) {
            let other = Vector { path: path.leak(), method: vector.method.clone(), ..*vector };
            assert_eq!(other.covered(sent), None, "{}: {}", vector.name, other.path);
        }
        for method in texts(vector.method.as_str()).filter_map(|method| method.parse().ok()) {
            let other = Vector { method, ..*vector };
            assert_eq!(other.covered(sent), None, "{}: {}", vector.name, other.method);
        }
    }
}

/// `bytes` with each of its bits changed in turn.
fn every_flip(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}
