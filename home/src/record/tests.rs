use super::wire::KINDS;
use super::*;
use crate::codec::Writer;
use proptest::prelude::*;

pub(crate) fn any_record() -> impl Strategy<Value = Record> {
    let ino = || (0u64..40).prop_map(Ino);
    let name = || prop::collection::vec(any::<u8>(), 0..20);
    let text = || "[a-c/.]{0,6}";
    prop_oneof![
        (ino(), any_inode()).prop_map(|(ino, inode)| Record::Inode(ino, inode)),
        ino().prop_map(Record::InodeGone),
        (ino(), name(), ino(), prop::option::of("[a-c/.]{1,6}")).prop_map(
            |(dir, name, ino, alias)| Record::Entry {
                dir,
                name,
                ino,
                alias
            }
        ),
        (ino(), name()).prop_map(|(dir, name)| Record::EntryGone { dir, name }),
        (ino(), name(), name()).prop_map(|(ino, name, value)| Record::Xattr(ino, name, value)),
        (ino(), name()).prop_map(|(ino, name)| Record::XattrGone(ino, name)),
        (ino(), ino(), text(), 1u16..4).prop_map(|(ino, dir, name, parts)| {
            let place = Place { dir, name };
            Record::Lower(
                ino,
                Lower {
                    place,
                    parts,
                    print: Print::default(),
                },
            )
        }),
        ino().prop_map(Record::LowerGone),
        ino().prop_map(Record::NextIno),
        (0u32..9, "[a-z]{1,3}").prop_map(|(number, name)| Record::Group(number, name)),
        (ino(), any::<i64>(), name()).prop_map(|(ino, since, path)| Record::Lost {
            ino,
            since,
            path
        }),
        ino().prop_map(Record::Found),
    ]
}

fn any_inode() -> impl Strategy<Value = Inode> {
    let owner = prop_oneof![Just(Owner::Me), any::<u32>().prop_map(Owner::Id)];
    let kind = prop::sample::select(KINDS.to_vec());
    (
        kind,
        0u16..0o10000,
        owner,
        any::<i64>(),
        0u32..1_000_000_000,
    )
        .prop_map(|(kind, mode, owner, seconds, nanos)| {
            let time = Time { seconds, nanos };
            let times = Times {
                accessed: time,
                modified: time,
                changed: time,
                born: time,
            };
            let target = b"there".to_vec();
            Inode {
                kind,
                mode,
                owner,
                group: owner,
                device: 7,
                size: 9,
                times,
                target,
            }
        })
}

proptest! {
    #[test]
    fn records_survive_the_medium(records in prop::collection::vec(any_record(), 0..20)) {
        let mut out = Writer::default();
        records.iter().for_each(|record| record.write(&mut out));
        prop_assert_eq!(Record::read_all(&out.into_bytes()), Some(records));
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(records) = Record::read_all(&bytes) {
            let mut out = Writer::default();
            records.iter().for_each(|record| record.write(&mut out));
            prop_assert!(out.into_bytes().len() == bytes.len());
        }
    }
}
