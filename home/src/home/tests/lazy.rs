//! Looking at directories when they are first used finds the same as looking at all of them.

use super::model::dump;
use super::*;
use proptest::prelude::*;

const PLACES: [&str; 8] = [
    "a",
    "b",
    "dir/a",
    "dir/b",
    "dir/sub/a",
    "dir/sub",
    "other/a",
    "other",
];

/// What a stranger does; impossible things do not happen.
#[derive(Clone, Debug)]
enum Deed {
    Write(&'static str, Vec<u8>),
    Rename(&'static str, &'static str),
    Remove(&'static str),
}

impl Deed {
    fn happen(&self, fake: &Fake) {
        let happened = match self {
            Self::Write(path, bytes) if fake.open(path).is_ok() => {
                fake.write_file(path, bytes);
                Ok(())
            }
            Self::Write(path, _) => fake.create(path).map(drop),
            Self::Rename(from, to) => fake.rename(from, to),
            Self::Remove(path) => fake.unlink(path).or_else(|_| fake.remove_dir(path)),
        };
        drop(happened);
    }
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let place = || prop::sample::select(&PLACES[..]);
    let bytes = prop::collection::vec(any::<u8>(), 0..9);
    prop_oneof![
        (place(), bytes).prop_map(|(path, bytes)| Deed::Write(path, bytes)),
        (place(), place()).prop_map(|(from, to)| Deed::Rename(from, to)),
        place().prop_map(Deed::Remove),
    ]
}

/// A home with files, directories and hard links across them, and one file that waits for its place,
/// closed in order.
fn furnished() -> Fake {
    let (fake, home) = new_home(BIG);
    let make = |dir, name: &[u8]| home.make(dir, name, &node(Kind::Directory)).unwrap().ino;
    let (dir, other) = (make(Ino::ROOT, b"dir"), make(Ino::ROOT, b"other"));
    let sub = make(dir, b"sub");
    for (number, dir) in (1..).zip([Ino::ROOT, dir, sub, other]) {
        write_file(&home, dir, b"a", &vec![1; number]);
    }
    let deep = home.lookup(sub, b"a").unwrap().ino;
    home.link(deep, Ino::ROOT, b"hard").unwrap();
    home.make(dir, b"soft", &node(Kind::Symlink)).unwrap();
    fake.limit_names(4);
    let waits = write_file(&home, Ino::ROOT, b"b", b"waits");
    home.link(waits, other, b"hard").unwrap();
    home.close().unwrap();
    assert_eq!(home.with_table(Table::unsettled_count), 1);
    fake.limit_names(usize::MAX);
    fake.replug()
}

proptest! {
    #[test]
    fn finds_the_same_as_looking_at_everything(
        deeds in prop::collection::vec(any_deed(), 0..4),
        first_use in prop::sample::select(&PLACES[..]),
    ) {
        let fake = furnished();
        deeds.iter().for_each(|deed| deed.happen(&fake));
        let (at_once, _) = Home::open(fake.copy(), options()).unwrap();
        let lazily = Home::open_lazily(fake.copy(), options()).unwrap();
        let path: Vec<&[u8]> = first_use.split('/').map(str::as_bytes).collect();
        let walk = |home: &Home<Fake>| path.iter().try_fold(Ino::ROOT, |dir, name| {
            home.lookup(dir, name).map(|found| found.ino)
        });
        prop_assert_eq!(walk(&lazily), walk(&at_once));
        prop_assert_eq!(dump(&lazily).unwrap(), dump(&at_once).unwrap());
    }
}

/// A directory of FAT32 takes 65,536 entries, and a long name some of them.
#[test]
fn a_directory_that_takes_no_more_names_costs_no_look_at_everything() {
    let (fake, home) = new_home(BIG);
    fake.limit_names(9);
    let other = home.make(Ino::ROOT, b"other", &node(Kind::Directory));
    write_file(&home, other.unwrap().ino, b"file", b"1");
    let names: Vec<Vec<u8>> = (0..12u8).map(|number| vec![b'a' + number]).collect();
    for name in &names {
        write_file(&home, Ino::ROOT, name, name);
    }
    home.close().unwrap();
    let fake = fake.replug();
    assert_eq!(fake.list(".wendy/tmp").unwrap().len(), 5);
    let before = fake.listings();
    let home = Home::open_lazily(fake.clone(), options()).unwrap();
    assert_eq!(fake.listings(), before);
    for name in &names {
        let ino = home.lookup(Ino::ROOT, name).unwrap().ino;
        assert_eq!(&read_file(&home, ino), name);
    }
    // The root and `.wendy/tmp`.
    assert_eq!(fake.listings() - before, 2);
    for name in &names[..5] {
        home.unlink(Ino::ROOT, name).unwrap();
    }
    // Places come before removals, so the ones that wait get theirs with the next use.
    let (fake, home, _) = reopen(&fake, &home);
    let (fake, home, found) = reopen(&fake, &home);
    assert_eq!(found, Reconciled::default());
    assert!(home.is_settled() && fake.read_file("l").is_some());
}

#[test]
fn nothing_but_what_is_used_is_read() {
    let fake = furnished();
    let home = Home::open_lazily(fake.clone(), options()).unwrap();
    let before = fake.listings();
    home.lookup(Ino::ROOT, b"other").unwrap();
    home.lookup(Ino::ROOT, b"a").unwrap();
    // A hard link in the root stands for a file two directories below, one file waits in `.wendy/tmp`.
    assert_eq!(fake.listings() - before, 4);
}

#[test]
fn a_file_in_the_place_of_a_directory_is_a_difference() {
    let fake = furnished();
    fake.rename("dir/sub", "dir/b").unwrap();
    fake.create("dir/sub").unwrap();
    let home = Home::open_lazily(fake, options()).unwrap();
    // Looks for the object of the hard link, which stood in `dir/sub`.
    home.lookup(Ino::ROOT, b"a").unwrap();
    let dir = home.lookup(Ino::ROOT, b"dir").unwrap().ino;
    assert_eq!(home.lookup(dir, b"sub").unwrap().kind, Kind::File);
    assert_eq!(home.lookup(dir, b"b").unwrap().kind, Kind::Directory);
}

#[test]
fn what_is_written_before_a_difference_is_found_stays() {
    let fake = furnished();
    fake.write_file("other/new", b"from outside");
    let home = Home::open_lazily(fake, options()).unwrap();
    let ino = home.lookup(Ino::ROOT, b"a").unwrap().ino;
    home.open_file(ino).unwrap();
    home.write(ino, 0, b"longer than before").unwrap();
    let other = home.lookup(Ino::ROOT, b"other").unwrap().ino;
    assert_eq!(home.list(other).unwrap().len(), 3);
    assert_eq!(home.attributes(ino).unwrap().size, 18);
    home.release(ino).unwrap();
    assert_eq!(read_file(&home, ino), b"longer than before");
}
