//! A disk in memory that forgets what was not synced, tears writes, fails on demand and fills up.
//!
//! It keeps for every file what a program sees and what a power cut would leave. After a cut each
//! unsynced change is kept, lost or, sector by sector, torn, as a seeded generator decides. It is
//! never kinder than a real disk: names need [`Disk::sync_names`], and a failed sync loses data that
//! later syncs do not bring back.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind, IoSlice},
    sync::{Arc, Mutex},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use stoker_node::store::{Disk, DiskFile};

const SECTOR: usize = 512;

/// What goes wrong, counted in calls that change the disk, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Power is cut during this call; nothing works afterwards.
    PowerCut(u64),
    /// This call, if it is a write, fails half way.
    Write(u64),
    /// This call, if it is a write, fails half way because the disk is full.
    Full(u64),
    /// This call, if it is a sync, fails and loses some of what was to be synced.
    Sync(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct SimDisk(Arc<Mutex<World>>);

#[derive(Debug)]
struct World {
    live: BTreeMap<String, Inode>,
    durable: BTreeMap<String, Inode>,
    calls: u64,
    fault: Option<Fault>,
    is_off: bool,
    room: u64,
    /// The one that cannot be opened.
    refused: Option<String>,
    peak: u64,
    random: StdRng,
}

type Inode = Arc<Mutex<Content>>;

#[derive(Debug, Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Cut(usize, usize),
}

impl SimDisk {
    pub(crate) fn new(seed: u64, fault: Option<Fault>) -> Self {
        Self(Arc::new(Mutex::new(World {
            live: BTreeMap::new(),
            durable: BTreeMap::new(),
            calls: 0,
            fault,
            is_off: false,
            room: u64::MAX,
            refused: None,
            peak: 0,
            random: StdRng::seed_from_u64(seed),
        })))
    }

    /// How many changing calls there were.
    pub(crate) fn calls(&self) -> u64 {
        self.0.lock().unwrap().calls
    }

    /// Lets the fault happen at a later call.
    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        self.0.lock().unwrap().fault = fault;
    }

    /// No more than `bytes` in all files together.
    pub(crate) fn set_room(&self, bytes: u64) {
        self.0.lock().unwrap().room = bytes;
    }

    /// The most bytes that all segment files ever took together.
    pub(crate) fn peak(&self) -> u64 {
        self.0.lock().unwrap().peak
    }

    /// Flips a bit in the middle of the first file that contains `needle`, on disk and in memory.
    pub(crate) fn damage(&self, needle: &[u8]) -> bool {
        let world = self.0.lock().unwrap();
        for inode in world.live.values() {
            let content = &mut *inode.lock().unwrap();
            let found = content.live.windows(needle.len()).position(|window| window == needle);
            if let Some(at) = found {
                content.live[at + needle.len() / 2] ^= 4;
                content.durable.clone_from(&content.live);
                return true;
            }
        }
        false
    }

    /// Flips a bit of the byte at `offset` of file `name`, on disk and in memory.
    pub(crate) fn flip(&self, name: &str, offset: usize) {
        let world = self.0.lock().unwrap();
        let content = &mut *world.live[name].lock().unwrap();
        content.live[offset] ^= 4;
        content.durable.clone_from(&content.live);
    }

    /// The device does not give file `name` any more.
    pub(crate) fn refuse(&self, name: &str) {
        self.0.lock().unwrap().refused = Some(name.to_owned());
    }

    /// Segment files, oldest first.
    pub(crate) fn segments(&self) -> Vec<String> {
        let world = self.0.lock().unwrap();
        world.live.keys().filter(|name| name.ends_with(".segment")).cloned().collect()
    }

    /// Removes the files whose names contain `part`, as an operator might.
    pub(crate) fn lose(&self, part: &str) {
        let mut world = self.0.lock().unwrap();
        world.live.retain(|name, _| !name.contains(part));
        world.durable = world.live.clone();
    }

    /// The disk as it is found when the power comes back.
    pub(crate) fn after_power_cut(&self, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let after = Self::new(seed, None);
        let world = self.0.lock().unwrap();
        // Journalling file systems commit directory changes in order: all or, here, none of them.
        let names = if random.random_bool(0.5) { &world.durable } else { &world.live };
        let mut files = BTreeMap::new();
        for (name, inode) in names {
            let left = inode.lock().unwrap().after_cut(&mut random);
            let content = Content { live: left.clone(), durable: left, unsynced: Vec::new() };
            files.insert(name.clone(), Arc::new(Mutex::new(content)));
        }
        after.0.lock().unwrap().live = files.clone();
        after.0.lock().unwrap().durable = files;
        after
    }

    fn world<T>(&self, act: impl FnOnce(&mut World) -> io::Result<T>) -> io::Result<T> {
        act(&mut self.0.lock().unwrap())
    }
}

impl World {
    /// Counts a changing call. `Ok(true)`: carry it out, but the power goes during it.
    fn step(&mut self) -> io::Result<bool> {
        self.alive()?;
        let call = self.calls;
        self.calls += 1;
        self.is_off = self.fault == Some(Fault::PowerCut(call));
        Ok(self.is_off)
    }

    fn alive(&self) -> io::Result<()> {
        if self.is_off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    fn is_fault(&self, fault: impl Fn(u64) -> Fault) -> bool {
        self.fault == Some(fault(self.calls - 1))
    }

    fn taken(&self) -> u64 {
        let segments = self.live.iter().filter(|(name, _)| name.ends_with(".segment"));
        segments.map(|(_, inode)| inode.lock().unwrap().live.len() as u64).sum()
    }
}

impl Content {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.unsynced.push(change);
    }

