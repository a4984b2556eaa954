//! The storage device as the store sees it: a flat set of files that can be written, synced and read.
//!
//! [`Disk`] is the one point where a test puts faults between the store and the device; [`Files`] is
//! the real thing, a directory. Nothing here knows what the bytes mean, retries a failed call, or
//! decides what a failure costs: that is the writer's business.

use std::{
    fmt::Debug,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, IoSlice, IoSliceMut, Write},
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use rustix::{
    fs::{FallocateFlags, fallocate, statvfs},
    io::{Errno, ReadWriteFlags, preadv2, pwritev},
};

use super::handles::{self, Handle, Handles, Wait};

/// The most parts that Linux takes in one vectored call.
const MAX_PARTS: usize = 1024;

/// What the names of files end in that cannot be used.
pub(super) const ASIDE: &str = ".bad";

/// A directory of named files. Calls block.
pub trait Disk: Send + Sync + Debug {
    /// The names of all files, in no order.
    ///
    /// # Errors
    /// Whatever the device says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Creates the file `name` with room for `bytes`, which read as zeros. The name is durable
    /// only after [`Disk::sync_names`].
    ///
    /// # Errors
    /// [`ErrorKind::StorageFull`] when there is no room; then no file is left behind.
    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// Whatever the device says.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Removes a file. Its blocks are free afterwards, even while readers hold it open.
    ///
    /// # Errors
    /// Whatever the device says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Renames a file that cannot be used, to `NAME.bad`, for a person to look at.
    ///
    /// # Errors
    /// Whatever the device says; then it stays where it was.
    fn set_aside(&self, name: &str) -> io::Result<()>;

    /// Replaces the content of a small file, atomically and durably.
    ///
    /// # Errors
    /// Whatever the device says; then the old content stands.
    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()>;

    /// Makes creations and removals durable.
    ///
    /// # Errors
    /// Whatever the device says.
    fn sync_names(&self) -> io::Result<()>;

    /// Bytes that new files may take; `u64::MAX` where the device does not tell.
    fn free(&self) -> u64 {
        u64::MAX
    }

    /// Files that are open now; 0 where that is not counted.
    fn open_files(&self) -> usize {
        0
    }
}

/// One open file of a [`Disk`].
pub trait DiskFile: Send + Sync + Debug {
    /// How long the file is, in bytes.
    ///
    /// # Errors
    /// Whatever the device says.
    fn size(&self) -> io::Result<u64>;

    /// Cuts the file to `keep` bytes, then gives it room for `bytes` that read as zeros.
    ///
    /// # Errors
    /// Whatever the device says; the file may then have any length from `keep` on.
    fn cut(&self, keep: u64, bytes: u64) -> io::Result<()>;

