//! Open handles of segment files: bounded in number, however many files there are.
//!
//! A file is opened when it is first used and stays open until others need its place; what was not
//! used since the hand of the clock last came by is closed first. **Invariant:** a file with writes
//! that are not synced is never closed: only the handle that wrote is sure to hear of a failed
//! write-back.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{self, ErrorKind},
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use rustix::io::Errno;

/// Handles that are open at once by default.
pub(super) const MAX_OPEN: usize = 512;
/// How long a caller that may wait does so for a descriptor, where the process has none left,
const MAX_WAIT: Duration = Duration::from_secs(10);
/// and how often it tries again: descriptors are freed outside of this module too.
const RETRY_EVERY: Duration = Duration::from_millis(10);

/// The open handles of one directory.
#[derive(Debug)]
pub(super) struct Handles {
    most: usize,
    // held while a file is opened or closed, never while one is read or written
    open: Mutex<VecDeque<Arc<Handle>>>,
    closed: Condvar,
}

/// Whether a call may wait for a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Never,
    UntilFree,
}

/// One file, open or not.
#[derive(Debug)]
pub(super) struct Handle {
    path: PathBuf,
    file: ArcSwapOption<File>,
    is_used: AtomicBool,
    is_unsynced: AtomicBool,
}

impl Handles {
    /// At most `most` at once, and one at least.
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), open: Mutex::default(), closed: Condvar::new() }
    }

    /// Takes in a file that has just been opened or made with `open`.
    ///
    /// # Errors
    /// Whatever `open` says; where that is a want of descriptors, others are closed first, then it
    /// waits.
    pub(super) fn enter(
        &self,
        path: PathBuf,
        open: impl Fn(&PathBuf) -> io::Result<File>,
    ) -> io::Result<Arc<Handle>> {
        let handle = Arc::new(Handle {
            path,
            file: ArcSwapOption::empty(),
            is_used: AtomicBool::new(true),
            is_unsynced: AtomicBool::new(false),
        });
        self.open(&handle, Wait::UntilFree, open)?;
        Ok(handle)
    }

    /// Lets `act` use the file of `handle`, which is opened again if need be.
    ///
    /// # Errors
    /// What opening or `act` says; [`ErrorKind::WouldBlock`] where a descriptor would have to be
    /// waited for without wait.
    pub(super) fn with<T>(
        &self,
        handle: &Arc<Handle>,
        wait: Wait,
        act: impl FnOnce(&File) -> io::Result<T>,
    ) -> io::Result<T> {
        if let Some(file) = &*handle.file.load() {
            // a store only where it changes something: the line stays shared between readers
            if !handle.is_used.load(Ordering::Relaxed) {
                handle.is_used.store(true, Ordering::Relaxed);
            }
            // It stays open until `act` is done, even if the handle is closed meanwhile.
            return act(file);
        }
        let again = |path: &PathBuf| OpenOptions::new().read(true).write(true).open(path);
        act(&*self.open(handle, wait, again)?)
    }

    /// Whether something is written to the file that is not synced. To be called before it is
    /// written, and after it is synced or given up.
    pub(super) fn set_unsynced(&self, handle: &Handle, is_unsynced: bool) {
        // under the lock, so that nobody is about to close it
        let _open = self.lock();
        handle.is_unsynced.store(is_unsynced, Ordering::Relaxed);
    }

    /// The file is used no more.
    pub(super) fn forget(&self, handle: &Arc<Handle>) {
        let mut open = self.lock();
        open.retain(|known| !Arc::ptr_eq(known, handle));
        handle.file.store(None);
        self.closed.notify_one();
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn open(
        &self,
        handle: &Arc<Handle>,
        wait: Wait,
        how: impl Fn(&PathBuf) -> io::Result<File>,
    ) -> io::Result<Arc<File>> {
        let (mut open, until) = (self.lock(), Instant::now() + MAX_WAIT);
        let file = loop {
            if let Some(file) = handle.file.load_full() {
                // another was faster
                return Ok(file);
            }
            // Where all have unsynced writes the bound is passed: the writer would wait for itself.
            while open.len() >= self.most && close_one(&mut open) {}
            match how(&handle.path) {
                Err(error) if is_want_of_descriptors(&error) => {
                    if close_one(&mut open) {
                        continue;
                    }
                    if wait == Wait::Never {
                        return Err(ErrorKind::WouldBlock.into());
                    }
                    if Instant::now() >= until {
                        return Err(error);
                    }
                    // Lets go of the lock meanwhile; another may have opened the file by then.
                    let waited = self.closed.wait_timeout(open, RETRY_EVERY);
                    open = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                opened => break Arc::new(opened?),
            }
        };
        handle.file.store(Some(Arc::clone(&file)));
        handle.is_used.store(true, Ordering::Relaxed);
        open.push_back(Arc::clone(handle));
        Ok(file)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Handle>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the handle that has not been used for the longest, if any can be closed.
fn close_one(open: &mut VecDeque<Arc<Handle>>) -> bool {
    // the second round finds those that were used before the first
    for _ in 0..open.len() * 2 {
        let Some(handle) = open.pop_front() else { break };
        let is_kept = handle.is_unsynced.load(Ordering::Relaxed)
            || handle.is_used.swap(false, Ordering::Relaxed);
        if is_kept {
            open.push_back(handle);
        } else {
            handle.file.store(None);
            return true;
        }
    }
    false
}

fn is_want_of_descriptors(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| code == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    fn handles(most: usize, count: usize) -> (tempfile::TempDir, Handles, Vec<Arc<Handle>>) {
        let dir = tempfile::tempdir().unwrap();
        let handles = Handles::new(most);
        let made = (0..count).map(|number| {
            let path = dir.path().join(number.to_string());
            std::fs::write(&path, [number as u8]).unwrap();
            handles.enter(path, |path| OpenOptions::new().read(true).write(true).open(path))
        });
        let made = made.map(Result::unwrap).collect();
        (dir, handles, made)
    }

    fn read(handles: &Handles, handle: &Arc<Handle>) -> u8 {
        let mut byte = [0];
        handles.with(handle, Wait::UntilFree, |file| file.read_exact_at(&mut byte, 0)).unwrap();
        byte[0]
    }

    #[test]
    fn all_files_can_be_read_and_no_more_are_open_than_may_be() {
        let (_dir, handles, made) = handles(3, 9);
        for round in 0..3 {
            for (number, handle) in made.iter().enumerate() {
                assert_eq!(usize::from(read(&handles, handle)), number, "round {round}");
                assert!(handles.len() <= 3, "{}", handles.len());
            }
        }
        made.iter().for_each(|handle| handles.forget(handle));
        assert_eq!(handles.len(), 0);
    }

    #[test]
    fn what_is_not_synced_stays_open_and_what_is_used_goes_last() {
        let (_dir, handles, made) = handles(3, 3);
        handles.set_unsynced(&made[0], true);
        for number in [1, 2, 1, 2, 1] {
            let path = made[number].path.clone();
            let again = |path: &PathBuf| File::open(path);
            let newcomer = handles.enter(path, again).unwrap();
            assert!(made[0].file.load().is_some(), "its writes are not synced");
            handles.forget(&newcomer);
        }
        handles.set_unsynced(&made[0], false);
        read(&handles, &made[1]);
        read(&handles, &made[2]);
        assert_eq!(handles.len(), 3);
        assert_eq!(read(&handles, &made[0]), 0, "it is opened again if need be");
    }

    #[test]
    fn a_bound_below_the_unsynced_is_passed_rather_than_broken() {
        let (_dir, handles, made) = handles(1, 1);
        handles.set_unsynced(&made[0], true);
        let path = made[0].path.clone();
        let second = handles.enter(path, |path| File::open(path)).unwrap();
        assert_eq!(handles.len(), 2);
        assert_eq!(read(&handles, &second), 0);
    }
}
