//! A disk that is smaller than the caches may be, and one that others fill: what is called goes on, and
//! a start makes its own room.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::fs::{FallocateFlags, fallocate};

use crate::{
    harness::{Content, Nginx},
    running::{Ports, Stoker, eventually, pause},
};

const HOST: &str = "www.example.com";
const SIZE: u64 = 300 << 20;
/// Half of the file system, for one so small.
const RESERVE: u64 = SIZE / 2;
/// One segment of each of the four nodes, which no cache gives back.
const SEGMENTS: u64 = 4 * (8 << 20);

/// A file system of [`SIZE`] bytes in memory.
struct Disk(PathBuf);

impl Disk {
    /// `None` where this user may not mount one.
    fn mount(folder: &Path) -> Option<Self> {
        let path = folder.join("disk");
        fs::create_dir(&path).unwrap();
        let options = format!("size={SIZE}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "none"])
            .arg(&path)
            .output()
            .is_ok_and(|ran| ran.status.success());
        mounted.then_some(Self(path))
    }

    fn free(&self) -> u64 {
        let disk = rustix::fs::statvfs(&self.0).unwrap();
        disk.f_bavail * disk.f_frsize
    }

    /// Somebody else's file that leaves `free` bytes, or as few as there can be. Its size is decided at
    /// the beginning: what is given back meanwhile is left alone.
    fn fill(&self, name: &str, free: u64) {
        let mut file = File::create(self.0.join(name)).unwrap();
        let size = self.free().saturating_sub(free);
        if free > 0 && fallocate(&file, FallocateFlags::empty(), 0, size).is_ok() {
            return;
        }
        let block = vec![1; 64 << 10];
        while self.free() > free && file.write_all(&block).is_ok() {}
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn submit(stoker: &Stoker, path: &str) {
    let url = format!("http://{HOST}{path}");
    let ran = stoker.cli(&["prefetch", &url, "--tier", "edge"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn caches_leave_room_for_the_ledger_and_a_start_on_a_full_disk_makes_some() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(folder.path()) else {
        println!("not run: this user may not mount a file system");
        return;
    };
    let nginx = Nginx::start();
    let files: Vec<_> =
        (0..60).map(|n| Content::write(&nginx.www(), &format!("/{n}"), 3_000_000, n)).collect();
    let data = disk.0.join("data");
    let ports = Ports::free();
    let stoker = Stoker::start_with(&data, ports, &[]);
    assert!(stoker.log().contains("disk has no space for --cache-size of each node"));
    stoker.add_domain(HOST, &nginx.url(), &[]);

    // far more than there is room for
    for file in &files {
        let url = format!("http://{HOST}{}", file.path);
        stoker.cli(&["prefetch", &url, "--tier", "edge", "--wait"]);
    }
    assert!(disk.free() + SEGMENTS >= RESERVE, "{} are free", disk.free());
    submit(&stoker, "/1");

    disk.fill("of-somebody-else", 30 << 20);
    eventually(Duration::from_secs(60), "the caches give room back", || {
        (disk.free() > 45 << 20).then_some(())
    });
    for number in 0..5 {
        stoker.add_domain(&format!("w{number}.example.com"), &nginx.url(), &[]);
        submit(&stoker, &format!("/{number}"));
    }
    let (status, _) = stoker.terminate();
    assert!(status.success());

    fs::remove_file(disk.0.join("of-somebody-else")).unwrap();
    let stoker = Stoker::start_with(&data, ports, &[]);
    for file in &files[..20] {
        let url = format!("http://{HOST}{}", file.path);
        stoker.cli(&["prefetch", &url, "--tier", "edge", "--wait"]);
    }
    stoker.kill();
    disk.fill("of-somebody-else", 0);
    assert!(disk.free() < 64 << 10, "{} are free", disk.free());
    let stoker = Stoker::start_with(&data, ports, &["--cache-size", "1GiB"]);
    let told = "removed the oldest content of the caches";
    assert!(stoker.log().contains(told), "{}", stoker.log());
    stoker.add_domain("z.example.com", &nginx.url(), &[]);
    submit(&stoker, "/1");
    pause(Duration::from_millis(1_500));
    submit(&stoker, "/2");
}
