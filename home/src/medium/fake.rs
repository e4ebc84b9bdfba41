//! A medium in memory that obeys FAT's rules and can lose power.
//!
//! Names are compared without case and refused as FAT refuses them. What was not synced may or may
//! not be there after [`Fake::crash`], object by object: content in part, new names, removed names.
//! One mercy of the real thing is modelled: the kernel does not write back by itself the removal of
//! a name before some time has passed, here counted in operations.

use super::{FactKind, Facts, Limits, Medium, MediumFile, Space};
use crate::names;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard};

type Id = u64;
/// By folded name: exact name and object.
type Names = BTreeMap<String, (String, Id)>;

const ROOT: Id = 0;
/// Operations before a removed name may be gone without a sync.
const WRITEBACK: u64 = 1500;

#[derive(Clone, Debug, Default)]
struct Object {
    is_dir: bool,
    live: Vec<u8>,
    durable: Option<Vec<u8>>,
    modified: i64,
    born: i64,
}

#[derive(Debug)]
struct Disk {
    objects: HashMap<Id, Object>,
    live: HashMap<Id, Names>,
    durable: HashMap<Id, Names>,
    /// When each name was last changed.
    changed: HashMap<(Id, String), u64>,
    next: Id,
    clock: i64,
    operations: u64,
    /// Power is lost when this many operations have happened.
    power_until: u64,
    /// Bytes that fit.
    capacity: u64,
    boots: u64,
}

/// See the [module](self). Clones share the disk.
#[derive(Clone, Debug)]
pub struct Fake {
    disk: Arc<Mutex<Disk>>,
    part_size: u64,
    boot: u64,
}

/// A file of a [`Fake`].
#[derive(Debug)]
pub struct FakeFile {
    disk: Arc<Mutex<Disk>>,
    id: Id,
    boot: u64,
}

