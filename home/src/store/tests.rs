use super::*;
use crate::home::new_root;
use crate::ids::{Ino, Owner};
use crate::medium::fake::Fake;
use crate::record::{Inode, Kind};
use crate::table::Table;
use proptest::prelude::*;
use superblock::{Parsed, Superblock};

const FILES: [&str; 6] = ["super.0", "super.1", "ckpt.0", "ckpt.1", "log.0", "log.1"];

fn new_store() -> (Fake, Store<Fake>, Table) {
    let fake = Fake::new(1 << 40);
    create(&fake, [1; 16], new_root()).unwrap();
    let opened = Store::open(&fake, &new_root()).unwrap();
    let mut store = opened.store;
    store.begin_use([2; 16]).unwrap();
    (fake, store, opened.table)
}

fn inode() -> Inode {
    Inode {
        kind: Kind::Fifo,
        owner: Owner::Id(5),
        ..new_root()
    }
}

/// Adds the fifo `number` in a frame of its own.
fn add(store: &mut Store<Fake>, table: &mut Table, number: u64) {
    let ino = Ino(Ino::FIRST.0 + number);
    let name = number.to_string().into_bytes();
    let entry = Record::Entry {
        dir: Ino::ROOT,
        name,
        ino,
        alias: None,
    };
    let records = [Record::Inode(ino, inode()), entry];
    records
        .iter()
        .for_each(|record| table.apply(record).unwrap());
    store.append(&records).unwrap();
}

fn commit(store: &mut Store<Fake>) {
    let ticket = store.commit().unwrap();
    ticket.sync().unwrap();
    store.committed(&ticket);
}

fn reopen(fake: &Fake) -> Opened<Fake> {
    Store::open(fake, &new_root()).unwrap()
}

#[test]
fn changes_come_back_from_log_and_checkpoint() {
    let (fake, mut store, mut table) = new_store();
    for number in 0..5 {
        add(&mut store, &mut table, number);
    }
    commit(&mut store);
    assert_eq!(reopen(&fake).replayed, 5);
    store.checkpoint(&table, false).unwrap();
    add(&mut store, &mut table, 5);
    commit(&mut store);
    let opened = reopen(&fake);
    assert_eq!((opened.replayed, opened.fell_back), (1, false));
    assert_eq!(opened.table.snapshot(), table.snapshot());
}

#[test]
fn a_damaged_checkpoint_falls_back_to_the_one_before() {
    let (fake, mut store, mut table) = new_store();
    add(&mut store, &mut table, 0);
    store.checkpoint(&table, false).unwrap();
    let slot = store.superblock().slot;
    let path = format!(".wendy/ckpt.{slot}");
    fake.write_file(&path, b"rubbish");
    let mut opened = reopen(&fake);
    assert!(opened.fell_back);
    assert_eq!(opened.table.snapshot(), table.snapshot());
    opened.store.begin_use([2; 16]).unwrap();
    assert!(!reopen(&fake).fell_back);
}

#[test]
fn torn_frames_of_an_earlier_use_never_come_back() {
    let (fake, mut store, mut table) = new_store();
    add(&mut store, &mut table, 0);
    commit(&mut store);
    let torn = store.log.position();
    add(&mut store, &mut table, 1);
    add(&mut store, &mut table, 2);
    let log = fake.open(&format!(".wendy/log.{}", store.active)).unwrap();
    log.write_at(b"torn", torn).unwrap();
    let opened = reopen(&fake);
    assert_eq!(opened.replayed, 1);
    // The next use writes a frame of the same size in the torn one's place.
    let (mut store, mut table) = (opened.store, opened.table);
    store.begin_use([2; 16]).unwrap();
    add(&mut store, &mut table, 1);
    commit(&mut store);
    let opened = reopen(&fake);
    assert_eq!(opened.table.snapshot(), table.snapshot());
}

