use super::*;
use crate::ids::{Owner, Time};
use crate::record::tests::any_record;
use crate::record::{Print, Times};
use proptest::prelude::*;

fn inode(kind: Kind) -> Inode {
    let times = Times {
        accessed: Time::default(),
        ..Times::default()
    };
    let (owner, group) = (Owner::Me, Owner::Me);
    Inode {
        kind,
        mode: 0o700,
        owner,
        group,
        device: 0,
        size: 0,
        times,
        target: Vec::new(),
    }
}

fn table() -> Table {
    Table::new(inode(Kind::Directory))
}

fn entry(dir: Ino, name: &[u8], ino: Ino) -> Record {
    Record::Entry {
        dir,
        name: name.to_vec(),
        ino,
        alias: None,
    }
}

fn lower(dir: Ino, name: &str) -> Lower {
    let place = Place {
        dir,
        name: name.to_owned(),
    };
    Lower {
        place,
        parts: 1,
        print: Print::default(),
    }
}

/// A table with the directory 16 called `dir` and the file 17 called `file` in it.
fn small() -> Table {
    let mut table = table();
    let (dir, file) = (Ino(16), Ino(17));
    for record in [
        Record::Inode(dir, inode(Kind::Directory)),
        Record::Inode(file, inode(Kind::File)),
        entry(Ino::ROOT, b"dir", dir),
        entry(dir, b"file", file),
        Record::Lower(dir, lower(Ino::ROOT, "dir")),
        Record::Lower(file, lower(dir, "file")),
    ] {
        table.apply(&record).unwrap();
    }
    table
}

#[test]
fn places_follow_the_directories() {
    let mut table = small();
    assert_eq!(table.part_path(Ino(17), 1).unwrap(), "dir/file");
    table
        .apply(&Record::Lower(Ino(16), lower(Ino::TMP, "10")))
        .unwrap();
    assert_eq!(table.part_path(Ino(17), 1).unwrap(), ".wendy/tmp/10/file");
    assert!(table.unsettled().eq([Ino(16)]));
}

#[test]
fn forged_records_are_refused() {
    let dir = Ino(16);
    let cases = [
        (entry(dir, b"..", Ino(17)), Broken::Name(dir)),
        (entry(dir, b"a/b", Ino(17)), Broken::Name(dir)),
        (entry(dir, b"FILE", Ino(17)), Broken::Name(dir)),
        (entry(Ino(17), b"x", Ino(17)), Broken::NoInode(Ino(17))),
        (entry(dir, b"again", dir), Broken::Tree(dir)),
        (entry(dir, b"root", Ino::ROOT), Broken::Tree(Ino::ROOT)),
        (
            Record::Lower(Ino(17), lower(dir, "..")),
            Broken::Place(Ino(17)),
        ),
        (
            Record::Lower(Ino(17), lower(dir, "a/b")),
            Broken::Place(Ino(17)),
        ),
        (
            Record::Lower(Ino(17), lower(Ino::ROOT, ".Wendy")),
            Broken::Place(Ino(17)),
        ),
        (
            Record::Lower(Ino(17), lower(Ino::ROOT, "DIR")),
            Broken::Place(Ino(17)),
        ),
        (
            Record::Lower(dir, lower(dir, "inside itself")),
            Broken::Place(dir),
        ),
        (
            Record::Lower(Ino(99), lower(dir, "of nobody")),
            Broken::Place(Ino(99)),
        ),
        (
            Record::Inode(dir, inode(Kind::File)),
            Broken::WrongKind(dir),
        ),
        (
            Record::Inode(Ino(2), inode(Kind::File)),
            Broken::NoInode(Ino(2)),
        ),
        (Record::InodeGone(Ino::ROOT), Broken::InUse(Ino::ROOT)),
        (Record::InodeGone(dir), Broken::InUse(dir)),
    ];
    for (record, broken) in cases {
        let mut table = small();
        let before = table.snapshot();
        assert_eq!(table.apply(&record), Err(broken), "{record:?}");
        assert_eq!(table.snapshot(), before, "{record:?}");
    }
}

#[test]
fn loops_of_directories_are_refused() {
    let mut table = table();
    for ino in [Ino(16), Ino(17)] {
        table
            .apply(&Record::Inode(ino, inode(Kind::Directory)))
            .unwrap();
    }
    table.apply(&entry(Ino(16), b"b", Ino(17))).unwrap();
    assert_eq!(
        table.apply(&entry(Ino(17), b"a", Ino(16))),
        Err(Broken::Tree(Ino(16)))
    );
    assert!(!table.is_whole());
}

proptest! {
    /// Whatever a hostile medium says, the table stays a tree that can be written and read again.
    #[test]
    fn any_records_leave_a_sound_table(records in prop::collection::vec(any_record(), 0..200)) {
        let mut table = table();
        for record in &records {
            let before = table.snapshot();
            if table.apply(record).is_err() {
                prop_assert_eq!(table.snapshot(), before);
            }
        }
        let mut again = Table::new(inode(Kind::Directory));
        for record in table.snapshot() {
            again.apply(&record).unwrap();
        }
        prop_assert_eq!(again.snapshot(), table.snapshot());
        prop_assert!(again.unsettled().eq(table.unsettled()));
        for ino in table.inodes() {
            prop_assert!(table.path(&Table::waiting_place(ino)).is_some());
            let links = table.links(ino);
            prop_assert!(links >= u32::from(!table.names(ino).is_empty()));
        }
    }
}
