//! Going through the whole home, for export and dump.

use super::{Attributes, Home, Ino, Kind, Medium, Result};

/// One name met on the way.
#[derive(Clone, Debug)]
pub struct Visited {
    /// Path from the root of the home, without a leading `/`; empty for the root itself.
    pub path: Vec<u8>,
    /// What it names.
    pub attributes: Attributes,
}

impl<M: Medium> Home<M> {
    /// Calls `visit` with every name, directories before what is in them.
    ///
    /// # Errors
    /// Those of `visit`.
    pub fn walk<E: From<rustix::io::Errno>>(
        &self,
        mut visit: impl FnMut(&Visited) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut open = vec![Visited {
            path: Vec::new(),
            attributes: self.attributes(Ino::ROOT)?,
        }];
        while let Some(visited) = open.pop() {
            visit(&visited)?;
            if visited.attributes.kind == Kind::Directory {
                open.extend(self.below(&visited)?);
            }
        }
        Ok(())
    }

    /// The entries of a directory, last name first.
    fn below(&self, dir: &Visited) -> Result<Vec<Visited>> {
        let mut listed = self.list(dir.attributes.ino)?;
        listed.reverse();
        let visit = |line: super::Listing| {
            let mut path = dir.path.clone();
            path.extend((!path.is_empty()).then_some(b'/'));
            path.extend(&line.name);
            Ok(Visited {
                path,
                attributes: self.attributes(line.ino)?,
            })
        };
        listed.into_iter().map(visit).collect()
    }
}
