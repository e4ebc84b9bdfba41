//! An open file of the disk.

use super::super::{Facts, MediumFile};
use super::disk::{Disk, Id, errno};
use super::object::Object;
use super::others::Others;
use rustix::io::Errno;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};

/// A file of a [`Fake`].
#[derive(Debug)]
pub struct FakeFile {
    pub(super) disk: Arc<Mutex<Disk>>,
    pub(super) id: Id,
    pub(super) boot: u64,
    /// Longest it may be.
    pub(super) limit: u64,
    pub(super) others: Others,
}

impl FakeFile {
    fn on<T>(&self, action: impl FnOnce(&mut Disk, Id) -> io::Result<T>) -> io::Result<T> {
        let mut disk = self.disk.lock().unwrap();
        disk.check(self.boot)?;
        action(&mut disk, self.id)
    }

    fn change(&self, action: impl FnOnce(&mut Object)) -> io::Result<()> {
        self.on(|disk, id| {
            disk.step()?;
            let clock = disk.clock;
            let object = disk.objects.entry(id).or_default();
            let before = object.live.clone();
            action(object);
            object.modified = clock;
            let refused = if object.live.len() as u64 > self.limit {
                Errno::FBIG
            } else if disk.used() > disk.capacity {
                Errno::NOSPC
            } else {
                return Ok(());
            };
            disk.objects.entry(id).or_default().live = before;
            Err(errno(refused))
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
        self.others
            .around(|| self.change(|object| object.write(bytes, start)))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap();
        self.others
            .around(|| self.change(|object| object.live.resize(length, 0)))
    }

    fn sync(&self) -> io::Result<()> {
        self.on(|disk, id| {
            disk.step()?;
            disk.objects.entry(id).or_default().sync()?;
            disk.sync_name(id);
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.on(|disk, id| {
            disk.step()?;
            disk.objects.entry(id).or_default().sync()
        })
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
