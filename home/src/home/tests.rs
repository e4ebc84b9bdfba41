use super::*;
use crate::medium::fake::Fake;
use crate::names;

mod cut;
mod direct;
mod failed_sync;
mod foreign;
mod full;
mod groups;
mod interrupted;
mod lazy;
mod meanwhile;
mod model;
mod parts;
mod random;
mod readers;
mod reading;
mod removed;
mod settling;

/// A part size no ordinary test reaches.
const BIG: u64 = 1 << 40;

fn options() -> Options {
    Options::new(1000, 1000)
}

fn new_home(part_size: u64) -> (Fake, Home<Fake>) {
    let fake = Fake::new(part_size);
    create(&fake, [7; 16]).unwrap();
    let home = open(&fake);
    (fake, home)
}

fn open(fake: &Fake) -> Home<Fake> {
    Home::open(fake.clone(), options()).unwrap().0
}

fn reopen(fake: &Fake, home: &Home<Fake>) -> (Fake, Home<Fake>, Reconciled) {
    home.close().unwrap();
    let fake = fake.replug();
    let (home, found) = Home::open(fake.clone(), options()).unwrap();
    (fake, home, found)
}

fn node(kind: Kind) -> NewNode {
    let target = if kind == Kind::Symlink {
        b"somewhere".to_vec()
    } else {
        Vec::new()
    };
    NewNode {
        kind,
        mode: 0o640,
        uid: 1000,
        gid: 1000,
        device: 0,
        target,
    }
}

fn write_file(home: &Home<Fake>, dir: Ino, name: &[u8], bytes: &[u8]) -> Ino {
    let ino = home.create(dir, name, &node(Kind::File)).unwrap().0.ino;
    home.write(ino, 0, bytes).unwrap();
    home.release(ino).unwrap();
    ino
}

fn read_file(home: &Home<Fake>, ino: Ino) -> Vec<u8> {
    home.open_file(ino).unwrap();
    let bytes = home.read(ino, 0, 1 << 20).unwrap();
    home.release(ino).unwrap();
    bytes
}

#[test]
fn files_keep_their_names_on_the_medium() {
    let (fake, home) = new_home(BIG);
    let dir = home
        .make(Ino::ROOT, b"Docs", &node(Kind::Directory))
        .unwrap()
        .ino;
    write_file(&home, dir, b"note.txt", b"hello");
    write_file(&home, dir, b"a:b", b"colon");
    write_file(&home, Ino::ROOT, b"Makefile", b"1");
    write_file(&home, Ino::ROOT, b"makefile", b"2");
    assert_eq!(fake.read_file("Docs/note.txt").unwrap(), b"hello");
    assert_eq!(fake.read_file("Docs/a\u{F03A}b").unwrap(), b"colon");
    assert_eq!(fake.read_file("\u{F06D}akefile").unwrap(), b"2");
}

#[test]
fn a_replacing_rename_settles_later() {
    let (fake, home) = new_home(BIG);
    write_file(&home, Ino::ROOT, b"conf", b"old");
    let new = write_file(&home, Ino::ROOT, b"conf.tmp", b"new");
    home.rename(
        (Ino::ROOT, b"conf.tmp"),
        (Ino::ROOT, b"conf"),
        RenameMode::Replace,
    )
    .unwrap();
    assert_eq!(fake.read_file("conf").unwrap(), b"old");
    home.settle().unwrap();
    assert_eq!(fake.read_file("conf").unwrap(), b"new");
    assert!(fake.read_file("conf.tmp").is_none());
    assert_eq!(home.lookup(Ino::ROOT, b"conf").unwrap().ino, new);
}

#[test]
fn swapped_names_and_changed_case_settle() {
    let (fake, home) = new_home(BIG);
    write_file(&home, Ino::ROOT, b"a", b"1");
    write_file(&home, Ino::ROOT, b"b", b"2");
    write_file(&home, Ino::ROOT, b"readme", b"3");
    home.rename((Ino::ROOT, b"a"), (Ino::ROOT, b"b"), RenameMode::Exchange)
        .unwrap();
    home.rename(
        (Ino::ROOT, b"readme"),
        (Ino::ROOT, b"README"),
        RenameMode::Replace,
    )
    .unwrap();
    home.settle().unwrap();
    assert_eq!(fake.read_file("a").unwrap(), b"2");
    assert_eq!(fake.read_file("b").unwrap(), b"1");
    let listed = crate::medium::Medium::list(&fake, "").unwrap();
    assert!(listed.iter().any(|(name, _)| name == "README"));
}

#[test]
fn a_directory_moved_into_its_former_child_settles() {
    let (fake, home) = new_home(BIG);
    let a = home
        .make(Ino::ROOT, b"a", &node(Kind::Directory))
        .unwrap()
        .ino;
    let b = home.make(a, b"b", &node(Kind::Directory)).unwrap().ino;
    write_file(&home, a, b"file", b"deep");
    home.rename((a, b"b"), (Ino::ROOT, b"b"), RenameMode::Replace)
        .unwrap();
    home.rename((Ino::ROOT, b"a"), (b, b"a"), RenameMode::Replace)
        .unwrap();
    home.settle().unwrap();
    assert_eq!(fake.read_file("b/a/file").unwrap(), b"deep");
}

#[test]
fn an_unlinked_file_lives_until_released() {
    let (fake, home) = new_home(BIG);
    let ino = home
        .create(Ino::ROOT, b"gone", &node(Kind::File))
        .unwrap()
        .0
        .ino;
    home.unlink(Ino::ROOT, b"gone").unwrap();
    home.write(ino, 0, b"still").unwrap();
    home.settle().unwrap();
    assert_eq!(home.read(ino, 0, 10).unwrap(), b"still");
    home.release(ino).unwrap();
    assert_eq!(home.attributes(ino), Err(Errno::NOENT));
    home.settle().unwrap();
    assert!(fake.read_file("gone").is_none());
}

