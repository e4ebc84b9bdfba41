//! A medium in memory that obeys FAT's rules and can lose power.
//!
//! Names are compared without case and refused as FAT refuses them, as are files longer than a part.
//! What was not synced may or may not be there after [`Fake::crash`], object by object: content in
//! part, new names, removed names.
//! Two sides of the real thing are modelled. The kernel does not write back by itself the removal of
//! a name before some time has passed, here counted in operations. But names stand in blocks, and who
//! syncs a file writes the removals beside its name, without the names these files got.

use super::{FactKind, Facts, Limits, Medium, MediumFile, Space};
use crate::table::lowers::TMP_DIR;
use disk::{Disk, Id};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

mod disk;
mod file;
mod object;
mod others;
mod power;

pub use file::FakeFile;
use others::Others;

/// See the [module](self). Clones share the disk.
#[derive(Clone, Debug)]
pub struct Fake {
    disk: Arc<Mutex<Disk>>,
    part_size: u64,
    boot: u64,
    others: Others,
}

impl Fake {
    /// An empty medium that takes files up to `part_size`.
    pub fn new(part_size: u64) -> Self {
        Self {
            disk: Arc::new(Mutex::new(Disk::new())),
            part_size,
            boot: 0,
            others: Others::default(),
        }
    }

    /// Lets the power fail after `operations` more changes.
    pub fn fail_after(&self, operations: u64) {
        let mut disk = self.disk();
        disk.power_until = disk.operations + operations;
    }

    /// What is left after the power failed; `choose` decides what of the rest made it.
    pub fn crash(&self, choose: &mut impl FnMut() -> u32) -> Self {
        let mut disk = self.disk();
        disk.lose(choose);
        disk.power_until = u64::MAX;
        disk.boots += 1;
        Self {
            disk: Arc::clone(&self.disk),
            part_size: self.part_size,
            boot: disk.boots,
            others: Others::default(),
        }
    }

    /// The same medium in another machine: time passes.
    pub fn replug(&self) -> Self {
        let mut disk = self.disk();
        disk.clock += 100;
        disk.boots += 1;
        Self {
            disk: Arc::clone(&self.disk),
            part_size: self.part_size,
            boot: disk.boots,
            others: Others::default(),
        }
    }

    /// Another medium with the same on it.
    pub fn copy(&self) -> Self {
        Self {
            disk: Arc::new(Mutex::new(self.disk().clone())),
            ..self.clone()
        }
    }

    /// Overwrites a file as a stranger would.
    pub fn write_file(&self, path: &str, bytes: &[u8]) {
        self.disk().clock += 10;
        let file = self.create(path).or_else(|_| self.open(path)).unwrap();
        file.set_len(0).unwrap();
        file.write_at(bytes, 0).unwrap();
    }

    /// The content of a file.
    pub fn read_file(&self, path: &str) -> Option<Vec<u8>> {
        let file = self.open(path).ok()?;
        let mut bytes = vec![0; usize::try_from(file.facts().unwrap().size).unwrap()];
        file.read_at(&mut bytes, 0).unwrap();
        Some(bytes)
    }

    /// Lets the next sync of a file fail.
    pub fn fail_next_sync(&self, path: &str) {
        let mut disk = self.disk();
        let id = disk.find(path).unwrap();
        disk.objects.get_mut(&id).unwrap().fails = true;
    }

    /// Lets no name be written any more.
    pub fn lose_names(&self) {
        self.disk().lost_names = true;
    }

    /// Lets `bytes` more fit.
    pub fn leave_free(&self, bytes: u64) {
        let mut disk = self.disk();
        disk.capacity = disk.used() + bytes;
    }

    /// Lets nothing new be made.
    pub fn refuse_new_names(&self, refuse: bool) {
        self.disk().no_names = refuse;
    }

    /// Lets no directory take more names than `count`.
    pub fn limit_names(&self, count: usize) {
        self.disk().names_max = count;
    }

