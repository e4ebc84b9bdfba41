//! Processes that end with their owner, and what the kernel says of them.

use std::{
    collections::BTreeMap,
    fs, io,
    path::PathBuf,
    process::{Child, Command},
};

use crate::Result;

/// Switches of each thread.
pub type Switches = BTreeMap<PathBuf, u64>;

/// Switches since then, but for those of threads that have ended.
pub fn since(before: &Switches, now: &Switches) -> u64 {
    let of_each = now
        .iter()
        .map(|(thread, count)| count - before.get(thread).copied().unwrap_or(0));
    of_each.sum()
}

/// A process that ends with its owner.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts it.
    pub fn start(command: &mut Command) -> Result<Process> {
        let started = command.spawn();
        let started = started.map_err(|error| format!("cannot start {command:?}: {error}"))?;
        Ok(Process(started))
    }

    /// Times each of its threads was put on or off a processor.
    pub fn switches(&self) -> Result<Switches> {
        let mut switches = Switches::new();
        for thread in self.tasks()? {
            // A thread may end between two looks.
            let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
            let counts = status
                .lines()
                .filter_map(|line| line.split_once("ctxt_switches:"));
            let counts = counts.map(|(_, count)| count.trim().parse::<u64>());
            switches.insert(thread, counts.sum::<std::result::Result<u64, _>>()?);
        }
        Ok(switches)
    }

    /// How many threads it has.
    pub fn threads(&self) -> Result<usize> {
        Ok(self.tasks()?.len())
    }

    /// Kibibytes of memory that are its share.
    pub fn pss(&self) -> Result<u32> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.0.id()))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let number = line.and_then(|rest| rest.split_whitespace().next());
        Ok(number.ok_or("smaps_rollup has no Pss")?.parse()?)
    }

    fn tasks(&self) -> Result<Vec<PathBuf>> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.0.id()))?;
        let paths = tasks.map(|task| task.map(|task| task.path()));
        Ok(paths.collect::<io::Result<_>>()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
