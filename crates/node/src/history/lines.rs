//! A list of lines on disk that never grows beyond a bound: when the newer of two files is full it
//! takes the place of the older.
//!
//! What was appended outlives the process, and a power cut as far as the system had written it back;
//! what such a cut leaves of the last line is for the reader to leave out. Calls block.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

/// One such list.
#[derive(Debug)]
pub(super) struct Lines {
    newer: PathBuf,
    older: PathBuf,
    /// Bytes that a file takes.
    most: u64,
    open: Option<(File, u64)>,
}

impl Lines {
    /// The list called `name` in `dir`, of at most twice `most` bytes.
    pub(super) fn new(dir: &Path, name: &str, most: u64) -> Self {
        let (newer, older) = (dir.join(name), dir.join(format!("{name}.old")));
        Self { newer, older, most, open: None }
    }

    /// All lines, oldest first. What cannot be read is left out.
    pub(super) fn read(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for path in [&self.older, &self.newer] {
            let bytes = fs::read(path).unwrap_or_default();
            // a last line without an end is torn
            let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let texts = bytes[..end].split(|byte| *byte == b'\n');
            let texts = texts.filter(|text| !text.is_empty());
            lines.extend(texts.filter_map(|text| String::from_utf8(text.to_vec()).ok()));
        }
        lines
    }

    /// Appends `text`, whole lines.
    ///
    /// # Errors
    /// What the device said; any part of the text may have been written.
    pub(super) fn append(&mut self, text: &str) -> io::Result<()> {
        let (mut file, mut len) = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        if len > 0 && len + text.len() as u64 > self.most {
            drop(file);
            fs::rename(&self.newer, &self.older)?;
            (file, len) = self.begin()?;
        }
        file.write_all(text.as_bytes())?;
        self.open = Some((file, len + text.len() as u64));
        Ok(())
    }

    fn begin(&self) -> io::Result<(File, u64)> {
        let mut file = OpenOptions::new().append(true).create(true).open(&self.newer)?;
        let len = file.metadata().map(|metadata| metadata.len())?;
        if len > 0 {
            // should the last line be torn, the next one begins anew
            file.write_all(b"\n")?;
        }
        Ok((file, len))
    }

    /// The older and the newer.
    #[cfg(test)]
    pub(super) fn files(&self) -> [&PathBuf; 2] {
        [&self.older, &self.newer]
    }
}

/// Whether a failed append is worth a line in the log: a directory that is gone is not.
pub(super) fn is_told(error: &io::Error) -> bool {
    error.kind() != ErrorKind::NotFound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept_within_the_bound() {
        let dir = tempfile::tempdir().unwrap();
        let mut lines = Lines::new(dir.path(), "list", 100);
        for number in 0..200 {
            lines.append(&format!("line {number:03}\n")).unwrap();
        }
        let read = lines.read();
        assert_eq!(read.last().map(String::as_str), Some("line 199"));
        assert!(read.len() >= 11 && read.windows(2).all(|two| two[0] < two[1]), "{read:?}");
        let sizes = lines.files().map(|path| fs::metadata(path).unwrap().len());
        assert!(sizes.iter().all(|size| *size <= 100), "{sizes:?}");
    }

    #[test]
    fn a_torn_last_line_is_left_out_and_nothing_is_added_to_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("list"), "whole\nto").unwrap();
        let mut lines = Lines::new(dir.path(), "list", 100);
        assert_eq!(lines.read(), ["whole"]);
        lines.append("next\n").unwrap();
        let again = Lines::new(dir.path(), "list", 100).read();
        assert_eq!(again.last().map(String::as_str), Some("next"));
        assert!(!again.contains(&"tonext".to_owned()), "{again:?}");
    }
}
