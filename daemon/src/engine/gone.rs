//! A stick that was pulled out shows itself as any of many errors: a failed write, a filesystem that
//! has become read-only, a missing directory. This finds out whether that was it.

use std::{
    thread,
    time::{Duration, Instant},
};

use wendy_sys::{DevNum, block};

use super::Error;

/// The kernel fails the writes to a device some moments before it takes the device away.
const REMOVAL: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The error itself, or [`Error::Gone`] if one of the devices it may come from is not there any more.
pub(super) fn explain(error: Error, devices: &[(String, DevNum)]) -> Error {
    if !matches!(
        error,
        Error::System { .. } | Error::Copy(_) | Error::Failing(_)
    ) {
        return error;
    }
    let deadline = Instant::now() + REMOVAL;
    loop {
        let gone = devices
            .iter()
            .find(|(_, device)| block::node_of(*device).is_err());
        match gone {
            Some((name, _)) => return Error::Gone(name.clone()),
            None if Instant::now() > deadline => return error,
            None => thread::sleep(LOOK_AGAIN),
        }
    }
}