#[test]
fn changes_go_on_while_a_checkpoint_is_written() {
    for (written, concluded) in [(false, false), (true, false), (true, true)] {
        let (fake, mut store, mut table) = new_store();
        (0..5).for_each(|number| add(&mut store, &mut table, number));
        let checkpoint = store.begin_checkpoint(&table).unwrap();
        assert!(store.begin_checkpoint(&table).is_none());
        add(&mut store, &mut table, 5);
        commit(&mut store);
        if written {
            checkpoint.write();
        }
        add(&mut store, &mut table, 6);
        if concluded {
            store.conclude().unwrap();
        }
        assert_eq!(reopen(&fake).table.snapshot(), table.snapshot());
    }
}

#[test]
fn a_checkpoint_that_fails_takes_nothing_along() {
    let (fake, mut store, mut table) = new_store();
    add(&mut store, &mut table, 0);
    drop(store.begin_checkpoint(&table));
    add(&mut store, &mut table, 1);
    assert!(store.conclude().is_err());
    // The second one finds both logs in use.
    let again = store.begin_checkpoint(&table).unwrap();
    add(&mut store, &mut table, 2);
    assert_eq!(reopen(&fake).table.snapshot(), table.snapshot());
    again.write();
    store.conclude().unwrap();
    add(&mut store, &mut table, 3);
    assert_eq!(reopen(&fake).table.snapshot(), table.snapshot());
    store.checkpoint(&table, true).unwrap();
    assert_eq!(reopen(&fake).table.snapshot(), table.snapshot());
}

#[test]
fn a_log_that_could_not_be_written_is_needed_no_more_after_a_checkpoint() {
    let (fake, mut store, mut table) = new_store();
    add(&mut store, &mut table, 0);
    let checkpoint = store.begin_checkpoint(&table).unwrap();
    add(&mut store, &mut table, 1);
    fake.fail_next_sync(".wendy/log.0");
    assert!(store.commit().unwrap().sync().is_err());
    assert!(store.needs_checkpoint());
    checkpoint.write();
    store.conclude().unwrap();
    // What came after it stands in the other log.
    assert!(!store.needs_checkpoint());
    commit(&mut store);
    let fake = fake.crash(&mut || 1);
    assert_eq!(reopen(&fake).table.snapshot(), table.snapshot());
}

#[test]
fn a_log_that_could_not_be_written_holds_nothing_until_it_begins_anew() {
    let (fake, mut store, mut table) = new_store();
    add(&mut store, &mut table, 0);
    fake.fail_next_sync(".wendy/log.0");
    for number in 1..3 {
        assert!(store.commit().unwrap().sync().is_err());
        add(&mut store, &mut table, number);
    }
    // Twice, so that it is the same one again.
    for number in 3..5 {
        store.checkpoint(&table, false).unwrap();
        add(&mut store, &mut table, number);
        commit(&mut store);
    }
    let fake = fake.crash(&mut || 1);
    assert_eq!(reopen(&fake).table.snapshot(), table.snapshot());
}

#[test]
fn frames_behind_a_gap_never_come_back() {
    for turns in [0, 1] {
        let (fake, mut store, mut table) = new_store();
        (0..turns).for_each(|_| store.checkpoint(&table, false).unwrap());
        add(&mut store, &mut table, 0);
        let (torn, at) = (store.active, store.log.position());
        add(&mut store, &mut table, 1);
        drop(store.begin_checkpoint(&table));
        (2..5).for_each(|number| add(&mut store, &mut table, number));
        let log = fake.open(&format!(".wendy/log.{torn}")).unwrap();
        log.write_at(&[0; 64], at).unwrap();
        let opened = reopen(&fake);
        assert_eq!(opened.replayed, 1);
        // The next use writes the same numbers again, in front of what lies behind the gap.
        let (mut store, mut table) = (opened.store, opened.table);
        store.begin_use([2; 16]).unwrap();
        (1..9).for_each(|number| add(&mut store, &mut table, number));
        assert_eq!(reopen(&fake).table.snapshot(), table.snapshot());
    }
}

