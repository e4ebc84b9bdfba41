//! A connection that sends bytes as they are, for messages that no library would send.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use crate::system::PATIENCE;

/// Message types of the D-Bus specification.
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;

/// A connection of root's, after `Hello`.
pub struct RawConnection(UnixStream);

impl RawConnection {
    /// Connects to a bus at `unix:path=`….
    pub fn new(address: &str) -> RawConnection {
        let path = address.strip_prefix("unix:path=").unwrap();
        let mut stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"\0AUTH EXTERNAL 30\r\n").unwrap();
        let mut answer = [0; 256];
        let length = stream.read(&mut answer).unwrap();
        assert!(answer[..length].starts_with(b"OK "));
        stream.write_all(b"BEGIN\r\n").unwrap();
        let mut raw = RawConnection(stream);
        let hello = zbus::Message::method_call("/org/freedesktop/DBus", "Hello")
            .destination("org.freedesktop.DBus")
            .interface("org.freedesktop.DBus")
            .build(&())
            .unwrap();
        assert!(!raw.is_refused(hello.data().bytes()), "the bus says hello");
        raw
    }

    /// Sends a call; whether the answer is an error, or the bus hangs up.
    pub fn is_refused(&mut self, call: &[u8]) -> bool {
        self.0.write_all(call).unwrap();
        loop {
            match self.next_type() {
                Some(METHOD_RETURN) => return false,
                Some(ERROR) | None => return true,
                Some(_) => {}
            }
        }
    }

    /// Type of the next message; none at the end. The header's layout is that of the specification:
    /// its array of fields is padded to eight bytes.
    fn next_type(&mut self) -> Option<u8> {
        let mut fixed = [0; 16];
        self.0.read_exact(&mut fixed).ok()?;
        let number = |at: usize| u32::from_le_bytes(fixed[at..at + 4].try_into().unwrap());
        let rest = number(12).next_multiple_of(8) + number(4);
        let mut rest = vec![0; usize::try_from(rest).unwrap()];
        self.0.read_exact(&mut rest).ok()?;
        Some(fixed[1])
    }
}
