//! Groups on a medium that takes only so many names.

use super::*;
use crate::table::GROUPS_MAX;

#[test]
fn more_groups_than_the_metadata_takes_keep_their_numbers() {
    let fake = Fake::new(BIG);
    create(&fake, [7; 16]).unwrap();
    let mut here = options();
    here.groups.name_of = |gid| Some(format!("g{gid}"));
    let (home, _) = Home::open(fake.clone(), here).unwrap();
    let ino = write_file(&home, Ino::ROOT, b"file", b"1");
    for gid in 2000..2000 + u32::try_from(GROUPS_MAX).unwrap() + 2 {
        let change = Change {
            gid: Some(gid),
            ..Change::default()
        };
        assert_eq!(home.change(ino, &change).unwrap().gid, gid);
    }
    home.close().unwrap();
    let (home, _) = Home::open(fake.replug(), here).unwrap();
    assert_eq!(home.with_table(|table| table.groups().len()), GROUPS_MAX);
}