#[test]
fn newer_formats_are_left_alone() {
    let (fake, store, _) = new_store();
    let mut bytes = store.superblock().encode();
    bytes[8..12].copy_from_slice(&7u32.to_le_bytes());
    assert_eq!(Superblock::parse(&bytes), Parsed::Newer(7));
    fake.write_file(".wendy/super.0", &bytes);
    assert!(matches!(
        Store::open(&fake, &new_root()),
        Err(OpenError::Newer(7))
    ));
}

/// Each name costs a question to the groups of the machine, which may be a network away.
#[test]
fn a_checkpoint_with_more_groups_than_anybody_has_is_damaged() {
    let (fake, _, _) = new_store();
    let groups: Vec<_> = (0..100_000)
        .map(|number| Record::Group(number, format!("g{number}")))
        .collect();
    fake.write_file(".wendy/ckpt.0", &log::payload(&groups));
    forge_crcs(&fake);
    let refused = Store::open(&fake, &new_root()).map(drop);
    assert!(
        matches!(&refused, Err(OpenError::Damaged(why)) if why.contains("more than 4096 groups")),
        "{refused:?}"
    );
}

#[test]
fn a_full_log_says_so() {
    let (_, mut store, _) = new_store();
    let large = [Record::Xattr(
        Ino::ROOT,
        b"user.x".to_vec(),
        vec![0; 60_000],
    )];
    let mut count = 0;
    while store.has_room(60_100) {
        store.append(&large).unwrap();
        count += 1;
    }
    assert!(count >= 2);
    let error = store
        .append(&[large[0].clone(), large[0].clone()])
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

proptest! {
    /// A store with any bytes changed opens to some state or is refused by name; it never panics.
    #[test]
    fn hostile_bytes_never_panic(
        spots in prop::collection::vec((0usize..6, 0u64..9000, any::<[u8; 4]>()), 1..20),
        valid_crc in any::<bool>(),
    ) {
        let (fake, mut store, mut table) = new_store();
        (0..20).for_each(|number| add(&mut store, &mut table, number));
        store.checkpoint(&table, false).unwrap();
        (20..40).for_each(|number| add(&mut store, &mut table, number));
        for (file, offset, bytes) in spots {
            let file = fake.open(&format!(".wendy/{}", FILES[file])).unwrap();
            file.write_at(&bytes, offset).unwrap();
        }
        if valid_crc {
            forge_crcs(&fake);
        }
        if let Ok(opened) = Store::open(&fake, &new_root()) {
            prop_assert!(opened.table.is_whole());
        }
    }

    #[test]
    fn superblocks_take_anything(bytes in prop::collection::vec(any::<u8>(), 0..5000)) {
        prop_assert_eq!(Superblock::parse(&bytes), Parsed::Invalid);
    }

    #[test]
    fn logs_take_anything(bytes in prop::collection::vec(any::<u8>(), 0..20_000)) {
        prop_assert!(log::frames(&bytes).is_empty());
    }
}

/// What someone with a hex editor and patience would do.
fn forge_crcs(fake: &Fake) {
    for slot in ["0", "1"] {
        let path = format!(".wendy/super.{slot}");
        let mut bytes = fake.read_file(&path).unwrap();
        bytes.resize(superblock::SIZE.max(bytes.len()), 0);
        let index = usize::from(bytes[84] & 1);
        let checkpoint = fake.read_file(&format!(".wendy/ckpt.{index}")).unwrap();
        bytes[72..80].copy_from_slice(&(checkpoint.len() as u64).to_le_bytes());
        bytes[80..84].copy_from_slice(&crc32c::crc32c(&checkpoint).to_le_bytes());
        let crc = crc32c::crc32c(&bytes[16..superblock::SIZE]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        fake.write_file(&path, &bytes);
    }
}
