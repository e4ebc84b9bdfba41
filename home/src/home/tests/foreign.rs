//! What strangers do to the medium between two uses.

use super::*;

fn find(home: &Home<Fake>, name: &[u8]) -> Attributes {
    home.lookup(Ino::ROOT, name).unwrap()
}

#[test]
fn new_files_are_adopted() {
    let (fake, home) = new_home(BIG);
    home.close().unwrap();
    let fake = fake.replug();
    crate::medium::Medium::make_dir(&fake, "Photos").unwrap();
    fake.write_file("Photos/p\u{F03A}1.jpg", b"jpeg");
    let (home, found) = Home::open(fake, options()).unwrap();
    assert_eq!(found.adopted, 2);
    let photos = find(&home, b"Photos");
    assert_eq!((photos.mode, photos.uid), (0o700, 1000));
    let picture = home.lookup(photos.ino, b"p:1.jpg").unwrap();
    assert_eq!(read_file(&home, picture.ino), b"jpeg");
}

#[test]
fn edits_are_taken_over_and_modes_stay() {
    let (fake, home) = new_home(BIG);
    let ino = write_file(&home, Ino::ROOT, b"script", b"old");
    home.change(
        ino,
        &Change {
            mode: Some(0o755),
            ..Change::default()
        },
    )
    .unwrap();
    home.close().unwrap();
    let fake = fake.replug();
    fake.write_file("script", b"longer than before");
    let (home, found) = Home::open(fake, options()).unwrap();
    assert_eq!(
        found,
        Reconciled {
            edited: 1,
            ..Reconciled::default()
        }
    );
    let script = find(&home, b"script");
    assert_eq!((script.ino, script.mode, script.size), (ino, 0o755, 18));
}

#[test]
fn renamed_files_keep_their_inode() {
    let (fake, home) = new_home(BIG);
    let dir = home
        .make(Ino::ROOT, b"dir", &node(Kind::Directory))
        .unwrap()
        .ino;
    let ino = write_file(&home, dir, b"old name", b"content");
    home.set_xattr(ino, b"user.tag", b"red", SetXattr::Any)
        .unwrap();
    home.close().unwrap();
    let fake = fake.replug();
    crate::medium::Medium::rename(&fake, "dir/old name", "new name").unwrap();
    crate::medium::Medium::rename(&fake, "dir", "folder").unwrap();
    let (home, found) = Home::open(fake, options()).unwrap();
    assert_eq!(
        found,
        Reconciled {
            renamed: 2,
            ..Reconciled::default()
        }
    );
    assert_eq!(find(&home, b"folder").ino, dir);
    assert_eq!(find(&home, b"new name").ino, ino);
    assert_eq!(home.xattr(ino, b"user.tag").unwrap(), b"red");
}

/// `a` is deleted, `b` renamed to `c`, and both are empty and from the same second.
#[test]
fn what_could_be_either_of_two_is_neither() {
    let (fake, home) = new_home(BIG);
    fake.stop_clock();
    let made = [(b"a", 0o644), (b"b", 0o600)].map(|(name, mode)| {
        let ino = write_file(&home, Ino::ROOT, name, b"");
        let mode = Some(mode);
        let change = Change {
            mode,
            ..Change::default()
        };
        home.change(ino, &change).unwrap();
        ino
    });
    home.close().unwrap();
    let fake = fake.replug();
    crate::medium::Medium::unlink(&fake, "a").unwrap();
    crate::medium::Medium::rename(&fake, "b", "c").unwrap();
    let (home, found) = Home::open(fake, options()).unwrap();
    assert_eq!(
        found,
        Reconciled {
            adopted: 1,
            missing: 2,
            ..Reconciled::default()
        }
    );
    let there = find(&home, b"c");
    assert_eq!(there.mode, options().adopted_file_mode);
    assert!(!made.contains(&there.ino));
}

#[test]
fn a_case_changed_outside_changes_the_name() {
    let (fake, home) = new_home(BIG);
    let ino = write_file(&home, Ino::ROOT, b"readme", b"text");
    home.close().unwrap();
    let fake = fake.replug();
    crate::medium::Medium::rename(&fake, "readme", "x").unwrap();
    crate::medium::Medium::rename(&fake, "x", "README").unwrap();
    let (home, _) = Home::open(fake, options()).unwrap();
    assert_eq!(find(&home, b"README").ino, ino);
    assert_eq!(home.lookup(Ino::ROOT, b"readme"), Err(Errno::NOENT));
}

#[test]
fn deleted_files_are_gone_with_what_was_below() {
    let (fake, home) = new_home(BIG);
    let dir = home
        .make(Ino::ROOT, b"dir", &node(Kind::Directory))
        .unwrap()
        .ino;
    write_file(&home, dir, b"file", b"1");
    home.make(dir, b"link", &node(Kind::Symlink)).unwrap();
    home.close().unwrap();
    let fake = fake.replug();
    crate::medium::Medium::unlink(&fake, "dir/file").unwrap();
    crate::medium::Medium::remove_dir(&fake, "dir").unwrap();
    let (home, found) = Home::open(fake, options()).unwrap();
    assert_eq!(
        found,
        Reconciled {
            missing: 2,
            ..Reconciled::default()
        }
    );
    assert_eq!(home.list(Ino::ROOT).unwrap(), []);
    assert_eq!(home.inode_count(), 1);
}

