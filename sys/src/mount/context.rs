//! A filesystem under construction (fsopen(2)), and what the kernel says about it.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::mount::{
    FsMountFlags, FsOpenFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount,
    fsopen,
};

use super::{DetachedMount, MountFlags};
use crate::{Error, Result, error::Context as _};

pub(super) struct Context {
    fd: OwnedFd,
    what: String,
}

impl Context {
    pub(super) fn open(fs_type: &str, source: Option<&Path>) -> Result<Self> {
        let what = match source {
            Some(source) => format!("mount {fs_type} from {}", source.display()),
            None => format!("mount {fs_type}"),
        };
        let fd = fsopen(fs_type, FsOpenFlags::FSOPEN_CLOEXEC).during(|| what.clone())?;
        let mut context = Self { fd, what };
        if let Some(source) = source {
            context.set("source", Some(source))?;
        }
        Ok(context)
    }

    pub(super) fn set(&mut self, name: &str, value: Option<&Path>) -> Result<()> {
        let result = match value {
            Some(value) => fsconfig_set_string(&self.fd, name, value),
            None => fsconfig_set_flag(&self.fd, name),
        };
        result.map_err(|errno| self.explain(errno))
    }

    pub(super) fn mount(mut self, flags: MountFlags) -> Result<DetachedMount> {
        if flags.read_only {
            self.set("ro", None)?;
        }
        fsconfig_create(&self.fd).map_err(|errno| self.explain(errno))?;
        let mount = fsmount(&self.fd, FsMountFlags::FSMOUNT_CLOEXEC, flags.attributes());
        DetachedMount::new(mount.map_err(|errno| self.explain(errno))?)
    }

    fn explain(&self, errno: rustix::io::Errno) -> Error {
        let (what, source) = (self.what.clone(), io::Error::from(errno));
        match self.messages() {
            kernel if kernel.is_empty() => Error::Os { what, source },
            kernel => Error::Mount {
                what,
                source,
                kernel: kernel.join("; "),
            },
        }
    }

    /// The kernel's messages: one per read, each with a letter for its level and a space before it.
    fn messages(&self) -> Vec<String> {
        let mut messages = Vec::new();
        let mut buffer = [0; 1024];
        while let Ok(length @ 1..) = rustix::io::read(self.fd.as_fd(), &mut buffer) {
            let message = String::from_utf8_lossy(&buffer[..length]);
            let message = message.trim_end();
            messages.push(message.get(2..).unwrap_or(message).to_owned());
        }
        messages
    }
}
