//! What must hold of the readers in this crate, whatever bytes they are given.
//!
//! Compiled for `cargo fuzz` and for tests, which replay `fuzz/seeds`; never part of the product. A
//! property that does not hold panics.

use http::{HeaderName, HeaderValue, Method, Uri};

use crate::{
    Bounds,
    grammar::{Messages, Verdict},
};

/// The bytes of a connection mean the same however they are cut, and what passes of a head is what
/// hyper takes.
pub fn requests(data: &[u8]) {
    let Some((first, text)) = data.split_first() else { return };
    let bounds = Bounds { head_bytes: 2048, target_bytes: 512, ..Bounds::node() };
    let whole = pass(&bounds, text, text.len().max(1));
    for size in [1, usize::from(*first).max(1)] {
        let pieces = pass(&bounds, text, size);
        assert_eq!(whole.1, pieces.1, "in pieces of {size}");
        match whole.1 {
            // of a line that breaks the framing some may have passed before it was whole
            Some(Verdict::Broken(_)) => assert!(pieces.0.starts_with(&whole.0)),
            _ => assert_eq!(whole.0, pieces.0, "in pieces of {size}"),
        }
    }
    let (passed, _) = whole;
    let head = passed.strip_prefix(b"\r\n").unwrap_or(&passed);
    let Some(end) = head.windows(4).position(|end| end == b"\r\n\r\n") else { return };
    let head = std::str::from_utf8(&head[..end])
        .map_or_else(|_| String::from_utf8_lossy(&head[..end]).into_owned(), Into::into);
    let mut lines = head.split("\r\n");
    let first: Vec<_> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, version] =
        <[&str; 3]>::try_from(first).expect("a request line has three parts");
    assert!(["HTTP/1.0", "HTTP/1.1"].contains(&version), "{version:?}");
    assert!(Method::from_bytes(method.as_bytes()).is_ok(), "{method:?}");
    assert!(Uri::try_from(target).is_ok(), "{target:?}");
    for line in lines {
        let (name, value) = line.split_once(':').expect("a field has a colon");
        assert!(HeaderName::try_from(name).is_ok(), "{name:?}");
        assert!(HeaderValue::try_from(value.trim()).is_ok(), "{value:?}");
    }
}

/// What passes of `text` in pieces of `size` bytes, and the verdict.
pub(crate) fn pass(bounds: &Bounds, text: &[u8], size: usize) -> (Vec<u8>, Option<Verdict>) {
    let mut messages = Messages::new(bounds);
    let (mut held, mut passed) = (Vec::new(), Vec::new());
    for piece in text.chunks(size) {
        held.extend_from_slice(piece);
        let (length, verdict) = messages.read(&mut held);
        passed.extend(held.drain(..length));
        if verdict.is_some() {
            return (passed, verdict);
        }
        assert!(held.len() <= bounds.head_bytes + 2 + size, "too much is held");
    }
    (passed, None)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use proptest::{collection::vec, prelude::*, sample::Index};

    use super::*;

    fn seeds() -> Vec<Vec<u8>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/requests");
        let files = fs::read_dir(root).expect("the target has seeds");
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 10, "{files:?}");
        files.into_iter().map(|file| fs::read(file).unwrap()).collect()
    }

    #[test]
    fn the_property_holds_of_every_seed() {
        for seed in seeds() {
            println!("{}", seed.escape_ascii());
            requests(&seed);
        }
    }

    proptest! {
        #[test]
        fn the_property_holds_of_seeds_with_a_few_bytes_changed(
            which in any::<Index>(), changes in vec((any::<Index>(), any::<u8>()), 1..4),
        ) {
            let seeds = seeds();
            let mut bytes = which.get(&seeds).clone();
            for (place, byte) in changes {
                let place = place.index(bytes.len() + 1);
                bytes.splice(place..(place + 1).min(bytes.len()), [byte]);
            }
            requests(&bytes);
        }
    }
}
