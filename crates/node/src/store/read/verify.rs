//! Verifying stored responses: every byte is read from the disk, and nothing is sent.
//!
//! What is damaged is dropped as a read would drop it. Never marks anything as asked for.

use super::{ATTEMPTS, Body, ReadError, Stored, read_sound};
use crate::store::{record::Place, sliced::Sliced, sums::Sums};

/// Slices that are read at once to verify them and nothing else.
pub(in crate::store) const VERIFIERS: usize = 4;

/// What a look at every byte of a stored response found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// All of it is there, as it was written.
    Sound,
    /// Not all of it is there, and what is there is as it was written.
    Missing,
    /// Some of it was damaged, and is not there any more.
    Damaged,
}

impl Stored {
    /// Reads all that is there from the disk and sends nothing; drops what is damaged. Marks nothing
    /// as asked for. Cancel safe.
    pub async fn verify(&self) -> Verified {
        match &self.body {
            Body::Whole { at, .. } => self.verify_whole(at.place).await,
            Body::Sliced(sliced) => {
                let mut is_damaged = false;
                for (number, place) in sliced.slices() {
                    is_damaged |= self.is_slice_damaged(sliced, number, place).await;
                }
                match sliced.is_complete() {
                    _ if is_damaged => Verified::Damaged,
                    true => Verified::Sound,
                    false => Verified::Missing,
                }
            }
        }
    }

    async fn verify_whole(&self, mut place: Place) -> Verified {
        for _ in 0..ATTEMPTS {
            match self.read_quietly(place).await {
                Ok(_) => return Verified::Sound,
                Err(ReadError::Missing) => {}
                Err(_) => {
                    self.drop_whole(place);
                    return Verified::Damaged;
                }
            }
            let moved = self.store.shared().index.whole_place(self.key, self.generation);
            match moved.filter(|&moved| moved != place) {
                Some(moved) => place = moved,
                None => break,
            }
        }
        Verified::Missing
    }

    async fn is_slice_damaged(&self, sliced: &Sliced, number: u32, mut place: Place) -> bool {
        for _ in 0..ATTEMPTS {
            match self.read_quietly(place).await {
                Ok(sums) => {
                    sliced.set_slot_sums(number, place, sums);
                    return false;
                }
                Err(ReadError::Missing) => {}
                Err(_) => {
                    self.drop_slice(sliced, number, place);
                    return true;
                }
            }
            match sliced.place(number).filter(|&moved| moved != place) {
                Some(moved) => place = moved,
                None => break,
            }
        }
        false
    }

    /// Verifies the record at `place`, a few of all readers' at once.
    async fn read_quietly(&self, place: Place) -> Result<Sums, ReadError> {
        let shared = self.store.shared();
        let turn = shared.verifying.acquire().await;
        let read = read_sound(shared, place, self.key, self.generation).await;
        drop(turn);
        // in memory already, it would not wait once; others have their turn
        tokio::task::yield_now().await;
        read.map(|(_, _, sums)| sums)
    }
}