impl Fake {
    /// An empty medium that takes files up to `part_size`.
    pub fn new(part_size: u64) -> Self {
        let root = Object {
            is_dir: true,
            ..Object::default()
        };
        let disk = Disk {
            objects: HashMap::from([(ROOT, root)]),
            live: HashMap::from([(ROOT, Names::new())]),
            durable: HashMap::from([(ROOT, Names::new())]),
            changed: HashMap::new(),
            next: 1,
            clock: 1_700_000_000,
            operations: 0,
            power_until: u64::MAX,
            capacity: u64::MAX,
            boots: 0,
        };
        Self {
            disk: Arc::new(Mutex::new(disk)),
            part_size,
            boot: 0,
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

    /// Lets `bytes` more fit.
    pub fn leave_free(&self, bytes: u64) {
        let mut disk = self.disk();
        disk.capacity = disk.used() + bytes;
    }

    /// Number of changes so far.
    pub fn operations(&self) -> u64 {
        self.disk().operations
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

    fn file(&self, id: Id) -> FakeFile {
        FakeFile {
            disk: Arc::clone(&self.disk),
            id,
            boot: self.boot,
        }
    }
}

impl Disk {
    fn check(&mut self, boot: u64) -> io::Result<()> {
        let on = self.operations < self.power_until && boot == self.boots;
        if on {
            Ok(())
        } else {
            Err(errno(rustix::io::Errno::IO))
        }
    }

    /// Counts a change.
    fn step(&mut self) -> io::Result<()> {
        self.operations += 1;
        self.clock += i64::from(self.operations.is_multiple_of(8));
        if self.operations > self.power_until {
            return Err(errno(rustix::io::Errno::IO));
        }
        Ok(())
    }

    fn dir(&self, path: &str) -> io::Result<Id> {
        let mut at = ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let (_, id) = self.live[&at].get(&names::fold(name)).ok_or(missing())?;
            at = *id;
            if !self.objects[&at].is_dir {
                return Err(errno(rustix::io::Errno::NOTDIR));
            }
        }
        Ok(at)
    }

    fn split<'a>(&self, path: &'a str) -> io::Result<(Id, &'a str)> {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.dir(dir)?, name))
    }

    fn find(&self, path: &str) -> io::Result<Id> {
        let (dir, name) = self.split(path)?;
        self.live[&dir]
            .get(&names::fold(name))
            .map(|(_, id)| *id)
            .ok_or(missing())
    }

    fn add(&mut self, path: &str, is_dir: bool) -> io::Result<Id> {
        let (dir, name) = self.split(path)?;
        self.require_new(dir, name)?;
        self.step()?;
        let id = self.next;
        self.next += 1;
        let object = Object {
            is_dir,
            modified: self.clock,
            born: self.clock,
            ..Object::default()
        };
        self.objects.insert(id, object);
        if is_dir {
            self.live.insert(id, Names::new());
            self.durable.insert(id, Names::new());
        }
        self.set(dir, name, Some(id));
        Ok(id)
    }

    fn require_new(&self, dir: Id, name: &str) -> io::Result<()> {
        let bad = |c: char| c < ' ' || "\"*/:<>?\\|".contains(c);
        if name.is_empty() || name.contains(bad) || name.ends_with(['.', ' ']) {
            return Err(errno(rustix::io::Errno::INVAL));
        }
        if !names::fits(name) {
            return Err(errno(rustix::io::Errno::NAMETOOLONG));
        }
        if self.live[&dir].contains_key(&names::fold(name)) {
            return Err(errno(rustix::io::Errno::EXIST));
        }
        Ok(())
    }

    fn set(&mut self, dir: Id, name: &str, id: Option<Id>) {
        let fold = names::fold(name);
        let names = self.live.get_mut(&dir).unwrap();
        match id {
            Some(id) => names.insert(fold.clone(), (name.to_owned(), id)),
            None => names.remove(&fold),
        };
        self.changed.insert((dir, fold), self.operations);
    }

    fn remove(&mut self, path: &str, is_dir: bool) -> io::Result<()> {
        let (dir, name) = self.split(path)?;
        let id = self.find(path)?;
        match (is_dir, self.objects[&id].is_dir) {
            (false, true) => return Err(errno(rustix::io::Errno::ISDIR)),
            (true, false) => return Err(errno(rustix::io::Errno::NOTDIR)),
            (true, true) if !self.live[&id].is_empty() => {
                return Err(errno(rustix::io::Errno::NOTEMPTY));
            }
            _ => {}
        }
        self.step()?;
        self.set(dir, name, None);
        Ok(())
    }

    fn lose(&mut self, choose: &mut impl FnMut() -> u32) {
        let dirs: Vec<Id> = self.live.keys().copied().collect();
        for dir in sorted(dirs) {
            let mut folds: Vec<String> = self.live[&dir].keys().cloned().collect();
            folds.extend(self.durable[&dir].keys().cloned());
            folds.sort();
            folds.dedup();
            for fold in folds {
                self.lose_name(dir, &fold, choose);
            }
        }
        for id in sorted(self.objects.keys().copied().collect()) {
            self.lose_content(id, choose);
        }
        self.repair(choose);
        self.live = self.durable.clone();
        self.changed.clear();
    }

    fn lose_name(&mut self, dir: Id, fold: &str, choose: &mut impl FnMut() -> u32) {
        let live = self.live[&dir].get(fold).cloned();
        let durable = self.durable[&dir].get(fold).cloned();
        if live == durable {
            return;
        }
        let age = self.operations - self.changed.get(&(dir, fold.to_owned())).unwrap_or(&0);
        let removal = durable.is_some();
        let written = choose().is_multiple_of(2) && (!removal || age > WRITEBACK);
        if written {
            let names = self.durable.get_mut(&dir).unwrap();
            match live {
                Some(entry) => names.insert(fold.to_owned(), entry),
                None => names.remove(fold),
            };
        }
    }

    fn lose_content(&mut self, id: Id, choose: &mut impl FnMut() -> u32) {
        let object = self.objects.get_mut(&id).unwrap();
        let durable = object.durable.clone().unwrap_or_default();
        if durable != object.live {
            let mut mixed = if choose().is_multiple_of(2) {
                object.live.clone()
            } else {
                durable.clone()
            };
            for (start, block) in (0..mixed.len()).step_by(512).zip(durable.chunks(512)) {
                let end = (start + block.len()).min(mixed.len());
                if choose().is_multiple_of(2) && end > start {
                    mixed[start..end].copy_from_slice(&block[..end - start]);
                }
            }
            let cut = object.durable.is_none() && choose().is_multiple_of(3);
            mixed.truncate(if cut { 0 } else { mixed.len() });
            object.live = mixed;
        }
        object.durable = Some(object.live.clone());
    }

    /// What fsck.fat does: of two names for one object, one ends up empty.
    fn repair(&mut self, choose: &mut impl FnMut() -> u32) {
        let mut seen: HashMap<Id, (Id, String)> = HashMap::new();
        for dir in sorted(self.durable.keys().copied().collect()) {
            for (fold, (name, id)) in self.durable[&dir].clone() {
                let Some(first) = seen.insert(id, (dir, fold.clone())) else {
                    continue;
                };
                let (dir, fold) = if choose().is_multiple_of(2) {
                    first
                } else {
                    (dir, fold)
                };
                let fresh = self.next;
                self.next += 1;
                let twin = Object {
                    live: Vec::new(),
                    durable: None,
                    ..self.objects[&id].clone()
                };
                if twin.is_dir {
                    self.durable.get_mut(&dir).unwrap().remove(&fold);
                } else {
                    self.objects.insert(fresh, twin);
                    self.durable
                        .get_mut(&dir)
                        .unwrap()
                        .insert(fold, (name, fresh));
                }
            }
        }
    }

    /// Bytes of everything that has a name.
    fn used(&self) -> u64 {
        let named = self.live.values().flat_map(|names| names.values());
        named
            .map(|(_, id)| self.objects[id].live.len() as u64)
            .sum()
    }

    fn facts(&self, id: Id) -> Facts {
        let object = &self.objects[&id];
        let kind = if object.is_dir {
            FactKind::Directory
        } else {
            FactKind::File
        };
        let size = object.live.len() as u64;
        Facts {
            kind,
            size,
            allocated: size,
            modified: object.modified / 2 * 2,
            born: object.born,
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
            .map(|id| self.file(id))
    }

    fn open(&self, path: &str) -> io::Result<FakeFile> {
        let id = self.on(|disk| disk.find(path))?;
        Ok(self.file(id))
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
        self.on(|disk| {
            let id = disk.find(from)?;
            let (dir, name) = disk.split(to)?;
            disk.require_new(dir, name)?;
            if format!("{to}/")
                .to_uppercase()
                .starts_with(&format!("{from}/").to_uppercase())
            {
                return Err(errno(rustix::io::Errno::INVAL));
            }
            disk.step()?;
            let (old_dir, old_name) = disk.split(from)?;
            disk.set(dir, name, Some(id));
            disk.set(old_dir, old_name, None);
            Ok(())
        })
    }

    fn facts(&self, path: &str) -> io::Result<Facts> {
        self.on(|disk| Ok(disk.facts(disk.find(path)?)))
    }

    fn list(&self, path: &str) -> io::Result<Vec<(String, Facts)>> {
        self.on(|disk| {
            let names = &disk.live[&disk.dir(path)?];
            Ok(names
                .values()
                .map(|(name, id)| (name.clone(), disk.facts(*id)))
                .collect())
        })
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.on(|disk| {
            let dir = disk.dir(path)?;
            disk.step()?;
            let names = disk.live[&dir].clone();
            disk.durable.insert(dir, names);
            Ok(())
        })
    }

    fn sync_all(&self) -> io::Result<()> {
        self.on(|disk| {
            disk.step()?;
            disk.durable = disk.live.clone();
            let reachable: HashSet<Id> = disk
                .live
                .values()
                .flat_map(|names| names.values().map(|(_, id)| *id))
                .collect();
            disk.objects
                .retain(|id, _| *id == ROOT || reachable.contains(id));
            disk.objects
                .values_mut()
                .for_each(|object| object.durable = Some(object.live.clone()));
            Ok(())
        })
    }
}

impl FakeFile {
    fn on<T>(&self, action: impl FnOnce(&mut Disk, Id) -> io::Result<T>) -> io::Result<T> {
        let mut disk = self.disk.lock().unwrap();
        disk.check(self.boot)?;
        action(&mut disk, self.id)
    }

    fn change(&self, action: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.on(|disk, id| {
            disk.step()?;
            let clock = disk.clock;
            let object = disk.objects.entry(id).or_default();
            let before = object.live.clone();
            action(&mut object.live);
            object.modified = clock;
            if disk.used() > disk.capacity {
                disk.objects.entry(id).or_default().live = before;
                return Err(errno(rustix::io::Errno::NOSPC));
            }
            Ok(())
        })
    }
}

impl MediumFile for FakeFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.on(|disk, id| {
            let live = disk.objects.get(&id).map_or(&[][..], |object| &object.live);
            let rest = live
                .get(usize::try_from(offset).unwrap()..)
                .unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        self.change(|live| {
            live.resize(live.len().max(start + bytes.len()), 0);
            live[start..start + bytes.len()].copy_from_slice(bytes);
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(|live| live.resize(usize::try_from(length).unwrap(), 0))
    }

    fn sync(&self) -> io::Result<()> {
        self.on(|disk, id| {
            disk.step()?;
            let object = disk.objects.entry(id).or_default();
            object.durable = Some(object.live.clone());
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn facts(&self) -> io::Result<Facts> {
        self.on(|disk, id| {
            disk.objects.entry(id).or_default();
            Ok(disk.facts(id))
        })
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

fn sorted(mut ids: Vec<Id>) -> Vec<Id> {
    ids.sort_unstable();
    ids
}

fn missing() -> io::Error {
    errno(rustix::io::Errno::NOENT)
}

fn errno(errno: rustix::io::Errno) -> io::Error {
    errno.into()
}
