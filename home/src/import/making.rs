//! Making in a home what comes in.

use super::{Importer, Incoming, What, components};
use crate::acl;
use crate::home::{Attributes, Change, NewNode};
use crate::ids::Ino;
use crate::medium::Medium;
use crate::names;
use crate::record::Kind;
use rustix::io::Errno;
use std::io::{self, Read};

/// Read at once.
const CHUNK: usize = 1 << 20;
/// Zeros of this length, aligned, are not written.
const HOLE: usize = 64 << 10;

impl<M: Medium> Importer<'_, M> {
    pub(super) fn make(
        &mut self,
        dir: Ino,
        name: &[u8],
        incoming: &Incoming,
        content: &mut dyn Read,
    ) -> io::Result<Ino> {
        let (kind, device, target) = match &incoming.what {
            What::File(_) => return self.make_file(dir, name, incoming, content),
            What::Symlink(target) => (Kind::Symlink, 0, target.clone()),
            What::Special(kind, device) => (*kind, *device, Vec::new()),
            What::Directory | What::HardLink(_) | What::Unknown => {
                return Err(Errno::INVAL.into());
            }
        };
        let node = NewNode {
            device,
            target,
            ..self.node(kind, incoming.mode)
        };
        Ok(self.home.make(dir, name, &node)?.ino)
    }

    fn make_file(
        &mut self,
        dir: Ino,
        name: &[u8],
        incoming: &Incoming,
        content: &mut dyn Read,
    ) -> io::Result<Ino> {
        let node = self.node(Kind::File, incoming.mode);
        let ino = self.home.create(dir, name, &node)?.0.ino;
        let written = self.copy(ino, incoming, content);
        self.home.release(ino)?;
        if written.is_err() {
            // The first error is the one to tell. The next import would take half a file for another.
            let _ = self.home.unlink(dir, name);
        }
        written.map(|()| ino)
    }

    /// Zeros are not written where nothing comes after them, and leave a hole where the medium has
    /// holes.
    fn copy(&mut self, ino: Ino, incoming: &Incoming, content: &mut dyn Read) -> io::Result<()> {
        let (mut buffer, mut offset, mut held) = (vec![0; CHUNK], 0, 0);
        loop {
            let count = read_full(content, &mut buffer)?;
            if count == 0 {
                break;
            }
            for (part, at) in buffer[..count].chunks(HOLE).zip((offset..).step_by(HOLE)) {
                if part.iter().any(|byte| *byte != 0) {
                    self.home.write(ino, at, part)?;
                    held = at + part.len() as u64;
                }
            }
            offset += count as u64;
            self.imported.bytes += count as u64;
            (self.tell)(&self.imported);
        }
        let size = match incoming.what {
            // The source has not brought the hole at the end.
            What::File(size) => size.max(offset),
            _ => offset,
        };
        if held < size {
            let size = Some(size);
            self.home.change(
                ino,
                &Change {
                    size,
                    ..Change::default()
                },
            )?;
        }
        Ok(())
    }

    pub(super) fn node(&self, kind: Kind, mode: u16) -> NewNode {
        let options = self.home.options();
        NewNode {
            kind,
            mode,
            uid: options.uid,
            gid: options.gid,
            device: 0,
            target: Vec::new(),
        }
    }

    /// Owner, mode and extended attributes; those no home keeps are left out.
    pub(super) fn describe(&mut self, ino: Ino, incoming: &Incoming) -> io::Result<()> {
        let (mine, options) = (self.me.unwrap_or(incoming.owner), self.home.options());
        let here = |id: u32, mine: u32, me: u32| if id == mine { me } else { id };
        self.home.change(
            ino,
            &Change {
                mode: Some(mode_here(incoming)),
                uid: Some(here(incoming.owner.0, mine.0, options.uid)),
                gid: Some(here(incoming.owner.1, mine.1, options.gid)),
                ..Change::default()
            },
        )?;
        for (name, value) in &incoming.xattrs {
            match self.home.keep_xattr(ino, name, value) {
                Ok(()) => {}
                Err(Errno::OPNOTSUPP | Errno::RANGE | Errno::TOOBIG | Errno::NOSPC) => {
                    let (path, name) = (incoming.path.as_slice(), name.as_slice());
                    let which = [path, b": ", name].concat();
                    let which = String::from_utf8_lossy(&which).into_owned();
                    self.imported.attributes_left_out.push(which);
                }
                Err(other) => return Err(other.into()),
            }
        }
        Ok(())
    }

    pub(super) fn is_same(&self, there: &Attributes, incoming: &Incoming) -> bool {
        match &incoming.what {
            What::File(size) => {
                let unchanged = there.size == *size && there.times.modified == incoming.modified;
                there.kind == Kind::File && unchanged
            }
            What::Symlink(target) => self.home.read_link(there.ino).as_ref() == Ok(target),
            What::HardLink(earlier) => {
                let earlier = components(earlier).map(|components| components.join(&b'/'));
                earlier.and_then(|path| self.came.get(&path)) == Some(&there.ino)
            }
            What::Special(kind, device) => there.kind == *kind && there.device == *device,
            What::Directory | What::Unknown => false,
        }
    }

    pub(super) fn free_name(&mut self, dir: Ino, name: &[u8]) -> io::Result<Vec<u8>> {
        let mut candidates = (2..10_000).map(|number| names::numbered(name, number));
        let free = candidates.find(|name| self.home.lookup(dir, name) == Err(Errno::NOENT));
        let free = free.ok_or(Errno::EXIST)?;
        let path = self.home.with_table(|table| table.home_path(dir, &free));
        self.imported
            .beside
            .push(String::from_utf8_lossy(&path).into_owned());
        Ok(free)
    }
}

/// The permission bits in a home, where access control lists are kept but not in force.
fn mode_here(incoming: &Incoming) -> u16 {
    let list = incoming.xattrs.iter().find(|(name, _)| name == acl::ACCESS);
    list.map_or(incoming.mode, |(_, list)| {
        acl::mode_without(list, incoming.mode)
    })
}

/// Reads until the buffer is full or the source ends, so that holes stay aligned.
pub(super) fn read_full(content: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match content.read(&mut buffer[done..]) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
