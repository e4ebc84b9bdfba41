//! A running program: its three pipes, its end, and the request to stop it.
//!
//! One `poll` serves all of them, so neither side can block the other and nobody wakes up in vain.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::OwnedFd,
    process::{Child, ExitStatus},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};

use crate::{Cancel, Error, Result, error::Context};

/// How long a program may take to obey SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// More output than any tool of ours writes; the rest is read and dropped.
const MOST_OUTPUT: usize = 16 << 20;

/// How a program ended and what it wrote.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Feeds `input` to the program, collects what it writes and waits for its end.
pub(super) fn follow(mut child: Child, input: &[u8], cancel: &Cancel) -> Result<Finished> {
    let group = Pid::from_child(&child);
    let followed = Session::new(&mut child, input).and_then(|session| session.run(cancel, group));
    // The leader is not reaped yet, so its number still names its group: nobody of it survives.
    kill(group, Signal::KILL);
    let status = child.wait().during(|| "wait for a tool".into())?;
    let (stdout, stderr) = followed?;
    cancel.check()?;
    Ok(Finished {
        status,
        stdout,
        stderr,
    })
}

/// How far a program has been stopped.
#[derive(Clone, Copy)]
enum Stage {
    Runs,
    Asked(Instant),
    Killed,
}

/// Time between two looks whether a program obeys.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

struct Session<'a> {
    end: OwnedFd,
    stdin: Option<File>,
    input: &'a [u8],
    stdout: Collector,
    stderr: Collector,
}

impl<'a> Session<'a> {
    fn new(child: &mut Child, input: &'a [u8]) -> Result<Self> {
        let what = || "follow a tool".to_owned();
        let stdin = child.stdin.take().map(OwnedFd::from);
        let stdout = OwnedFd::from(child.stdout.take().expect("piped by the runner"));
        let stderr = OwnedFd::from(child.stderr.take().expect("piped by the runner"));
        for pipe in [Some(&stdout), Some(&stderr), stdin.as_ref()]
            .into_iter()
            .flatten()
        {
            let flags = fcntl_getfl(pipe).during(what)?;
            fcntl_setfl(pipe, flags | OFlags::NONBLOCK).during(what)?;
        }
        Ok(Self {
            end: pidfd_open(Pid::from_child(child), PidfdFlags::empty()).during(what)?,
            stdin: stdin.map(File::from),
            input,
            stdout: Collector::new(stdout),
            stderr: Collector::new(stderr),
        })
    }

    /// Returns both outputs when the program has ended and its pipes are drained.
    fn run(mut self, cancel: &Cancel, group: Pid) -> Result<(Vec<u8>, Vec<u8>)> {
        let mut stage = Stage::Runs;
        loop {
            let ended = self.wait(stage, cancel)?;
            self.feed()?;
            self.stdout.drain()?;
            self.stderr.drain()?;
            if ended {
                return Ok((self.stdout.collected, self.stderr.collected));
            }
            stage = match stage {
                Stage::Runs if cancel.is_cancelled() => {
                    kill(group, Signal::TERM);
                    Stage::Asked(Instant::now())
                }
                Stage::Asked(since) if since.elapsed() >= GRACE => {
                    kill(group, Signal::KILL);
                    Stage::Killed
                }
                stage => stage,
            };
        }
    }

    /// Sleeps until something happens; tells whether the program has ended. Once it is killed only
    /// its end is to come, which takes as long as a system call that cannot be interrupted.
    fn wait(&self, stage: Stage, cancel: &Cancel) -> Result<bool> {
        let (bell, pause) = match stage {
            Stage::Runs => (Some(cancel.bell()?), None),
            Stage::Asked(_) => (None, Some(PAUSE)),
            Stage::Killed => (None, None),
        };
        let mut fds = vec![PollFd::new(&self.end, PollFlags::IN)];
        fds.extend(bell.as_ref().map(|bell| PollFd::new(bell, PollFlags::IN)));
        for pipe in [&self.stdout, &self.stderr] {
            fds.extend(
                pipe.open
                    .as_ref()
                    .map(|pipe| PollFd::new(pipe, PollFlags::IN)),
            );
        }
        fds.extend(
            self.stdin
                .as_ref()
                .map(|pipe| PollFd::new(pipe, PollFlags::OUT)),
        );
        match poll(&mut fds, pause.as_ref()) {
            Ok(_) => Ok(fds[0].revents().contains(PollFlags::IN)),
            Err(Errno::INTR) => Ok(false),
            Err(errno) => Err(errno).during(|| "wait for a tool".into()),
        }
    }

    /// Writes what the program can take now; closes its input at the end.
    fn feed(&mut self) -> Result<()> {
        while let Some(pipe) = &mut self.stdin {
            match pipe.write(self.input) {
                Ok(written) => self.input = &self.input[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It may well end before it has read everything.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.input = &[],
                Err(error) => return Err(Error::os("write to a tool", error)),
            }
            if self.input.is_empty() {
                self.stdin = None;
            }
        }
        Ok(())
    }
}

/// The reading end of a pipe and what came out of it.
struct Collector {
    open: Option<File>,
    collected: Vec<u8>,
}

impl Collector {
    fn new(pipe: OwnedFd) -> Self {
        Self {
            open: Some(File::from(pipe)),
            collected: Vec::new(),
        }
    }

    /// Reads what is there now.
    fn drain(&mut self) -> Result<()> {
        let mut buffer = [0; 1 << 14];
        while let Some(pipe) = &mut self.open {
            match pipe.read(&mut buffer) {
                Ok(0) => self.open = None,
                Ok(read) => {
                    let room = MOST_OUTPUT.saturating_sub(self.collected.len());
                    self.collected.extend_from_slice(&buffer[..read.min(room)]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::os("read from a tool", error)),
            }
        }
        Ok(())
    }
}

/// Sends a signal to a process group; an empty group is as good as a killed one.
fn kill(group: Pid, signal: Signal) {
    let _ = kill_process_group(group, signal);
}
