//! A disk that fails under a prepare.

use wendyd::engine::prepare::Mode;

use crate::{
    common::*,
    disk::{Disk, Fault, Plugged},
    spread,
};

const SIZE: usize = 96 << 20;

fn prepare(disk: &Plugged) -> wendyd::engine::Result<()> {
    prepare_as(&target(disk.node(), None), Mode::Device)
}

#[test]
fn a_disk_that_fails_under_a_prepare_holds_a_whole_store_or_none() {
    if !is_root() {
        return;
    }
    let sound = Disk::new(vec![0; SIZE]).plug();
    prepare(&sound).unwrap();
    let writes = sound.writes();
    let prepared = sound.mended();
    let old = store_on(prepared.node()).unwrap();
    let places = spread(writes.len()).step_by(3);
    for place in places {
        let fault = if place % 2 == 0 {
            Fault::NoWriteAfter(place)
        } else {
            Fault::Unwritable(writes[place])
        };
        let plugged = prepared.copy().with(fault).plug();
        let result = prepare(&plugged);
        let plugged = plugged.mended();
        let found = store_on(plugged.node());
        match result {
            Ok(()) => assert!(found.is_some_and(|id| id != old), "{fault:?}"),
            Err(error) => assert!(!error.to_string().is_empty(), "{fault:?}"),
        }
        prepare(&plugged).unwrap();
        let new = store_on(plugged.node());
        assert!(new.is_some_and(|id| id != old), "{fault:?}");
        check_filesystem(partition_of(plugged.node(), 1).node());
    }
}
