//! What the kernel knows of a socket.

#![allow(unsafe_code)]

use std::{
    mem,
    os::fd::{AsFd, AsRawFd},
};

use nix::errno::Errno;

use crate::{Result, error::Context};

/// Length and index of `SO_MEMINFO` (linux/sock_diag.h: `SK_MEMINFO_VARS`, `SK_MEMINFO_DROPS`).
const VARIABLES: usize = 9;
const DROPS: usize = 8;

/// How many messages there was no room for since the socket was made (socket(7), `SO_MEMINFO`).
pub fn lost_messages(socket: impl AsFd) -> Result<u32> {
    let mut variables = [0_u32; VARIABLES];
    let mut length = u32::try_from(mem::size_of_val(&variables)).expect("36 bytes are few");
    // SAFETY: the kernel writes no more than `length` bytes to `variables`, which are that long,
    // and any bytes are valid numbers.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            variables.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    Errno::result(result).during(|| "ask a socket what it lost".into())?;
    Ok(variables[DROPS])
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn a_new_socket_has_lost_nothing_and_a_file_is_no_socket() {
        let (socket, _other) = UnixDatagram::pair().unwrap();
        assert_eq!(lost_messages(&socket).unwrap(), 0);
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(lost_messages(&file).is_err());
    }
}