#[test]
fn a_folder_that_comes_back_is_what_it_was() {
    let (fake, home) = new_home(BIG);
    let dir = home
        .make(Ino::ROOT, b"dir", &node(Kind::Directory))
        .unwrap()
        .ino;
    let file = write_file(&home, dir, b"script", b"1");
    home.set_xattr(file, b"user.tag", b"red", SetXattr::Any)
        .unwrap();
    home.make(dir, b"link", &node(Kind::Symlink)).unwrap();
    home.close().unwrap();
    let fake = fake.replug();
    fake.remove_tree("dir");
    let (fake, home, found) = reopen(&fake, &open(&fake));
    assert_eq!((found, home.inode_count()), (Reconciled::default(), 1));
    home.close().unwrap();
    let fake = fake.replug();
    crate::medium::Medium::make_dir(&fake, "dir").unwrap();
    fake.write_file("dir/script", b"longer");
    let (home, found) = Home::open(fake, options()).unwrap();
    assert_eq!((found.returned, found.adopted), (2, 0));
    let dir = find(&home, b"dir");
    let script = home.lookup(dir.ino, b"script").unwrap();
    assert_eq!((script.ino, script.mode, script.size), (file, 0o640, 6));
    assert_eq!(home.xattr(file, b"user.tag").unwrap(), b"red");
    let link = home.lookup(dir.ino, b"link").unwrap();
    assert_eq!(home.read_link(link.ino).unwrap(), b"somewhere");
}

#[test]
fn what_is_lost_is_forgotten_after_a_month() {
    let (fake, home) = new_home(BIG);
    write_file(&home, Ino::ROOT, b"file", b"1");
    home.close().unwrap();
    let fake = fake.replug();
    crate::medium::Medium::unlink(&fake, "file").unwrap();
    let home = open(&fake);
    let count = |home: &Home<Fake>| home.with_table(|table| table.lost().count());
    let day = 24 * 3600;
    home.state()
        .forget_lost(Time::now().seconds + 29 * day)
        .unwrap();
    assert_eq!(count(&home), 1);
    home.state()
        .forget_lost(Time::now().seconds + 31 * day)
        .unwrap();
    assert_eq!(count(&home), 0);
}

#[test]
fn a_name_taken_by_a_link_is_not_lost() {
    let (fake, home) = new_home(BIG);
    home.make(Ino::ROOT, b"name", &node(Kind::Symlink)).unwrap();
    home.close().unwrap();
    let fake = fake.replug();
    fake.write_file("name", b"from outside");
    let (home, _) = Home::open(fake.clone(), options()).unwrap();
    assert_eq!(find(&home, b"name").kind, Kind::Symlink);
    assert_eq!(
        read_file(&home, find(&home, b"name (2)").ino),
        b"from outside"
    );
    home.settle().unwrap();
    assert_eq!(fake.read_file("name (2)").unwrap(), b"from outside");
}

#[test]
fn overlong_foreign_names_are_shortened_only_on_our_side() {
    let (fake, home) = new_home(BIG);
    home.close().unwrap();
    let fake = fake.replug();
    let long = "語".repeat(255);
    fake.write_file(&long, b"1");
    let (fake, home, found) = reopen(&fake, &Home::open(fake.clone(), options()).unwrap().0);
    assert_eq!(found, Reconciled::default());
    let name = &home.list(Ino::ROOT).unwrap()[0].name;
    assert!(names::is_valid(name) && std::str::from_utf8(name).is_ok());
    assert!(fake.read_file(&long).is_some());
}

#[test]
fn names_only_macos_confuses_are_both_kept() {
    let (fake, home) = new_home(BIG);
    home.close().unwrap();
    let fake = fake.replug();
    fake.write_file("\u{e9}", b"composed");
    fake.write_file("e\u{301}", b"decomposed");
    let (home, found) = Home::open(fake, options()).unwrap();
    assert_eq!(found.adopted, 2);
    let listed = home.list(Ino::ROOT).unwrap();
    let mut contents: Vec<_> = listed
        .iter()
        .map(|line| read_file(&home, line.ino))
        .collect();
    contents.sort();
    assert_eq!(contents, [b"composed".to_vec(), b"decomposed".to_vec()]);
}

#[test]
fn an_orderly_summer_time_is_no_edit() {
    let (fake, home) = new_home(BIG);
    write_file(&home, Ino::ROOT, b"file", b"1");
    home.close().unwrap();
    let fake = fake.replug();
    fake.shift_times(3600);
    let (_, found) = Home::open(fake, options()).unwrap();
    assert_eq!(found, Reconciled::default());
}

#[test]
fn without_metadata_all_names_and_contents_come_back() {
    let (fake, home) = new_home(1000);
    write_file(&home, Ino::ROOT, b"a:b", b"1");
    write_file(&home, Ino::ROOT, b"Makefile", b"2");
    write_file(&home, Ino::ROOT, b"makefile", b"3");
    write_file(&home, Ino::ROOT, b"film", &[5; 2300]);
    home.close().unwrap();
    let fake = fake.replug();
    fake.remove_tree(".wendy");
    create(&fake, [8; 16]).unwrap();
    let (home, found) = Home::open(fake, options()).unwrap();
    assert_eq!(found.adopted, 4);
    assert_eq!(read_file(&home, find(&home, b"a:b").ino), b"1");
    assert_eq!(read_file(&home, find(&home, b"makefile").ino), b"3");
    assert_eq!(read_file(&home, find(&home, b"film").ino), [5; 2300]);
}
