//! Insertions and deletions in a text, by byte, applied together.

/// Where an insertion stands among others at the same byte: what closes comes before what opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Closing,
    Opening,
    Plain,
}

#[derive(Debug, Default)]
pub(crate) struct Edits {
    /// Byte, rank, the order among equals, text.
    insertions: Vec<(usize, Rank, (usize, usize), String)>,
    deletions: Vec<(usize, usize)>,
}

impl Edits {
    /// Puts `before` and `after` around a part of the text. Of parts with a common edge the larger
    /// one is outside; of equal parts that which came first.
    pub(crate) fn wrap(&mut self, (start, end): (usize, usize), before: String, after: String) {
        let turn = self.insertions.len();
        self.insertions.push((start, Rank::Opening, (usize::MAX - end, turn), before));
        self.insertions.push((end, Rank::Closing, (usize::MAX - start, usize::MAX - turn), after));
    }

    pub(crate) fn insert(&mut self, at: usize, text: String) {
        self.insertions.push((at, Rank::Plain, (0, self.insertions.len()), text));
    }

    pub(crate) fn replace(&mut self, (start, end): (usize, usize), text: &str) {
        self.deletions.push((start, end));
        self.insert(start, text.into());
    }

    pub(crate) fn delete(&mut self, part: (usize, usize)) {
        self.deletions.push(part);
    }

    pub(crate) fn apply(mut self, text: &str) -> String {
        self.insertions.sort();
        self.deletions.sort_unstable();
        let mut changed = String::with_capacity(text.len() * 2);
        let mut insertions = self.insertions.iter().peekable();
        let mut deletions = self.deletions.iter().peekable();
        for at in 0..=text.len() {
            while let Some((.., text)) = insertions.next_if(|(byte, ..)| *byte <= at) {
                changed.push_str(text);
            }
            while deletions.next_if(|(_, end)| *end <= at).is_some() {}
            let is_deleted = deletions.peek().is_some_and(|(start, _)| *start <= at);
            if let (false, true, Some(next)) = (
                is_deleted,
                text.is_char_boundary(at),
                text.get(at..).and_then(|rest| rest.chars().next()),
            ) {
                changed.push(next);
            }
        }
        changed
    }
}
