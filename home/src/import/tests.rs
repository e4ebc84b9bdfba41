use super::*;
use crate::export::export;
use crate::home::{NewNode, SetXattr};
use crate::home::{Options, create};
use crate::medium::fake::Fake;
use proptest::prelude::*;
use rustix::io::Errno;
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

/// An archive of members with a path, a type flag and a link each, and a content.
fn archive_with(members: &[(&str, u8, &str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (path, flag, link, content) in members {
        let mut header = [0; 512];
        header[..path.len()].copy_from_slice(path.as_bytes());
        for field in [100..108, 108..116, 116..124, 136..148] {
            header[field.start..field.end - 1].fill(b'0');
        }
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[156] = *flag;
        header[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header[257..262].copy_from_slice(b"ustar");
        archive.extend(header);
        archive.extend(*content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    repair_sums(&mut archive);
    archive.resize(archive.len() + 1024, 0);
    archive
}

#[test]
fn what_cannot_come_in_is_said_and_the_rest_comes() {
    let home = new_home(1);
    let archive = archive_with(&[
        ("link", b'2', "/elsewhere", b""),
        ("link/below", b'0', "", b"text"),
        ("../out", b'0', "", b"text"),
        ("again", b'1', "never", b""),
        ("holes", b'S', "", b"map"),
        ("pax", b'x', "", b"28 GNU.sparse.name=dir/real\n"),
        ("dir/GNUSparseFile.1/real", b'0', "", b"map"),
        ("last", b'0', "", b"text"),
    ]);
    let imported = import_archive(&home, &archive).unwrap();
    let left_out = imported.left_out.iter();
    let left_out: Vec<_> = left_out.map(|it| (it.path.as_str(), it.why)).collect();
    let expected = [
        ("link/below", Why::Above),
        ("../out", Why::Path),
        ("again", Why::Link),
        ("holes", Why::Kind),
        ("dir/real", Why::Kind),
    ];
    assert_eq!(left_out, expected);
    assert_eq!((imported.names, imported.bytes), (2, 4));
    assert_eq!(home.lookup(Ino::ROOT, b"last").unwrap().size, 4);
}

#[test]
fn files_from_before_1970_come_in() {
    let (home, mut archive) = (new_home(1), archive_with(&[("old", b'0', "", b"text")]));
    archive[136..148].copy_from_slice(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe");
    repair_sums(&mut archive);
    import_archive(&home, &archive).unwrap();
    let old = home.lookup(Ino::ROOT, b"old").unwrap();
    let two_seconds_before = Time {
        seconds: -2,
        nanos: 0,
    };
    assert_eq!(old.times.modified, two_seconds_before);
}

#[test]
fn after_a_file_with_many_holes_the_rest_comes() {
    let home = new_home(1);
    // Two blocks go on with the map, which the size does not count.
    let mut map_and_data = [0; 3 * 512];
    map_and_data[504] = 1;
    let last: (&str, u8, &str, &[u8]) = ("last", b'0', "", b"text");
    let mut archive = archive_with(&[("holes", b'S', "", &map_and_data), last]);
    archive[124..135].copy_from_slice(b"00000001000");
    archive[482] = 1;
    repair_sums(&mut archive);
    let imported = import_archive(&home, &archive).unwrap();
    assert_eq!((imported.names, imported.left_out.len()), (1, 1));
    assert_eq!(imported.left_out[0].path, "holes");
}

#[test]
fn an_archive_that_ends_too_early_leaves_no_half_of_a_file() {
    let home = new_home(1);
    let members: [(&str, u8, &str, &[u8]); 2] =
        [("whole", b'0', "", b"text"), ("half", b'0', "", &[7; 4096])];
    let archive = archive_with(&members);
    let error = import_archive(&home, &archive[..3000]).unwrap_err();
    assert!(error.to_string().starts_with("half: "), "{error}");
    assert_eq!(home.lookup(Ino::ROOT, b"whole").unwrap().size, 4);
    assert_eq!(home.lookup(Ino::ROOT, b"half"), Err(Errno::NOENT));
    let again = import_archive(&home, &archive).unwrap();
    assert_eq!((again.same, again.names), (1, 1));
}

#[test]
fn what_is_no_archive_is_named() {
    let error = import_archive(&new_home(1), &[b'x'; 2048]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn what_is_compressed_is_told_how_to_unpack() {
    // An archive of a small home is shorter than one block then.
    for archive in [
        &b"\x1f\x8b\x08 and so on"[..],
        &[b"\x1f\x8b\x08", [7; 2048].as_slice()].concat(),
    ] {
        let error = import_archive(&new_home(1), archive).unwrap_err();
        assert!(error.to_string().contains("gzip -d"), "{error}");
    }
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
