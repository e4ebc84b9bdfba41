//! What a new home begins with: the files of `/etc/skel`, as useradd(8) would copy them.

use crate::home::{Home, NewNode};
use crate::ids::Ino;
use crate::medium::Medium;
use crate::record::Kind;
use rustix::io::Errno;
use std::fs::{self, DirEntry, FileType, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Where the administrator keeps them.
pub const SOURCE: &str = "/etc/skel";

/// Whom the files belong to.
#[derive(Clone, Copy, Debug)]
pub struct Ids {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Copies what the home does not have yet.
///
/// # Errors
/// Those of reading the source and of the medium.
pub fn copy<M: Medium>(source: &Path, home: &Home<M>, ids: Ids) -> io::Result<()> {
    copy_directory(source, home, Ino::ROOT, ids)
}

fn copy_directory<M: Medium>(from: &Path, home: &Home<M>, to: Ino, ids: Ids) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        copy_entry(&entry?, home, to, ids)?;
    }
    Ok(())
}

fn copy_entry<M: Medium>(entry: &DirEntry, home: &Home<M>, to: Ino, ids: Ids) -> io::Result<()> {
    let (name, facts) = (entry.file_name(), entry.metadata()?);
    let Some(node) = node(entry, &facts, ids)? else {
        return Ok(());
    };
    let made = if node.kind == Kind::File {
        copy_file(&entry.path(), home, (to, name.as_bytes()), &node)
    } else {
        let made = home.make(to, name.as_bytes(), &node);
        made.map(|made| made.ino).map_err(io::Error::from)
    };
    match made {
        Err(error) if error.raw_os_error() == Some(Errno::EXIST.raw_os_error()) => Ok(()),
        Ok(ino) if node.kind == Kind::Directory => copy_directory(&entry.path(), home, ino, ids),
        other => other.map(drop),
    }
}

fn copy_file<M: Medium>(
    from: &Path,
    home: &Home<M>,
    (dir, name): (Ino, &[u8]),
    node: &NewNode,
) -> io::Result<Ino> {
    let content = fs::read(from)?;
    let (made, _) = home.create(dir, name, node)?;
    let written = home.write(made.ino, 0, &content);
    home.release(made.ino)?;
    written?;
    Ok(made.ino)
}

/// How to make it; `None` for what no home begins with.
fn node(entry: &DirEntry, facts: &Metadata, ids: Ids) -> io::Result<Option<NewNode>> {
    let Some(kind) = kind(facts.file_type()) else {
        return Ok(None);
    };
    let target = match kind {
        Kind::Symlink => fs::read_link(entry.path())?.into_os_string().into_vec(),
        _ => Vec::new(),
    };
    Ok(Some(NewNode {
        kind,
        mode: u16::try_from(facts.mode() & 0o777).unwrap_or(0o600),
        uid: ids.uid,
        gid: ids.gid,
        device: 0,
        target,
    }))
}

fn kind(of: FileType) -> Option<Kind> {
    if of.is_dir() {
        Some(Kind::Directory)
    } else if of.is_file() {
        Some(Kind::File)
    } else if of.is_symlink() {
        Some(Kind::Symlink)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Options;
    use crate::medium::directory::DirectoryMedium;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_new_home_gets_what_it_does_not_have() {
        let (source, stick) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(source.path().join(".config")).unwrap();
        fs::write(source.path().join(".config/tool"), "settings").unwrap();
        fs::write(source.path().join(".profile"), "new").unwrap();
        symlink(".profile", source.path().join("link")).unwrap();
        fs::write(stick.path().join(".profile"), "mine").unwrap();
        let medium = || DirectoryMedium::open(stick.path()).unwrap();
        crate::home::create(&medium(), [1; 16]).unwrap();
        let home = Home::open_lazily(medium(), Options::new(7, 8)).unwrap();
        copy(source.path(), &home, Ids { uid: 7, gid: 8 }).unwrap();
        copy(source.path(), &home, Ids { uid: 7, gid: 8 }).unwrap();
        home.close().unwrap();

        let read = |path: &str| fs::read_to_string(stick.path().join(path)).unwrap();
        assert_eq!(
            (read(".profile"), read(".config/tool")),
            ("mine".into(), "settings".into())
        );
        let link = home.lookup(Ino::ROOT, b"link").unwrap();
        assert_eq!(home.read_link(link.ino).unwrap(), b".profile");
        assert_eq!((link.uid, link.gid), (7, 8));
    }
}
