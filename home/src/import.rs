//! Bringing a directory or an archive into a home, with all attributes.
//!
//! Nothing that is in the home is replaced or removed. Directories become one; a file that is there
//! already with the same size and time is left out; one that differs is kept beside the other under
//! a numbered name. Sources are as little trusted as media: no path leads out of the home.

use crate::home::{Change, Home};
use crate::ids::{Ino, Time};
use crate::medium::Medium;
use crate::names;
use crate::record::Kind;
use std::collections::HashMap;
use std::io::{self, Read};

pub mod archive;
pub mod directory;
mod left_out;
mod making;

pub use left_out::{LeftOut, Why};

/// Permission bits of directories a source forgot to mention.
const UNMENTIONED_MODE: u16 = 0o700;

/// One object on its way into a home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Path from the top of the source, components joined by `/`.
    pub path: Vec<u8>,
    /// What it is.
    pub what: What,
    /// Permission bits.
    pub mode: u16,
    /// Owning user and group, as numbers of the source.
    pub owner: (u32, u32),
    /// Last change of content.
    pub modified: Time,
    /// Last read.
    pub accessed: Time,
    /// Extended attributes.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What an incoming object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A directory.
    Directory,
    /// A file of this many bytes.
    File(u64),
    /// A symbolic link with its target.
    Symlink(Vec<u8>),
    /// Another name of what came earlier under this path.
    HardLink(Vec<u8>),
    /// A pipe, socket or device, with its device number.
    Special(Kind, u32),
    /// Something this knows nothing of.
    Unknown,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Imported {
    /// Names brought in.
    pub names: u64,
    /// Bytes of their content.
    pub bytes: u64,
    /// Files that were there already.
    pub same: u64,
    /// Names the home has for what differs from what it had: both are kept.
    pub beside: Vec<String>,
    /// Objects left out.
    pub left_out: Vec<LeftOut>,
    /// Extended attributes left out, because no home can hold them: path and name.
    pub attributes_left_out: Vec<String>,
}

/// An import going on.
pub struct Importer<'a, M: Medium> {
    home: &'a Home<M>,
    /// Owner of the source's top, who becomes the owner of the home.
    me: Option<(u32, u32)>,
    /// What came under which path.
    came: HashMap<Vec<u8>, Ino>,
    /// Directories get their times when everything is in them.
    directories: Vec<(Ino, Change)>,
    /// Whether the home becomes what the source is, its top included.
    replicates: bool,
    imported: Imported,
    tell: &'a mut dyn FnMut(&Imported),
}

impl<M: Medium> std::fmt::Debug for Importer<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Importer")
            .field("imported", &self.imported)
            .finish_non_exhaustive()
    }
}

impl<'a, M: Medium> Importer<'a, M> {
    /// Begins; `tell` hears now and then how far it has got.
    pub fn new(home: &'a Home<M>, tell: &'a mut dyn FnMut(&Imported)) -> Self {
        Self {
            home,
            me: None,
            came: HashMap::from([(Vec::new(), Ino::ROOT)]),
            directories: Vec::new(),
            replicates: false,
            imported: Imported::default(),
            tell,
        }
    }

    /// Takes in one object; `content` is that of a file.
    ///
    /// # Errors
    /// Those of the home and of `content`.
    pub fn add(&mut self, incoming: &Incoming, content: &mut dyn Read) -> io::Result<()> {
        let Some(components) = components(&incoming.path) else {
            self.leave_out(&incoming.path, Why::Path);
            return Ok(());
        };
        if incoming.what == What::Unknown {
            self.leave_out(&incoming.path, Why::Kind);
            return Ok(());
        }
        let Some((name, above)) = components.split_last() else {
            self.me = Some(incoming.owner);
            if self.replicates {
                self.describe(Ino::ROOT, incoming)?;
                self.directories.push((Ino::ROOT, times(incoming)));
            }
            return Ok(());
        };
        let Some(dir) = self.directory(above)? else {
            self.leave_out(&incoming.path, Why::Above);
            return Ok(());
        };
        let path = components.join(&b'/');
        let ino = match &incoming.what {
            What::Directory => self.add_directory(dir, name, incoming)?,
            _ => self.add_other(dir, name, incoming, content)?,
        };
        if let Some(ino) = ino {
            self.came.insert(path, ino);
        }
        (self.tell)(&self.imported);
        Ok(())
    }

