use super::*;
use crate::export::export;
use crate::home::{NewNode, SetXattr};
use crate::home::{Options, create};
use crate::medium::fake::Fake;
use proptest::prelude::*;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;

fn new_home(uid: u32) -> Home<Fake> {
    let fake = Fake::new(1 << 40);
    create(&fake, [7; 16]).unwrap();
    Home::open(fake, Options::new(uid, uid)).unwrap().0
}

fn archive_of(home: &Home<Fake>) -> Vec<u8> {
    let mut archive = Vec::new();
    export(home, &mut archive, &mut |_, _| {}).unwrap();
    archive
}

fn import_archive(home: &Home<Fake>, mut archive: &[u8]) -> io::Result<Imported> {
    archive::import(home, &mut archive, &mut |_| {})
}

fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    std::fs::create_dir_all(at("a/b")).unwrap();
    std::fs::write(at("a/b/file"), "content").unwrap();
    std::fs::set_permissions(at("a/b/file"), std::fs::Permissions::from_mode(0o751)).unwrap();
    std::fs::hard_link(at("a/b/file"), at("hard")).unwrap();
    symlink("a/b/file", at("soft")).unwrap();
    let long = "x".repeat(200);
    std::fs::create_dir_all(at(&long)).unwrap();
    std::fs::write(at(&format!("{long}/{long}")), [7; 3000]).unwrap();
    dir
}

fn import_directory(home: &Home<Fake>, dir: &tempfile::TempDir) -> Imported {
    directory::import(home, dir.path(), &mut |_| {}).unwrap()
}

/// Path, kind, mode, owner, size, modification time, number of names and target.
fn facts(home: &Home<Fake>) -> Vec<String> {
    let mut lines = Vec::new();
    home.walk::<io::Error>(|visited| {
        let a = &visited.attributes;
        let (path, target) = (&visited.path, home.read_link(a.ino).unwrap_or_default());
        lines.push(format!(
            "{} {:?} {:o} {} {} {} {:?} {:?}",
            path.escape_ascii(),
            a.kind,
            a.mode,
            a.uid,
            a.size,
            a.links,
            (!path.is_empty()).then_some(a.times.modified),
            target.escape_ascii().to_string()
        ));
        Ok(())
    })
    .unwrap();
    lines
}

#[test]
fn a_directory_comes_in_with_all_it_has() {
    let (home, dir) = (new_home(1000), directory());
    let imported = import_directory(&home, &dir);
    assert_eq!((imported.names, imported.bytes), (7, 3007));
    let hard = home.lookup(Ino::ROOT, b"hard").unwrap();
    assert_eq!((hard.links, hard.mode, hard.uid), (2, 0o751, 1000));
    let soft = home.lookup(Ino::ROOT, b"soft").unwrap();
    assert_eq!(home.read_link(soft.ino).unwrap(), b"a/b/file");
    let again = import_directory(&home, &dir);
    assert_eq!((again.names, again.same, again.beside.len()), (0, 4, 0));
}

#[test]
fn pipes_and_sockets_come_in() {
    let (home, dir) = (new_home(1000), tempfile::tempdir().unwrap());
    let _listens = UnixListener::bind(dir.path().join("socket")).unwrap();
    let permissions = rustix::fs::Mode::from(0o640);
    let (pipe, kind) = (dir.path().join("pipe"), rustix::fs::FileType::Fifo);
    rustix::fs::mknodat(rustix::fs::CWD, pipe, kind, permissions, 0).unwrap();
    let imported = import_directory(&home, &dir);
    assert_eq!((imported.names, imported.left_out.len()), (2, 0));
    for (name, kind) in [("socket", Kind::Socket), ("pipe", Kind::Fifo)] {
        let there = home.lookup(Ino::ROOT, name.as_bytes()).unwrap();
        assert_eq!(there.kind, kind);
    }
    let again = import_directory(&home, &dir);
    assert_eq!((again.names, again.same), (0, 2));
}

#[test]
fn what_differs_is_kept_beside() {
    let (home, dir) = (new_home(1000), directory());
    import_directory(&home, &dir);
    std::fs::remove_file(dir.path().join("hard")).unwrap();
    std::fs::write(dir.path().join("hard"), "another one").unwrap();
    let imported = import_directory(&home, &dir);
    assert_eq!(imported.beside, ["hard (2)"]);
    assert_eq!(home.lookup(Ino::ROOT, b"hard").unwrap().size, 7);
    assert_eq!(home.lookup(Ino::ROOT, b"hard (2)").unwrap().size, 11);
}

#[test]
fn an_exported_home_comes_back_on_another_machine() {
    let (home, dir) = (new_home(1000), directory());
    import_directory(&home, &dir);
    let film = home.lookup(Ino::ROOT, b"hard").unwrap().ino;
    home.set_xattr(film, b"user.tag", b"re\nd", SetXattr::Any)
        .unwrap();
    let (before, archive) = (facts(&home), archive_of(&home));
    let there = new_home(2001);
    import_archive(&there, &archive).unwrap();
    let after: Vec<_> = facts(&there)
        .iter()
        .map(|line| line.replace(" 2001 ", " 1000 "))
        .collect();
    assert_eq!(after, before);
    let film = there.lookup(Ino::ROOT, b"hard").unwrap().ino;
    assert_eq!(there.xattr(film, b"user.tag").unwrap(), b"re\nd");
}

#[test]
fn paths_do_not_lead_out() {
    assert_eq!(components(b"/./a//b/"), Some(vec![&b"a"[..], b"b"]));
    for path in [&b"../a"[..], b"a/../../b", b"a/..", b"a\0b"] {
        assert_eq!(components(path), None);
    }
}

#[test]
fn what_is_no_archive_is_named() {
    let error = import_archive(&new_home(1), &[b'x'; 2048]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

proptest! {
    #[test]
    fn damaged_archives_are_taken_or_refused(
        spots in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9),
        honest in any::<bool>(),
    ) {
        let home = new_home(1);
        home.make(Ino::ROOT, b"dir", &NewNode {
            kind: Kind::Directory, mode: 0o700, uid: 1, gid: 1, device: 0, target: Vec::new(),
        }).unwrap();
        let mut archive = archive_of(&home);
        for (at, byte) in spots {
            let at = at.index(archive.len());
            archive[at] = byte;
        }
        if honest {
            repair_sums(&mut archive);
        }
        drop(import_archive(&new_home(1), &archive));
    }
}

/// What someone would do who means it.
fn repair_sums(archive: &mut [u8]) {
    for header in archive
        .chunks_mut(512)
        .filter(|block| block[257..262] == *b"ustar")
    {
        header[148..156].fill(b' ');
        let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}