    /// Writes all of `parts` one after the other from `offset` on.
    ///
    /// # Errors
    /// Whatever the device says; any part of the range may then have been written.
    fn write(&self, parts: &mut [IoSlice<'_>], offset: u64) -> io::Result<()>;

    /// Makes all that was written durable.
    ///
    /// # Errors
    /// Whatever the device says; what was written since the last success is then in doubt for good.
    fn sync(&self) -> io::Result<()>;

    /// Reads into `buffer` from `offset` on and returns how much came; 0 at the end of the file.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] when `wait` is false and the bytes are not in memory.
    fn read(&self, buffer: &mut [u8], offset: u64, wait: bool) -> io::Result<usize>;
}

/// A directory of the operating system's file system.
#[derive(Debug)]
pub struct Files {
    directory: PathBuf,
    /// The directory itself, open from the first use on: making names durable needs no descriptor.
    names: OnceLock<File>,
    handles: Arc<Handles>,
}

impl Files {
    /// The directory must exist when the first file is touched; [`super::Store::open`] makes it.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self::with_handles(directory, handles::MAX_OPEN)
    }

    /// The same, with at most `most` files open at once. A file with writes that are not synced is
    /// open beyond that.
    pub fn with_handles(directory: impl Into<PathBuf>, most: usize) -> Self {
        let handles = Arc::new(Handles::new(most));
        Self { directory: directory.into(), names: OnceLock::new(), handles }
    }

    fn enter(&self, name: &str, open: impl Fn(&PathBuf) -> io::Result<File>) -> io::Result<OsFile> {
        let handle = self.handles.enter(self.directory.join(name), open)?;
        Ok(OsFile { handle, handles: Arc::clone(&self.handles) })
    }
}

impl Disk for Files {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.enter(name, |path| {
            OpenOptions::new().read(true).write(true).create_new(true).open(path)
        })?;
        // Before room is taken, which is a write too: only this handle hears of its failure.
        file.set_unsynced(true);
        if let Err(error) = file.with(|file| reserve(file, bytes)) {
            drop(file);
            // Nothing refers to it yet; should the removal fail too, recovery finds an empty file.
            let _ = fs::remove_file(self.directory.join(name));
            return Err(error);
        }
        Ok(Arc::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let open = |path: &PathBuf| OpenOptions::new().read(true).write(true).open(path);
        Ok(Arc::new(self.enter(name, open)?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.directory.join(name);
        // A viewer's open handle would keep the blocks of an unlinked file, and with them the disk
        // above its bound. Cutting first frees them at once.
        OpenOptions::new().write(true).open(&path)?.set_len(0)?;
        fs::remove_file(path)
    }

    fn set_aside(&self, name: &str) -> io::Result<()> {
        let (from, to) = (self.directory.join(name), format!("{name}{ASIDE}"));
        fs::rename(from, self.directory.join(to))?;
        self.sync_names()
    }

    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let draft = self.directory.join(format!("{name}.new"));
        let mut file = File::create(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        // After the sync: a crash must not leave the name on a file without its content.
        fs::rename(draft, self.directory.join(name))?;
        self.sync_names()
    }

    fn sync_names(&self) -> io::Result<()> {
        if let Some(names) = self.names.get() {
            return names.sync_all();
        }
        let names = File::open(&self.directory)?;
        self.names.get_or_init(|| names).sync_all()
    }

    fn open_files(&self) -> usize {
        self.handles.len()
    }

    fn free(&self) -> u64 {
        statvfs(&self.directory)
            .map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

#[derive(Debug)]
struct OsFile {
    handle: Arc<Handle>,
    handles: Arc<Handles>,
}

impl OsFile {
    fn with<T>(&self, act: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        self.handles.with(&self.handle, Wait::UntilFree, act)
    }

    fn set_unsynced(&self, is_unsynced: bool) {
        self.handles.set_unsynced(&self.handle, is_unsynced);
    }
}

impl Drop for OsFile {
    fn drop(&mut self) {
        self.handles.forget(&self.handle);
    }
}

impl DiskFile for OsFile {
    fn size(&self) -> io::Result<u64> {
        self.with(|file| Ok(file.metadata()?.len()))
    }

    fn cut(&self, keep: u64, bytes: u64) -> io::Result<()> {
        self.with(|file| {
            file.set_len(keep)?;
            reserve(file, bytes)
        })
    }

    fn write(&self, parts: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        // Before the write, so that the handle is not closed between the two.
        self.set_unsynced(true);
        self.with(|file| write_all(file, parts, offset))
    }

    fn sync(&self) -> io::Result<()> {
        let synced = self.with(File::sync_data);
        // one that fails is given up
        self.set_unsynced(false);
        synced
    }

    fn read(&self, buffer: &mut [u8], offset: u64, wait: bool) -> io::Result<usize> {
        if wait {
            return self.with(|file| file.read_at(buffer, offset));
        }
        let now = |file: &File| read_now(file, buffer, offset);
        self.handles.with(&self.handle, Wait::Never, now)
    }
}

fn write_all(file: &File, mut parts: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
    while !parts.is_empty() {
        let count = parts.len().min(MAX_PARTS);
        match pwritev(file, &parts[..count], offset) {
            // Nothing was left to write, which is no refusal.
            Ok(0) if parts[..count].iter().all(|part| part.is_empty()) => {
                parts = &mut parts[count..];
            }
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut parts, written);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn read_now(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    match preadv2(file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT) {
        Ok(count) => Ok(count),
        // Not in memory, or a file system or kernel without the flag: the pool reads it.
        Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => {
            Err(ErrorKind::WouldBlock.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Room for `bytes`; really taken where the file system can, so that later writes cannot run out of it.
fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.set_len(bytes),
        Err(error) => Err(error.into()),
    }
}
