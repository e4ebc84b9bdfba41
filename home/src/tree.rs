//! All that is in a home, however it is kept: for archives and listings.

use crate::home::{Home, Visited};
use crate::medium::Medium;
use std::io::{self, Read};

pub mod directory;

/// A name of an extended attribute and its value.
pub type Xattr = (Vec<u8>, Vec<u8>);

/// A tree of files that can be gone through.
pub trait Tree {
    /// Calls `visit` with every name, directories before what is in them.
    ///
    /// # Errors
    /// Those of reading and of `visit`.
    fn visit(&self, visit: &mut dyn FnMut(&Visited) -> io::Result<()>) -> io::Result<()>;
    /// Where a symbolic link leads.
    ///
    /// # Errors
    /// Those of readlink(2).
    fn target(&self, link: &Visited) -> io::Result<Vec<u8>>;
    /// Extended attributes.
    ///
    /// # Errors
    /// Those of listxattr(2) and getxattr(2).
    fn xattrs(&self, of: &Visited) -> io::Result<Vec<Xattr>>;
    /// Content of a file.
    ///
    /// # Errors
    /// Those of open(2).
    fn content(&self, file: &Visited) -> io::Result<Box<dyn Read + '_>>;
}

impl<M: Medium> Tree for Home<M> {
    fn visit(&self, visit: &mut dyn FnMut(&Visited) -> io::Result<()>) -> io::Result<()> {
        self.walk(visit)
    }

    fn target(&self, link: &Visited) -> io::Result<Vec<u8>> {
        Ok(self.read_link(link.attributes.ino)?)
    }

    fn xattrs(&self, of: &Visited) -> io::Result<Vec<Xattr>> {
        Ok(self.kept_xattrs(of.attributes.ino)?)
    }

    fn content(&self, file: &Visited) -> io::Result<Box<dyn Read + '_>> {
        self.open_file(file.attributes.ino)?;
        Ok(Box::new(Content {
            home: self,
            file: file.attributes,
            offset: 0,
        }))
    }
}

/// A file of a home, read from its beginning.
struct Content<'a, M: Medium> {
    home: &'a Home<M>,
    file: crate::home::Attributes,
    offset: u64,
}

impl<M: Medium> Read for Content<'_, M> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.home.read(self.file.ino, self.offset, buffer.len())?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        self.offset += bytes.len() as u64;
        Ok(bytes.len())
    }
}

impl<M: Medium> Drop for Content<'_, M> {
    fn drop(&mut self) {
        if let Err(error) = self.home.release(self.file.ino) {
            tracing::warn!(%error, "cannot close a file");
        }
    }
}
