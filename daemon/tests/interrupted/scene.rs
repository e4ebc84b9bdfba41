//! A session that has to be there after every interruption.

use std::{
    fs::{self, File},
    os::{fd::AsFd, unix::fs::FileExt},
    path::Path,
};

use wendy_store::SessionId;
use wendy_sys::{
    block::PartitionExtent,
    loopdev::{Loop, LoopOptions},
};
use wendyd::{
    engine::{
        Unwatched,
        manage::{self, Verdict},
        save::SaveRequest,
    },
    stores::OpenStore,
};

use crate::common::*;

pub const SIZE: u64 = 128 * MIB;

/// A live system with one session saved, and a second state of it that is to be saved.
pub struct Scene {
    pub live: Live,
    pub session: SessionId,
    before: Tree,
    stick: Stick,
    place: PartitionExtent,
    pub partition: Partition,
}

impl Scene {
    pub fn new() -> Scene {
        let stick = Stick::prepared(SIZE);
        let partition = stick.partition(1);
        let live = Live::new();
        let session = live
            .save(&partition.store(), &named("One"))
            .unwrap()
            .session;
        let before = live.expected();
        let place = stick.table()[0];
        Scene {
            live,
            session,
            before,
            stick,
            place,
            partition,
        }
    }

    /// Another state of the live system.
    pub fn change(&mut self, round: usize) {
        self.before = self.live.expected();
        self.live.write(
            &format!("home/ann/note{}", round % 40),
            &format!("round {round}"),
        );
        self.live
            .write(&format!("srv/{round}"), &"x".repeat(round * 1000));
        let _ = fs::remove_file(
            self.live
                .upper()
                .join(format!("srv/{}", round.wrapping_sub(2))),
        );
    }

    pub fn update(&self) -> String {
        self.work(&self.session.to_string())
    }

    pub fn work(&self, session: &str) -> String {
        let live = self.live.directory.path().display();
        format!("save {} {live} {session}", self.partition.node().display())
    }

    /// The session is complete and is one of these states.
    pub fn check(&self, store: &OpenStore, states: &[Tree]) {
        let only = Some(self.session);
        let checked = manage::check(store, only, &Unwatched::default()).unwrap();
        assert_eq!(checked[0].verdict, Verdict::Complete);
        let upper =
            path_of(&store.root()).join(format!("casper/sessions/{}/current/upper", self.session));
        let found = look(&upper);
        assert!(
            states.contains(&found),
            "the session is neither what it was nor what it became"
        );
        assert_eq!(
            look(&stock_upper(store).unwrap()),
            found,
            "a stock image finds another session"
        );
    }

    /// After an interruption: the medium is sound, nothing holds it, the session is there, and the
    /// next save works.
    pub fn check_after(&mut self, round: usize) {
        check_filesystem(self.partition.node());
        check_unused(self.partition.node());
        let states = [self.before.clone(), self.live.expected()];
        self.check(&self.partition.store(), &states);
        self.change(round + 1);
        self.live
            .save(
                &self.partition.store(),
                &SaveRequest {
                    session: Some(self.session),
                    ..named("")
                },
            )
            .unwrap();
        let store = self.partition.store();
        self.check(&store, &[self.live.expected()]);
        let left =
            path_of(&store.root()).join(format!("casper/sessions/{}/generations", self.session));
        assert_eq!(
            fs::read_dir(left).unwrap().count(),
            1,
            "something was left over"
        );
    }

    /// The medium as a power cut at this instant would leave it: what a copy of the partition holds.
    pub fn check_power_cut(&self) {
        let copy = copy_of(self.stick.image(), self.place);
        let attached = Loop::attach(copy.as_fd(), LoopOptions::default()).unwrap();
        check_filesystem(attached.node());
        let store = OpenStore::open(location(attached.node(), "ext4")).unwrap();
        self.check(&store, &[self.before.clone(), self.live.expected()]);
        self.live.save(&store, &named("After the cut")).unwrap();
    }
}

/// A copy of what has reached the medium, taken again until two are the same. What a program reads
/// from the device itself would include what the kernel has not written yet.
fn copy_of(image: &Path, place: PartitionExtent) -> File {
    let read = || {
        let mut bytes = vec![0; usize::try_from(place.size).unwrap()];
        File::open(image)
            .unwrap()
            .read_exact_at(&mut bytes, place.start)
            .unwrap();
        bytes
    };
    let mut last = read();
    loop {
        let again = read();
        if again == last {
            break;
        }
        last = again;
    }
    let file = tempfile::tempfile().unwrap();
    file.set_len(place.size).unwrap();
    for (chunk, number) in last.chunks(1 << 20).zip(0..) {
        if chunk.iter().any(|byte| *byte != 0) {
            file.write_all_at(chunk, number * MIB).unwrap();
        }
    }
    file
}