#[test]
fn long_files_continue_in_parts() {
    let (fake, home) = new_home(1000);
    let bytes: Vec<u8> = (0..2500u32).map(|i| i.to_le_bytes()[0]).collect();
    let ino = write_file(&home, Ino::ROOT, b"film.mkv", &bytes);
    home.rename(
        (Ino::ROOT, b"film.mkv"),
        (Ino::ROOT, b"movie"),
        RenameMode::Replace,
    )
    .unwrap();
    let (fake, home, found) = reopen(&fake, &home);
    assert_eq!(found, Reconciled::default());
    let parts = ["movie", "movie.~002", "movie.~003"].map(|part| fake.read_file(part).unwrap());
    assert_eq!(parts.concat(), bytes);
    assert_eq!(read_file(&home, ino), bytes);
    home.change(
        ino,
        &Change {
            size: Some(1500),
            ..Change::default()
        },
    )
    .unwrap();
    assert_eq!(read_file(&home, ino), bytes[..1500]);
    assert!(fake.read_file("movie.~003").is_none());
}

#[test]
fn what_a_file_gains_reads_as_zeros_and_takes_no_space() {
    let (fake, home) = new_home(BIG);
    let ino = write_file(&home, Ino::ROOT, b"sparse", b"x");
    home.change(
        ino,
        &Change {
            size: Some(5000),
            ..Change::default()
        },
    )
    .unwrap();
    let (fake, home, _) = reopen(&fake, &home);
    assert_eq!(fake.read_file("sparse").unwrap(), b"x");
    assert_eq!(home.attributes(ino).unwrap().size, 5000);
    assert_eq!(read_file(&home, ino).len(), 5000);
}

#[test]
fn hard_links_share_one_file() {
    let (fake, home) = new_home(BIG);
    let ino = write_file(&home, Ino::ROOT, b"one", b"shared");
    home.link(ino, Ino::ROOT, b"two").unwrap();
    assert_eq!(home.attributes(ino).unwrap().links, 2);
    home.unlink(Ino::ROOT, b"one").unwrap();
    let (fake, home, _) = reopen(&fake, &home);
    assert_eq!(fake.read_file("two").unwrap(), b"shared");
    assert_eq!(home.attributes(ino).unwrap().links, 1);
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    let (fake, home) = new_home(BIG);
    write_file(&home, Ino::ROOT, b"file", b"1");
    home.commit().unwrap();
    home.settle().unwrap();
    home.commit().unwrap();
    let before = fake.operations();
    home.commit().unwrap();
    home.settle().unwrap();
    assert_eq!(fake.operations(), before);
}

#[test]
fn what_the_kernel_forgets_is_dropped_with_the_next_change() {
    let (fake, home) = new_home(BIG);
    let first = write_file(&home, Ino::ROOT, b"first", b"1");
    let last = write_file(&home, Ino::ROOT, b"last", b"2");
    for (ino, name) in [(first, b"first" as &[u8]), (last, b"last")] {
        home.hold(ino);
        home.unlink(Ino::ROOT, name).unwrap();
        home.forget(ino, 1);
    }
    assert_eq!(home.attributes(first), Err(Errno::NOENT));
    assert!(home.attributes(last).is_ok());
    home.settle().unwrap();
    assert_eq!(home.attributes(last), Err(Errno::NOENT));
    assert_eq!(
        (fake.read_file("first"), fake.read_file("last")),
        (None, None)
    );
}

#[test]
fn an_orderly_end_leaves_nothing_of_what_the_kernel_did_not_forget() {
    let (fake, home) = new_home(BIG);
    let ino = write_file(&home, Ino::ROOT, b"held", b"1");
    home.hold(ino);
    home.open_file(ino).unwrap();
    home.unlink(Ino::ROOT, b"held").unwrap();
    home.close().unwrap();
    assert_eq!(fake.read_file("held"), None);
}

#[test]
fn longest_names_are_kept() {
    let (fake, home) = new_home(BIG);
    for byte in [b'x', 0xff, b':'] {
        write_file(&home, Ino::ROOT, &[byte; names::NAME_MAX], b"long");
    }
    let (_, home, found) = reopen(&fake, &home);
    assert_eq!(found, Reconciled::default());
    assert!(home.lookup(Ino::ROOT, &[0xff; names::NAME_MAX]).is_ok());
}

#[test]
fn groups_follow_their_names() {
    let fake = Fake::new(BIG);
    create(&fake, [7; 16]).unwrap();
    let (mut here, mut there) = (options(), options());
    here.groups = GroupNames {
        name_of: |gid| (gid == 44).then(|| "video".into()),
        id_of: |name| (name == "video").then_some(44),
    };
    there.groups = GroupNames {
        name_of: |gid| Some(if gid == 39 { "video" } else { "other" }.into()),
        id_of: |name| (name == "video").then_some(39),
    };
    let (home, _) = Home::open(fake.clone(), here).unwrap();
    let ino = write_file(&home, Ino::ROOT, b"film", b"1");
    let set = |home: &Home<Fake>, gid| {
        let gid = Some(gid);
        home.change(
            ino,
            &Change {
                gid,
                ..Change::default()
            },
        )
        .unwrap()
        .gid
    };
    assert_eq!((set(&home, 7), set(&home, 44)), (7, 44));
    home.close().unwrap();
    let (home, _) = Home::open(fake.replug(), there).unwrap();
    assert_eq!(home.attributes(ino).unwrap().gid, 39);
    // Number 44 means another group here.
    assert_eq!((set(&home, 44), set(&home, 39)), (44, 39));
}