    fn sync(&mut self) {
        self.durable.clone_from(&self.live);
        self.unsynced.clear();
    }

    fn after_cut(&self, random: &mut StdRng) -> Vec<u8> {
        let mut left = self.durable.clone();
        for change in &self.unsynced {
            match random.random_range(0..3) {
                0 => {}
                1 => change.apply(&mut left),
                _ => change.apply_torn(&mut left, random),
            }
        }
        left
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(at, data) => {
                if bytes.len() < at + data.len() {
                    bytes.resize(at + data.len(), 0);
                }
                bytes[*at..at + data.len()].copy_from_slice(data);
            }
            Self::Cut(keep, room) => {
                bytes.truncate(*keep);
                bytes.resize((*keep).max(*room), 0);
            }
        }
    }

    fn apply_torn(&self, bytes: &mut Vec<u8>, random: &mut StdRng) {
        let Self::Write(at, data) = self else { return };
        if bytes.len() < at + data.len() {
            bytes.resize(at + data.len(), 0);
        }
        let mut from = 0;
        while from < data.len() {
            let until = (from + SECTOR - (at + from) % SECTOR).min(data.len());
            if random.random_bool(0.7) {
                bytes[at + from..at + until].copy_from_slice(&data[from..until]);
            }
            from = until;
        }
    }
}

impl Disk for SimDisk {
    fn free(&self) -> u64 {
        let world = self.0.lock().unwrap();
        world.room.saturating_sub(world.taken())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.world(|world| {
            world.alive()?;
            Ok(world.live.keys().cloned().collect())
        })
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let inode = self.world(|world| {
            let is_cut = world.step()?;
            if world.live.contains_key(name) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            if world.taken() + bytes > world.room {
                return Err(ErrorKind::StorageFull.into());
            }
            let inode = Inode::default();
            inode.lock().unwrap().change(Change::Cut(0, bytes as usize));
            world.live.insert(name.to_owned(), inode.clone());
            world.peak = world.peak.max(world.taken());
            if is_cut { world.alive().map(|()| inode) } else { Ok(inode) }
        })?;
        Ok(Arc::new(SimFile { disk: self.clone(), inode }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let inode = self.world(|world| {
            world.alive()?;
            if world.refused.as_deref() == Some(name) {
                return Err(io::Error::other("the device does not give it"));
            }
            world.live.get(name).cloned().ok_or(ErrorKind::NotFound.into())
        })?;
        Ok(Arc::new(SimFile { disk: self.clone(), inode }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.world(|world| {
            world.step()?;
            let inode = world.live.remove(name).ok_or(ErrorKind::NotFound)?;
            inode.lock().unwrap().change(Change::Cut(0, 0));
            world.alive()
        })
    }

    fn set_aside(&self, name: &str) -> io::Result<()> {
        self.world(|world| {
            world.step()?;
            let inode = world.live.remove(name).ok_or(ErrorKind::NotFound)?;
            world.live.insert(format!("{name}.bad"), inode);
            world.alive()
        })
    }

    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.world(|world| {
            if world.step()? && world.random.random_bool(0.5) {
                return world.alive();
            }
            let content =
                Content { live: content.to_vec(), durable: content.to_vec(), unsynced: Vec::new() };
            let inode = Arc::new(Mutex::new(content));
            world.live.insert(name.to_owned(), inode.clone());
            world.durable.insert(name.to_owned(), inode);
            world.alive()
        })
    }

    fn sync_names(&self) -> io::Result<()> {
        self.world(|world| {
            if !world.step()? || world.random.random_bool(0.5) {
                world.durable = world.live.clone();
            }
            world.alive()
        })
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: Inode,
}

impl DiskFile for SimFile {
    fn size(&self) -> io::Result<u64> {
        self.disk.world(|world| world.alive())?;
        Ok(self.inode.lock().unwrap().live.len() as u64)
    }

    fn cut(&self, keep: u64, bytes: u64) -> io::Result<()> {
        self.disk.world(|world| {
            world.step()?;
            self.inode.lock().unwrap().change(Change::Cut(keep as usize, bytes as usize));
            world.peak = world.peak.max(world.taken());
            world.alive()
        })
    }

    fn write(&self, parts: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        let mut data: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.disk.world(|world| {
            world.step()?;
            let is_full = world.is_fault(Fault::Full);
            let fails = is_full || world.is_fault(Fault::Write);
            if fails {
                data.truncate(world.random.random_range(0..=data.len()));
            }
            self.inode.lock().unwrap().change(Change::Write(offset as usize, data));
            match (is_full, fails) {
                (true, _) => Err(ErrorKind::StorageFull.into()),
                (_, true) => Err(io::Error::other("write failed")),
                _ => world.alive(),
            }
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.world(|world| {
            let is_cut = world.step()?;
            let mut content = self.inode.lock().unwrap();
            if world.is_fault(Fault::Sync) {
                // What reached the disk did so by chance; the rest is now believed clean.
                content.durable = content.after_cut(&mut world.random);
                content.unsynced.clear();
                return Err(io::Error::other("sync failed"));
            }
            if !is_cut || world.random.random_bool(0.5) {
                content.sync();
            }
            world.alive()
        })
    }

    fn read(&self, buffer: &mut [u8], offset: u64, wait: bool) -> io::Result<usize> {
        if !wait {
            let is_cold = self.disk.world(|world| Ok(world.random.random_bool(0.1)))?;
            if is_cold {
                return Err(ErrorKind::WouldBlock.into());
            }
        }
        let content = self.inode.lock().unwrap();
        let from = (offset as usize).min(content.live.len());
        let count = buffer.len().min(content.live.len() - from);
        buffer[..count].copy_from_slice(&content.live[from..from + count]);
        Ok(count)
    }
}
