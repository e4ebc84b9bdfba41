//! An open file of the disk.

use super::super::{Facts, MediumFile};
use super::disk::{Disk, Id, errno};
use super::others::Others;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};

/// A file of a [`Fake`].
#[derive(Debug)]
pub struct FakeFile {
    pub(super) disk: Arc<Mutex<Disk>>,
    pub(super) id: Id,
    pub(super) boot: u64,
    pub(super) others: Others,
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
        let write = |live: &mut Vec<u8>| {
            live.resize(live.len().max(start + bytes.len()), 0);
            live[start..start + bytes.len()].copy_from_slice(bytes);
        };
        self.others.around(|| self.change(write))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let resize = |live: &mut Vec<u8>| live.resize(usize::try_from(length).unwrap(), 0);
        self.others.around(|| self.change(resize))
    }

    fn sync(&self) -> io::Result<()> {
        self.on(|disk, id| {
            disk.step()?;
            let object = disk.objects.entry(id).or_default();
            object.durable = Some(object.live.clone());
            disk.sync_name(id);
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.on(|disk, id| {
            disk.step()?;
            let object = disk.objects.entry(id).or_default();
            object.durable = Some(object.live.clone());
            Ok(())
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
