//! What udev tells, and whether there is a udev at all.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use tracing::{debug, warn};
use udev::{EventType, MonitorBuilder, MonitorSocket};
use wendy_sys::{DevNum, socket::lost_messages};

/// What happened to block devices since the last look.
#[derive(Debug, Default)]
pub struct News {
    /// Devices that came or changed, once for each event.
    pub touched: Vec<DevNum>,
    /// Devices that went.
    pub gone: Vec<DevNum>,
    /// There were more events than the kernel keeps: anything may have happened.
    pub lost: bool,
}

/// Listens to udev's events about block devices.
pub struct Events {
    socket: MonitorSocket,
    lost: u32,
}

impl Events {
    /// Begins to listen.
    pub fn listen() -> io::Result<Events> {
        let socket = MonitorBuilder::new()?.match_subsystem("block")?.listen()?;
        Ok(Events { socket, lost: 0 })
    }

    /// Takes what was told since the last time.
    pub fn take(&mut self) -> io::Result<News> {
        let mut news = News::default();
        for event in self.socket.iter() {
            let Some(devnum) = event.devnum().map(DevNum::new) else {
                continue;
            };
            debug!(device = ?event.sysname(), event = %event.event_type(), "udev");
            match event.event_type() {
                EventType::Remove => news.gone.push(devnum),
                _ => news.touched.push(devnum),
            }
        }
        // Asked last: what is lost later wakes us again.
        let lost = lost_messages(&self.socket).map_err(io::Error::other)?;
        if lost != self.lost {
            warn!(lost, "udev told more than there was room for");
            self.lost = lost;
            news.lost = true;
        }
        Ok(news)
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The control socket of udev, which outlives it.
const CONTROL: &str = "/run/udev/control";

/// Whether somebody listens at udev's control socket; systemd listens there for a udev that it
/// would start.
pub fn udev_runs() -> bool {
    listens(CONTROL)
}

fn listens(path: &str) -> bool {
    let connected = SocketAddrUnix::new(path).and_then(|address| {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        connect(&socket, &address)
    });
    // AGAIN: so many others are asking that there is no room in the queue.
    matches!(connected, Ok(()) | Err(rustix::io::Errno::AGAIN))
}

#[cfg(test)]
mod tests {
    use rustix::net::{bind, listen};

    use super::*;

    #[test]
    fn a_socket_that_outlived_its_udev_is_no_udev() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control");
        let text = path.to_str().unwrap();
        assert!(!listens(text));
        let family = AddressFamily::UNIX;
        let socket =
            socket_with(family, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        assert!(!listens(text));
        listen(&socket, 1).unwrap();
        assert!(listens(text));
        drop(socket);
        assert!(path.exists() && !listens(text));
    }
}
