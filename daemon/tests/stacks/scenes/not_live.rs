//! Systems that are not live ones.

use std::path::Path;

use wendyd::{
    model::State,
    stacks::{self, NotLive},
};

use crate::world::{Initramfs, set_command_line};

pub fn installed(medium: &Path) {
    let _initramfs = Initramfs::enter(medium);
    set_command_line("root=/dev/sda2 ro quiet");
    let NotLive { reason } = stacks::detect().unwrap_err();
    assert!(
        reason.contains("an ordinary tmpfs root filesystem"),
        "{reason}"
    );
    let state = stacks::live_state(Err(&NotLive {
        reason: reason.clone(),
    }));
    assert_eq!(
        (state.condition.state, state.condition.message, state.stack),
        (State::NotLive, reason, None)
    );
}

pub fn pretending(medium: &Path) {
    let _initramfs = Initramfs::enter(medium);
    set_command_line("boot=live");
    let NotLive { reason } = stacks::detect().unwrap_err();
    assert!(
        reason.contains("live-boot") && reason.contains("tmpfs, not an overlay"),
        "{reason}"
    );
}