    /// Ends: directories get their times.
    ///
    /// # Errors
    /// Those of the home.
    pub fn finish(self) -> io::Result<Imported> {
        for (ino, change) in self.directories.iter().rev() {
            self.home.change(*ino, change)?;
        }
        Ok(self.imported)
    }

    /// Notes what cannot be taken in.
    pub fn leave_out(&mut self, path: &[u8], why: Why) {
        let path = String::from_utf8_lossy(path).into_owned();
        self.imported.left_out.push(LeftOut { path, why });
    }

    /// The directory at a path, made if the source has not mentioned it; `None` if the source has
    /// something else there, such as a symbolic link, which nobody follows.
    fn directory(&mut self, components: &[&[u8]]) -> io::Result<Option<Ino>> {
        let (mut at, mut path) = (Ino::ROOT, Vec::new());
        for name in components {
            path.extend((!path.is_empty()).then_some(b'/'));
            path.extend_from_slice(name);
            at = match self.came.get(&path) {
                Some(ino) if self.home.attributes(*ino)?.kind != Kind::Directory => {
                    return Ok(None);
                }
                Some(ino) => *ino,
                None => self.merged_directory(at, name, UNMENTIONED_MODE)?,
            };
            self.came.insert(path.clone(), at);
        }
        Ok(Some(at))
    }

    fn add_directory(
        &mut self,
        dir: Ino,
        name: &[u8],
        incoming: &Incoming,
    ) -> io::Result<Option<Ino>> {
        let ino = self.merged_directory(dir, name, incoming.mode)?;
        self.describe(ino, incoming)?;
        self.directories.push((ino, times(incoming)));
        Ok(Some(ino))
    }

    fn merged_directory(&mut self, dir: Ino, name: &[u8], mode: u16) -> io::Result<Ino> {
        let node = self.node(Kind::Directory, mode);
        match self.home.lookup(dir, name) {
            Ok(there) if there.kind == Kind::Directory => Ok(there.ino),
            Ok(_) => {
                let name = self.free_name(dir, name)?;
                Ok(self.home.make(dir, &name, &node)?.ino)
            }
            Err(_) => {
                self.imported.names += 1;
                Ok(self.home.make(dir, name, &node)?.ino)
            }
        }
    }

    fn add_other(
        &mut self,
        dir: Ino,
        name: &[u8],
        incoming: &Incoming,
        content: &mut dyn Read,
    ) -> io::Result<Option<Ino>> {
        let name = match self.home.lookup(dir, name) {
            Ok(there) if self.is_same(&there, incoming) => {
                self.imported.same += 1;
                return Ok(Some(there.ino));
            }
            Ok(_) => self.free_name(dir, name)?,
            Err(_) => name.to_vec(),
        };
        if let What::HardLink(earlier) = &incoming.what {
            return self.add_link(dir, &name, (earlier, &incoming.path));
        }
        let ino = self.make(dir, &name, incoming, content)?;
        self.describe(ino, incoming)?;
        self.home.change(ino, &times(incoming))?;
        self.imported.names += 1;
        Ok(Some(ino))
    }

    fn add_link(
        &mut self,
        dir: Ino,
        name: &[u8],
        (earlier, path): (&[u8], &[u8]),
    ) -> io::Result<Option<Ino>> {
        let earlier = components(earlier).map(|components| components.join(&b'/'));
        let Some(ino) = earlier.and_then(|path| self.came.get(&path).copied()) else {
            self.leave_out(path, Why::Link);
            return Ok(None);
        };
        self.home.link(ino, dir, name)?;
        self.imported.names += 1;
        Ok(Some(ino))
    }
}

/// An error with the path of what it happened to.
fn at(path: &[u8], error: &io::Error) -> io::Error {
    let path = String::from_utf8_lossy(path);
    io::Error::new(error.kind(), format!("{path}: {error}"))
}

fn times(incoming: &Incoming) -> Change {
    Change {
        modified: Some(incoming.modified),
        accessed: Some(incoming.accessed),
        ..Change::default()
    }
}

/// The components of a path that stays below the top; `None` for any other.
fn components(path: &[u8]) -> Option<Vec<&[u8]>> {
    let components = path.split(|byte| *byte == b'/');
    let components: Vec<&[u8]> = components
        .filter(|name| !matches!(*name, b"" | b"."))
        .collect();
    let sound = components.iter().all(|name| names::is_valid(name));
    sound.then_some(components)
}

#[cfg(test)]
mod tests;
