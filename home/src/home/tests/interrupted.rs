//! What an interrupted use leaves, with what strangers did to it before the next one.

use super::*;

/// A home with `elsewhere` in it, and on the medium with `dir`, which has been removed.
fn home_with_removed_directory() -> Fake {
    let (fake, home) = new_home(BIG);
    let dir = home
        .make(Ino::ROOT, b"dir", &node(Kind::Directory))
        .unwrap()
        .ino;
    write_file(&home, dir, b"file", b"old");
    write_file(&home, Ino::ROOT, b"elsewhere", b"moved");
    home.flush().unwrap();
    home.unlink(dir, b"file").unwrap();
    home.remove_dir(Ino::ROOT, b"dir").unwrap();
    home.commit().unwrap();
    fake.crash(&mut || 1)
}

#[test]
fn what_is_moved_into_a_removed_directory_is_kept_and_keeps_nobody_out() {
    let fake = home_with_removed_directory();
    fake.rename("elsewhere", "dir/elsewhere").unwrap();
    let home = open(&fake);
    assert!(home.list(Ino::ROOT).unwrap().is_empty());
    let (fake, _, found) = reopen(&fake, &home);
    assert_eq!(found, Reconciled::default());
    assert_eq!(fake.read_file(".wendy/lost/elsewhere-0").unwrap(), b"moved");
}

#[test]
fn what_is_put_into_a_removed_directory_is_kept_and_keeps_nobody_out() {
    let fake = home_with_removed_directory();
    fake.unlink("elsewhere").unwrap();
    fake.write_file("dir/stray", b"new");
    let home = open(&fake);
    assert!(home.list(Ino::ROOT).unwrap().is_empty());
    assert_eq!(fake.read_file(".wendy/lost/stray-0").unwrap(), b"new");
    let (_, home, found) = reopen(&fake, &home);
    assert_eq!(found, Reconciled::default());
    assert!(home.list(Ino::ROOT).unwrap().is_empty());
}

#[test]
fn what_cannot_be_kept_for_lack_of_room_keeps_nobody_out() {
    let (fake, home) = new_home(BIG);
    home.close().unwrap();
    let fake = fake.replug();
    let _ = fake.make_dir(".wendy/tmp");
    fake.write_file(".wendy/tmp/77", b"left over");
    fake.refuse_new_names(true);
    drop(open(&fake));
    fake.refuse_new_names(false);
    drop(open(&fake));
    assert_eq!(fake.read_file(".wendy/lost/77-0").unwrap(), b"left over");
}

#[test]
fn a_name_too_long_to_be_kept_keeps_nobody_out() {
    let fake = home_with_removed_directory();
    let long = "語".repeat(255);
    fake.write_file(&format!("dir/{long}"), b"new");
    drop(open(&fake));
    let kept = fake.list(".wendy/lost").unwrap();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].0.starts_with("語"));
}

#[test]
fn a_hole_at_the_end_of_a_file_survives() {
    let (fake, home) = new_home(BIG);
    let ino = write_file(&home, Ino::ROOT, b"file", b"x");
    home.open_file(ino).unwrap();
    home.resize(ino, 1 << 30).unwrap();
    home.sync_file(ino).unwrap();
    home.write(ino, 0, &[1; 5000]).unwrap();
    let fake = fake.crash(&mut || 0);
    let home = open(&fake);
    assert_eq!(home.attributes(ino).unwrap().size, 1 << 30);
    home.close().unwrap();
    // A stranger's file is as long as the stranger made it.
    let fake = fake.replug();
    fake.unlink("file").unwrap();
    fake.write_file("file", &[2; 9000]);
    let home = open(&fake);
    let ino = home.lookup(Ino::ROOT, b"file").unwrap().ino;
    assert_eq!(home.attributes(ino).unwrap().size, 9000);
}

#[test]
fn names_of_the_same_hangul_live_side_by_side() {
    let (fake, home) = new_home(BIG);
    let (composed, letters) = (
        "\u{c0ac}\u{c9c4}",
        "\u{1109}\u{1161}\u{110c}\u{1175}\u{11ab}",
    );
    for (one, other) in [(composed, letters), (letters, composed)] {
        for name in [one, other] {
            write_file(&home, Ino::ROOT, name.as_bytes(), name.as_bytes());
        }
        home.sync_names().unwrap();
        for name in [one, other] {
            let ino = home.lookup(Ino::ROOT, name.as_bytes()).unwrap().ino;
            assert_eq!(read_file(&home, ino), name.as_bytes());
            home.unlink(Ino::ROOT, name.as_bytes()).unwrap();
        }
    }
    let (_, _, found) = reopen(&fake, &home);
    assert_eq!(found, Reconciled::default());
}

#[test]
fn an_ascii_mark_lives_beside_the_greek_one_that_is_the_same() {
    let (fake, home) = new_home(BIG);
    for (greek, ascii) in [("\u{37e}", ";"), ("\u{1fef}", "`")] {
        for name in [greek, ascii] {
            write_file(&home, Ino::ROOT, name.as_bytes(), name.as_bytes());
        }
    }
    let (_, home, found) = reopen(&fake, &home);
    assert_eq!(found, Reconciled::default());
    assert_eq!(home.list(Ino::ROOT).unwrap().len(), 4);
}

#[test]
fn a_name_whose_lower_names_are_all_forged_breaks_nothing() {
    let (_, home) = new_home(BIG);
    write_file(&home, Ino::ROOT, b"A", b"1");
    let ino = write_file(&home, Ino::ROOT, b"b", b"2");
    let forged = Record::Entry {
        dir: Ino::ROOT,
        name: b"x".to_vec(),
        ino,
        alias: Some(names::variant(b"a", names::FULL_VARIANT)),
    };
    home.state().record_one(forged).unwrap();
    let (from, to) = ((Ino::ROOT, b"b" as &[u8]), (Ino::ROOT, b"a" as &[u8]));
    assert_eq!(home.make(to.0, to.1, &node(Kind::File)), Err(Errno::EXIST));
    assert_eq!(home.link(ino, to.0, to.1), Err(Errno::EXIST));
    assert_eq!(
        home.rename(from, to, RenameMode::Replace),
        Err(Errno::EXIST)
    );
    home.unlink(Ino::ROOT, b"x").unwrap();
    home.rename(from, to, RenameMode::Replace).unwrap();
}
