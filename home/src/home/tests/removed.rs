//! Files that were removed or replaced, and are still on the medium when somebody else comes.

use super::*;

/// A medium that was pulled out before anything was settled, with nothing lost.
fn pulled_out(fake: &Fake, home: &Home<Fake>) -> Fake {
    home.flush().unwrap();
    fake.crash(&mut || 0)
}

fn kept(fake: &Fake) -> Vec<String> {
    let there = fake.list(".wendy/lost").unwrap_or_default();
    there.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn what_a_stranger_wrote_to_a_removed_file_is_kept() {
    let (fake, home) = new_home(BIG);
    for name in [b"edited" as &[u8], b"removed"] {
        write_file(&home, Ino::ROOT, name, b"old");
        home.unlink(Ino::ROOT, name).unwrap();
    }
    let fake = pulled_out(&fake, &home);
    fake.write_file("edited", b"new");
    let (home, found) = Home::open(fake.clone(), options()).unwrap();
    assert_eq!((found.lost, found.adopted), (1, 0));
    let (fake, home, found) = reopen(&fake, &home);
    assert_eq!(found, Reconciled::default());
    assert!(home.list(Ino::ROOT).unwrap().is_empty());
    assert_eq!(fake.read_file(".wendy/lost/edited-0").unwrap(), b"new");
    assert_eq!(kept(&fake).len(), 1);
    assert_eq!(fake.read_file("removed"), None);
}

#[test]
fn what_a_stranger_wrote_to_a_replaced_file_is_kept() {
    let (fake, home) = new_home(1000);
    write_file(&home, Ino::ROOT, b"conf", &[1; 2500]);
    write_file(&home, Ino::ROOT, b"new", &[2; 2500]);
    let (from, to) = ((Ino::ROOT, b"new" as &[u8]), (Ino::ROOT, b"conf" as &[u8]));
    home.rename(from, to, RenameMode::Replace).unwrap();
    let fake = pulled_out(&fake, &home);
    fake.write_file("conf.~003", b"stranger");
    let home = open(&fake);
    let (fake, home, found) = reopen(&fake, &home);
    assert_eq!(found, Reconciled::default());
    let ino = home.lookup(Ino::ROOT, b"conf").unwrap().ino;
    assert_eq!(read_file(&home, ino), [2; 2500]);
    assert_eq!(kept(&fake), ["conf-0", "conf.~002-0", "conf.~003-0"]);
    let part = fake.read_file(".wendy/lost/conf.~003-0").unwrap();
    assert_eq!(part, b"stranger");
}

#[test]
fn a_file_in_the_place_of_a_removed_directory_is_kept() {
    let (fake, home) = new_home(BIG);
    let dir = node(Kind::Directory);
    home.make(Ino::ROOT, b"dir", &dir).unwrap();
    home.remove_dir(Ino::ROOT, b"dir").unwrap();
    let fake = pulled_out(&fake, &home);
    fake.remove_dir("dir").unwrap();
    fake.write_file("dir", b"new");
    open(&fake).settle().unwrap();
    assert_eq!(fake.read_file(".wendy/lost/dir-0").unwrap(), b"new");
}

#[test]
fn nothing_is_kept_of_what_was_written_last_to_a_removed_file_that_was_open() {
    let (fake, home) = new_home(BIG);
    let new = node(Kind::File);
    let ino = home.create(Ino::ROOT, b"open", &new).unwrap().0.ino;
    home.unlink(Ino::ROOT, b"open").unwrap();
    home.flush().unwrap();
    home.write(ino, 0, &[1; 3000]).unwrap();
    let fake = fake.crash(&mut || 0);
    assert_eq!(fake.read_file("open").unwrap(), [1; 3000]);
    let (home, found) = Home::open(fake.clone(), options()).unwrap();
    assert_eq!(found, Reconciled::default());
    home.settle().unwrap();
    assert_eq!((fake.read_file("open"), kept(&fake).len()), (None, 0));
}

#[test]
fn nothing_is_kept_of_a_removed_file_that_came_to_the_medium_in_part() {
    let (fake, home) = new_home(BIG);
    let ino = write_file(&home, Ino::ROOT, b"file", b"first");
    home.flush().unwrap();
    home.open_file(ino).unwrap();
    home.write(ino, 0, &[1; 3000]).unwrap();
    home.release(ino).unwrap();
    home.unlink(Ino::ROOT, b"file").unwrap();
    home.commit().unwrap();
    let fake = fake.crash(&mut || 1);
    assert_eq!(fake.read_file("file").unwrap(), b"first");
    open(&fake).settle().unwrap();
    assert_eq!((fake.read_file("file"), kept(&fake).len()), (None, 0));
}

/// Moved there in the last use, and on the medium still where they were.
#[test]
fn what_is_not_in_a_directory_that_a_stranger_removed_stays() {
    let (fake, home) = new_home(BIG);
    let make = |name| {
        let made = home.make(Ino::ROOT, name, &node(Kind::Directory));
        made.unwrap().ino
    };
    let (gone, moved) = (make(b"gone"), make(b"moved"));
    write_file(&home, moved, b"below", b"1");
    write_file(&home, Ino::ROOT, b"file", b"2");
    write_file(&home, moved, b"deep", b"3");
    let links = [(Ino::ROOT, b"link" as &[u8]), (gone, b"other")];
    let linked = write_file(&home, links[0].0, links[0].1, b"4");
    home.link(linked, links[1].0, links[1].1).unwrap();
    home.settle().unwrap();
    for (dir, name) in [
        (moved, b"deep" as &[u8]),
        (Ino::ROOT, b"file"),
        (Ino::ROOT, b"moved"),
    ] {
        let renamed = home.rename((dir, name), (gone, name), RenameMode::Replace);
        renamed.unwrap();
    }
    let fake = pulled_out(&fake, &home);
    fake.remove_tree("gone");
    let (home, found) = Home::open(fake.clone(), options()).unwrap();
    assert_eq!((found.missing, found.renamed), (1, 3));
    let (fake, home, found) = reopen(&fake, &home);
    assert_eq!(found, Reconciled::default());
    assert_eq!(home.lookup(Ino::ROOT, b"moved").unwrap().ino, moved);
    let lines = home.list(Ino::ROOT).unwrap();
    let names: Vec<&[u8]> = lines.iter().map(|line| &line.name[..]).collect();
    assert_eq!(names, [b"file" as &[u8], b"link", b"moved"]);
    assert_eq!(fake.read_file("moved/below").unwrap(), b"1");
    assert_eq!(fake.read_file("file").unwrap(), b"2");
    assert_eq!(fake.read_file("moved/deep").unwrap(), b"3");
}
