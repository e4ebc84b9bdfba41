//! What is done again and again while a home is served: writing back, committing, settling.

use super::{MountOptions, report};
use crate::home::Home;
use crate::medium::Medium;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Unsettled objects that are settled without waiting for idleness.
const UNSETTLED_MAX: usize = 4096;
/// Which part of the time between two commits one waits for what is written back before it.
const PATIENCE: u32 = 5;

/// The thread that keeps a home.
pub(super) struct Keeper {
    end: Sender<()>,
    thread: JoinHandle<()>,
}

impl Keeper {
    pub fn start<M: Medium>(home: &Arc<Home<M>>, options: MountOptions) -> io::Result<Self> {
        let (kept, writer) = (Arc::clone(home), Writer::start(home)?);
        let (end, ended) = channel();
        let thread = thread::Builder::new().name("keeper".into());
        let thread = thread.spawn(move || {
            keep(&kept, options, &writer, &ended);
            writer.end();
        })?;
        Ok(Self { end, thread })
    }

    pub fn end(self) {
        drop(self.end);
        join(self.thread);
    }
}

fn keep<M: Medium>(home: &Home<M>, options: MountOptions, writer: &Writer, end: &Receiver<()>) {
    let (mut seen, mut idle) = (home.changes(), 0);
    while end.recv_timeout(options.commit) == Err(RecvTimeoutError::Timeout) {
        if options.read_only {
            continue;
        }
        commit(home, writer, options.commit / PATIENCE);
        let changes = home.changes();
        idle = if changes == seen { idle + 1 } else { 0 };
        seen = changes;
        let many = home.with_table(|table| table.unsettled_count()) > UNSETTLED_MAX;
        let now = many || options.settle_now || home.is_tight();
        if (idle >= options.idle_commits || now) && !home.is_settled() {
            report(home.settle(), "settle");
            seen = home.changes();
        }
    }
}

/// Commits what there is, and by the same flush makes durable what could be written back within
/// `patience`; the rest follows with the next commit.
fn commit<M: Medium>(home: &Home<M>, writer: &Writer, patience: Duration) {
    writer.write_back(patience);
    report(home.commit(), "commit");
}

/// The thread that writes back what was made and written, which takes as long as the stick is slow.
struct Writer {
    begin: SyncSender<()>,
    done: Receiver<()>,
    thread: JoinHandle<()>,
}

impl Writer {
    fn start<M: Medium>(home: &Arc<Home<M>>) -> io::Result<Self> {
        let home = Arc::clone(home);
        let ((begin, begun), (ended, done)) = (sync_channel(1), channel());
        let thread = thread::Builder::new().name("writer".into());
        let thread = thread.spawn(move || {
            while begun.recv().is_ok() {
                report(home.write_back(), "write back");
                // Nobody listens at the end.
                let _ = ended.send(());
            }
        })?;
        Ok(Self {
            begin,
            done,
            thread,
        })
    }

    /// Has it all written back, and waits for that, but not longer than `patience`.
    fn write_back(&self, patience: Duration) {
        self.done.try_iter().for_each(drop);
        // If it is still at work, it begins anew when it is through.
        let _ = self.begin.try_send(());
        let _ = self.done.recv_timeout(patience);
    }

    fn end(self) {
        drop(self.begin);
        join(self.thread);
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("what keeps the home has failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::{NewNode, Options, create};
    use crate::ids::Ino;
    use crate::medium::fake::Fake;
    use crate::record::Kind;

    fn open(fake: &Fake) -> Home<Fake> {
        let opened = Home::open(fake.clone(), Options::new(1000, 1000));
        opened.unwrap().0
    }

    #[test]
    fn one_commit_makes_durable_what_nobody_synced() {
        let fake = Fake::new(1 << 40);
        create(&fake, [7; 16]).unwrap();
        let home = Arc::new(open(&fake));
        let writer = Writer::start(&home).unwrap();
        let new = NewNode {
            kind: Kind::File,
            mode: 0o600,
            uid: 1000,
            gid: 1000,
            device: 0,
            target: Vec::new(),
        };
        let ino = home.create(Ino::ROOT, b"file", &new).unwrap().0.ino;
        home.write(ino, 0, b"text").unwrap();
        commit(&home, &writer, Duration::from_secs(60));
        writer.end();
        let home = open(&fake.crash(&mut || 1));
        assert_eq!(home.lookup(Ino::ROOT, b"file").unwrap().size, 4);
    }
}