    /// Lets others act before and after the bytes or the length of the next write arrive.
    pub fn during_next_write(
        &self,
        before: impl FnOnce() + Send + 'static,
        after: impl FnOnce() + Send + 'static,
    ) {
        self.others.expect(Box::new(before), Box::new(after));
    }

    /// Number of changes so far.
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// Number of directories read so far.
    pub fn listings(&self) -> u64 {
        self.disk().listings
    }

    /// Lets everything from now on happen in one second.
    pub fn stop_clock(&self) {
        self.disk().still = true;
    }

    /// Shifts all times, as another time zone does.
    pub fn shift_times(&self, seconds: i64) {
        let mut disk = self.disk();
        disk.objects
            .values_mut()
            .for_each(|object| object.modified += seconds);
    }

    /// Removes a directory and everything in it.
    pub fn remove_tree(&self, path: &str) {
        for (name, facts) in self.list(path).unwrap() {
            let path = format!("{path}/{name}");
            match facts.kind {
                FactKind::Directory => self.remove_tree(&path),
                _ => self.unlink(&path).unwrap(),
            }
        }
        self.remove_dir(path).unwrap();
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }

    fn on<T>(&self, action: impl FnOnce(&mut Disk) -> io::Result<T>) -> io::Result<T> {
        let mut disk = self.disk();
        disk.check(self.boot)?;
        action(&mut disk)
    }

    fn file(&self, path: &str, id: Id) -> FakeFile {
        // What tests have for the size of a part is too little for the store.
        let of_store = path.starts_with(".wendy/") && !path.starts_with(TMP_DIR);
        FakeFile {
            disk: Arc::clone(&self.disk),
            id,
            boot: self.boot,
            limit: if of_store { u64::MAX } else { self.part_size },
            others: self.others.clone(),
        }
    }
}

impl Medium for Fake {
    type File = FakeFile;

    fn limits(&self) -> Limits {
        Limits {
            part_size: self.part_size,
        }
    }

    fn space(&self) -> io::Result<Space> {
        Ok(Space {
            size: 1 << 30,
            free: 1 << 29,
            block: 4096,
        })
    }

    fn create(&self, path: &str) -> io::Result<FakeFile> {
        self.on(|disk| disk.add(path, false))
            .map(|id| self.file(path, id))
    }

    fn open(&self, path: &str) -> io::Result<FakeFile> {
        let id = self.on(|disk| disk.find(path))?;
        Ok(self.file(path, id))
    }

    fn make_dir(&self, path: &str) -> io::Result<()> {
        self.on(|disk| disk.add(path, true)).map(|_| ())
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        self.on(|disk| disk.remove(path, true))
    }

    fn unlink(&self, path: &str) -> io::Result<()> {
        self.on(|disk| disk.remove(path, false))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.on(|disk| disk.rename(from, to))
    }

    fn facts(&self, path: &str) -> io::Result<Facts> {
        self.on(|disk| Ok(disk.facts(disk.find(path)?)))
    }

    fn list(&self, path: &str) -> io::Result<Vec<(String, Facts)>> {
        self.on(|disk| {
            disk.listings += 1;
            let names = &disk.live[&disk.dir(path)?];
            Ok(names
                .values()
                .map(|(name, id)| (name.clone(), disk.facts(*id)))
                .collect())
        })
    }

    fn sync_dirs(&self, paths: &[String]) -> io::Result<()> {
        self.on(|disk| disk.sync_dirs(paths))
    }

    fn sync_moved(&self, path: &str) -> io::Result<()> {
        self.sync_dirs(&[path.to_owned()])
    }

    /// They cannot be had apart from the content.
    fn sync_names(&self) -> io::Result<()> {
        self.on(|disk| disk.require_names())
    }

    /// It has no memory of its own.
    fn write_out(&self) -> io::Result<()> {
        self.sync_all()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.on(Disk::sync_all)
    }
}
