//! Watching a tool that does not say how far it is, by what the kernel has written for it.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use wendy_sys::{DevNum, block::sectors_written};

use crate::engine::Watch;

/// How often is looked.
const PAUSE: Duration = Duration::from_millis(200);
/// The kernel counts in these, whatever the sectors of the disk are.
const SECTOR: u64 = 512;

/// Runs `work`, which writes about `total` bytes to `device`.
pub(super) fn watched<T>(
    watch: &dyn Watch,
    (device, total): (DevNum, u64),
    work: impl FnOnce() -> T,
) -> T {
    watch.total(total, 0);
    let (over, is_over) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let before = written(device);
            // It is not over before the tool says so, whatever has been written.
            let most = total - total / 50;
            let mut told = 0;
            while is_over.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                let now = written(device).saturating_sub(before).min(most);
                watch.advance(now.saturating_sub(told), 0);
                told = told.max(now);
            }
            watch.advance(total - told, 0);
        });
        let done = work();
        drop(over);
        done
    })
}

/// Bytes ever written to a device.
fn written(device: DevNum) -> u64 {
    sectors_written(device).unwrap_or(0) * SECTOR
}
