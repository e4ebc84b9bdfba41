//! A disk that fails where the test says.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use fuser::Errno;
use wendy_sys::loopdev::LoopOptions;

use crate::common::served::{Content, Served, serve};

/// Unit of what fails, in bytes.
const BLOCK: u64 = 4096;

/// What goes wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// No write works any more after so many.
    NoWriteAfter(usize),
    /// This block is never written.
    Unwritable(u64),
    /// This block cannot be read.
    Unreadable(u64),
}

/// What is on a disk. A copy shares what neither has written.
#[derive(Debug, Default)]
pub struct Disk {
    base: Arc<Vec<u8>>,
    state: Mutex<State>,
}

#[derive(Debug, Default, Clone)]
struct State {
    written: HashMap<u64, Vec<u8>>,
    fault: Fault,
    /// First blocks of all writes and reads.
    writes: Vec<u64>,
    reads: Vec<u64>,
}

impl Disk {
    /// A disk with this content, a multiple of 4096 bytes.
    pub fn new(content: Vec<u8>) -> Disk {
        Disk {
            base: Arc::new(content),
            state: Mutex::default(),
        }
    }

    /// A sound disk with the same content.
    pub fn copy(&self) -> Disk {
        let written = self.state().written.clone();
        Disk {
            base: Arc::clone(&self.base),
            state: Mutex::new(State {
                written,
                ..State::default()
            }),
        }
    }

    /// The same disk with something wrong with it.
    pub fn with(self, fault: Fault) -> Disk {
        self.state().fault = fault;
        self
    }

    /// Plugs it in.
    pub fn plug(self) -> Plugged {
        let disk = Arc::new(self);
        let options = LoopOptions {
            partscan: true,
            ..LoopOptions::default()
        };
        Plugged {
            served: serve(Arc::clone(&disk), options),
            disk,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn block(&self, state: &State, block: u64) -> Vec<u8> {
        let sound = || self.base[part(block * BLOCK)..part((block + 1) * BLOCK)].to_vec();
        state.written.get(&block).cloned().unwrap_or_else(sound)
    }

    fn read(&self, offset: u64, size: u64) -> Result<Vec<u8>, Errno> {
        let mut state = self.state();
        let end = (offset + size).min(self.base.len() as u64);
        let blocks = offset / BLOCK..end.div_ceil(BLOCK);
        state.reads.push(blocks.start);
        if matches!(state.fault, Fault::Unreadable(bad) if blocks.contains(&bad)) {
            return Err(Errno::EIO);
        }
        let skip = part(offset - blocks.start * BLOCK);
        let content: Vec<_> = blocks.map(|block| self.block(&state, block)).collect();
        Ok(content.concat()[skip..][..part(end - offset)].to_vec())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let mut state = self.state();
        let end = offset + data.len() as u64;
        let blocks = offset / BLOCK..end.div_ceil(BLOCK);
        state.writes.push(blocks.start);
        let fails = match state.fault {
            Fault::NoWriteAfter(writes) => state.writes.len() > writes,
            Fault::Unwritable(bad) => blocks.contains(&bad),
            Fault::None | Fault::Unreadable(_) => false,
        };
        if fails {
            return Err(Errno::EIO);
        }
        for block in blocks {
            let mut content = self.block(&state, block);
            let start = block * BLOCK;
            let (from, to) = (offset.max(start), end.min(start + BLOCK));
            content[part(from - start)..part(to - start)]
                .copy_from_slice(&data[part(from - offset)..part(to - offset)]);
            state.written.insert(block, content);
        }
        Ok(())
    }
}

/// A number of bytes as a place in memory.
fn part(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap()
}

/// A disk at work.
pub struct Plugged {
    served: Served,
    disk: Arc<Disk>,
}

impl Plugged {
    pub fn node(&self) -> &Path {
        self.served.node()
    }

    /// A sound disk with the same content.
    pub fn copy(&self) -> Disk {
        self.disk.copy()
    }

    /// Pulls it out, mends it, and plugs it in again.
    pub fn mended(self) -> Plugged {
        let disk = self.disk.copy();
        drop(self);
        disk.plug()
    }

    /// From now on the block that begins with these bytes cannot be written any more.
    pub fn wear_out(&self, content: &[u8]) {
        let mut state = self.disk.state();
        let mut blocks = state.written.iter();
        let found = blocks.find(|(_, block)| block.starts_with(content));
        let block = *found.unwrap().0;
        state.fault = Fault::Unwritable(block);
    }

    /// First blocks of the writes since it was plugged in, in their order.
    pub fn writes(&self) -> Vec<u64> {
        self.disk.state().writes.clone()
    }

    /// First blocks of the reads since it was plugged in, in their order.
    pub fn reads(&self) -> Vec<u64> {
        self.disk.state().reads.clone()
    }
}

impl Content for Arc<Disk> {
    fn size(&self) -> u64 {
        self.base.len() as u64
    }

    fn read(&self, offset: u64, size: u64) -> Result<Vec<u8>, Errno> {
        Disk::read(self, offset, size)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        Disk::write(self, offset, data)
    }
}
