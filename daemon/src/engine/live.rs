//! The running live system as the source of saves.

use std::{
    fs,
    path::{Path, PathBuf},
};

use wendy_store::{Generation, SessionId, layout};
use wendy_sys::{
    mount::Space,
    mountinfo::{self, Mount},
};

use super::{During, Error, Result, Source, StartedFrom, UpperSource};
use crate::{
    model::Condition,
    stacks::{self, Live, NotLive, Persistence},
};

/// What was found when the daemon started: neither the image below nor the place of the changes
/// becomes another one while a system runs.
#[derive(Debug)]
pub struct LiveSystem(Result<Live, NotLive>);

impl LiveSystem {
    /// From what [`stacks::detect`](crate::stacks::detect) found.
    pub fn new(found: Result<Live, NotLive>) -> LiveSystem {
        LiveSystem(found)
    }
}

impl UpperSource for LiveSystem {
    fn open(&self) -> Result<Source> {
        let live = self
            .0
            .as_ref()
            .map_err(|error| Error::NotLive(error.reason.clone()))?;
        let upper = live
            .open_upper()
            .map_err(|error| Error::NotSupported(error.to_string()))?;
        let mounts = mountinfo::read().during("reading the table of mounts")?;
        let swaps = fs::read_to_string("/proc/swaps").unwrap_or_default();
        Ok(Source {
            upper,
            stack: live.stack,
            kind: live.upper_kind,
            base: live.base.clone(),
            mount_points: mount_points(&mounts),
            swap_files: swap_files(&swaps),
            started_from: started_from(&live.persistence),
        })
    }

    fn space(&self) -> Space {
        let live = self.0.as_ref().ok();
        live.and_then(|live| live.usage().ok()).unwrap_or_default()
    }

    fn condition(&self) -> Condition {
        stacks::condition(self.0.as_ref())
    }
}

fn mount_points(mounts: &[Mount]) -> Vec<PathBuf> {
    let root = mounts
        .iter()
        .rfind(|mount| mount.mount_point == Path::new("/"));
    // A directory that is mounted over itself shows what it holds anyway.
    let is_itself = |mount: &&Mount| {
        mount.root == mount.mount_point && root.is_some_and(|root| root.devnum == mount.devnum)
    };
    let others = mounts.iter().filter(|mount| !is_itself(mount));
    others.map(|mount| mount.mount_point.clone()).collect()
}

/// The first word of each line after the first is a path (proc_swaps(5)); devices are not in the
/// upper layer.
fn swap_files(table: &str) -> Vec<PathBuf> {
    let lines = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let files = lines.filter(|words| words.get(1) == Some(&"file"));
    files.map(|words| PathBuf::from(words[0])).collect()
}

fn started_from(persistence: &Persistence) -> Option<StartedFrom> {
    let Persistence::Kept { device, path } = persistence else {
        return None;
    };
    let (session, generation) = parse_upper(path)?;
    Some(StartedFrom {
        store: *device,
        session,
        generation,
    })
}

/// Reads the path of an upper layer in a store.
fn parse_upper(path: &Path) -> Option<(SessionId, Generation)> {
    let below = path
        .strip_prefix("/")
        .unwrap_or(path)
        .strip_prefix(layout::SESSIONS)
        .ok()?;
    let mut parts = below.iter().map(|part| part.to_str());
    let session = parts.next()??.parse().ok()?;
    let (generations, generation, upper) = (parts.next()??, parts.next()??, parts.next()??);
    let is_upper =
        generations == layout::GENERATIONS && upper == layout::UPPER && parts.next().is_none();
    is_upper.then_some((session, generation.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_known_by_the_path_of_its_upper_layer() {
        let id = SessionId::random();
        let path = format!("casper/sessions/{id}/generations/3/upper");
        let (session, generation) = parse_upper(Path::new(&path)).unwrap();
        assert_eq!((session, generation.number()), (id, 3));
        assert!(parse_upper(Path::new(&format!("/{path}"))).is_some());
        for other in [
            "casper/blank/upper".to_owned(),
            format!("{path}/etc"),
            path.replace("/3/", "/03/"),
        ] {
            assert_eq!(parse_upper(Path::new(&other)), None, "{other}");
        }
    }

    #[test]
    fn only_swap_files_are_files() {
        let table =
            "Filename Type Size Used Priority\n/swapfile file 8 0 -2\n/dev/sda2 partition 8 0 -3\n";
        assert_eq!(swap_files(table), [PathBuf::from("/swapfile")]);
    }

    #[test]
    fn what_is_mounted_over_itself_is_no_other_filesystem() {
        let table = b"20 1 0:25 / / rw - overlay overlay rw\n\
            21 20 0:25 /home /home rw - overlay overlay rw\n\
            22 20 0:25 /srv/data /srv rw - overlay overlay rw\n\
            23 20 0:30 / /tmp rw - tmpfs tmpfs rw\n\
            24 20 0:30 /run /run rw - tmpfs tmpfs rw\n";
        let mounts = wendy_sys::mountinfo::parse(table).unwrap();
        assert_eq!(
            mount_points(&mounts),
            ["/srv", "/tmp", "/run"].map(PathBuf::from)
        );
    }
}
