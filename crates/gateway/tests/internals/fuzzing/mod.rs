//! What must hold of the readers of a call, whatever bytes they are given: one function for each
//! fuzz target.
//!
//! Compiled for `cargo fuzz` and for tests, which replay `fuzz/seeds`; never part of the product. A
//! property that does not hold panics. The reference implementations here are slow and obvious on
//! purpose, or are those of other crates.

mod params;
mod signatures;

pub use params::{form, json, list, multipart, query};
pub use signatures::{authorization, signature_admin, signature_tc3, signature_v1};

/// Takes the bytes of a fuzz target apart into the pieces of a made-up request.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    fn bytes(&mut self, most: usize) -> &'a [u8] {
        let length = (self.number() % (most + 1)).min(self.0.len());
        let (piece, rest) = self.0.split_at(length);
        self.0 = rest;
        piece
    }

    /// A text of characters from `alphabet`.
    fn text(&mut self, alphabet: &[u8], most: usize) -> String {
        let place = |byte: &u8| usize::from(*byte) % alphabet.len();
        self.bytes(most).iter().map(|byte| char::from(alphabet[place(byte)])).collect()
    }

    /// A text of visible ASCII and blanks.
    fn visible(&mut self, most: usize) -> String {
        self.bytes(most).iter().map(|byte| char::from(b' ' + byte % 95)).collect()
    }

    /// `text` with one bit changed; `None` when that is not a text or there is nothing to change.
    fn flip(&mut self, text: &str) -> Option<String> {
        let mut bytes = text.as_bytes().to_vec();
        flip(&mut bytes, self.number())?;
        String::from_utf8(bytes).ok()
    }
}

/// Changes one bit; `None` when there is none.
fn flip(bytes: &mut [u8], bit: usize) -> Option<()> {
    let bit = bit.checked_rem(bytes.len() * 8)?;
    bytes[bit / 8] ^= 1 << (bit % 8);
    Some(())
}

#[cfg(test)]
mod tests;
