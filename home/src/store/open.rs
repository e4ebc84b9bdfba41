//! Making a store, and reading it back after whatever has happened.

use super::superblock::{self, Parsed, Superblock};
use super::{CHECKPOINT_MAX, LOG_SIZE, Log, LogFile, OpenError, Store, log, room::GROWTH};
use crate::medium::{Medium, MediumFile};
use crate::names::PRIVATE_DIR;
use crate::record::{Inode, Record};
use crate::table::{Table, lowers::TMP_DIR};
use std::io;
use std::sync::Arc;

const NO_SUPERBLOCK: &str = "no valid superblock";

static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// A store, its table, and what was found on the way.
#[derive(Debug)]
pub struct Opened<M: Medium> {
    /// The store, not yet marked as in use.
    pub store: Store<M>,
    /// The table as of the last change that reached the medium.
    pub table: Table,
    /// Changes read from the logs.
    pub replayed: u64,
    /// Whether an older checkpoint had to serve because the newest is damaged.
    pub fell_back: bool,
}

/// Makes the files of a store whose root directory is `root`.
///
/// Superblocks come last: a store that was made halfway does not open.
///
/// # Errors
/// Those of the medium; `EEXIST` when one exists.
pub fn create<M: Medium>(medium: &M, home: [u8; 16], root: Inode) -> io::Result<()> {
    make_dir(medium, PRIVATE_DIR)?;
    make_dir(medium, TMP_DIR)?;
    for name in ["log.0", "log.1"] {
        let file = create_or_open(medium, name)?;
        for offset in (0..LOG_SIZE).step_by(ZEROS.len()) {
            file.write_at(&ZEROS, offset)?;
        }
        file.sync()?;
    }
    create_or_open(medium, "ckpt.1")?.set_len(GROWTH)?;
    let table = Table::new(root);
    let bytes = super::encode_table(&table);
    let file = create_or_open(medium, "ckpt.0")?;
    file.set_len(GROWTH)?;
    file.write_at(&bytes, 0)?;
    file.sync()?;
    let superblock = Superblock {
        generation: 0,
        home,
        epoch: 0,
        host: [0; 16],
        sequence: 0,
        length: bytes.len() as u64,
        crc: crc32c::crc32c(&bytes),
        slot: 0,
        clean: true,
    };
    create_or_open(medium, "super.1")?.write_at(&[0; superblock::SIZE], 0)?;
    let first = create_or_open(medium, "super.0")?;
    first.write_at(&superblock.encode(), 0)?;
    first.sync()?;
    medium.sync_all()
}

/// What the store of `medium` says of the use it is in, or was in last.
///
/// # Errors
/// See [`OpenError`].
pub fn last_use<M: Medium>(medium: &M) -> Result<Superblock, OpenError> {
    let supers = [open(medium, "super.0")?, open(medium, "super.1")?];
    let newest = superblocks(&supers)?.into_iter().next();
    newest.ok_or_else(|| OpenError::Damaged(String::from(NO_SUPERBLOCK)))
}

impl<M: Medium> Store<M> {
    /// Reads the store of `medium` without changing anything.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(medium: &M, root: &Inode) -> Result<Opened<M>, OpenError> {
        let supers = [open(medium, "super.0")?, open(medium, "super.1")?];
        let checkpoints = [open(medium, "ckpt.0")?, open(medium, "ckpt.1")?];
        let logs = [open(medium, "log.0")?, open(medium, "log.1")?];
        let candidates = superblocks(&supers)?;
        let newest = candidates
            .first()
            .map_or(0, |superblock| superblock.generation);
        let bytes = [read(&logs[0], LOG_SIZE)?, read(&logs[1], LOG_SIZE)?];
        let mut reason = String::from(NO_SUPERBLOCK);
        for mut superblock in candidates {
            let checkpoint = &checkpoints[usize::from(superblock.slot)];
            match replay(&superblock, checkpoint, &bytes, root) {
                Ok(replay) => {
                    let fell_back = superblock.generation != newest;
                    // The next superblock must outrank the damaged one as well.
                    superblock.generation = newest;
                    let files = (supers, checkpoints, logs);
                    return Ok(assemble(files, superblock, replay, fell_back)?);
                }
                Err(OpenError::Damaged(why)) => reason = why,
                Err(other) => return Err(other),
            }
        }
        Err(OpenError::Damaged(reason))
    }

    /// Marks the store as in use by `host`; must come before the first change.
    ///
    /// # Errors
    /// Those of pwrite(2) and fsync(2).
    pub fn begin_use(&mut self, host: [u8; 16]) -> io::Result<()> {
        let generation = self.superblock.generation + 1;
        let superblock = self.superblock.clone();
        let next = Superblock {
            generation,
            epoch: generation,
            host,
            clean: false,
            ..superblock
        };
        self.write_superblock(next)?;
        self.log = Log::after(self.log.position(), generation);
        Ok(())
    }
}

struct Replay {
    table: Table,
    sequence: u64,
    replayed: u64,
    /// Bytes of the changes read.
    bytes: u64,
    active: usize,
    end: u64,
    /// The last change before those in the active log.
    switched_at: u64,
}

type Files<F> = ([F; 2], [F; 2], [F; 2]);

fn assemble<M: Medium>(
    (supers, checkpoints, logs): Files<M::File>,
    superblock: Superblock,
    replay: Replay,
    fell_back: bool,
) -> io::Result<Opened<M>> {
    let rooms = [checkpoints[0].facts()?.size, checkpoints[1].facts()?.size];
    let store = Store {
        supers: supers.map(Arc::new),
        checkpoints: checkpoints.map(Arc::new),
        logs: logs.map(|file| Arc::new(LogFile::new(file))),
        log: Log::after(replay.end, superblock.epoch),
        switched_at: replay.switched_at,
        other_is_free: replay.switched_at == superblock.sequence,
        writing: None,
        rooms,
        at_most: superblock.length + replay.bytes,
        superblock,
        active: replay.active,
        sequence: replay.sequence,
        durable: replay.sequence,
    };
    Ok(Opened {
        store,
        table: replay.table,
        replayed: replay.replayed,
        fell_back,
    })
}

/// Valid superblocks, newest first.
fn superblocks<F: MediumFile>(files: &[F; 2]) -> Result<Vec<Superblock>, OpenError> {
    let mut valid = Vec::new();
    for file in files {
        match Superblock::parse(&read(file, superblock::SIZE as u64)?) {
            Parsed::Valid(superblock) => valid.push(superblock),
            Parsed::Newer(format) => return Err(OpenError::Newer(format)),
            Parsed::Invalid => {}
        }
    }
    valid.sort_by_key(|superblock| std::cmp::Reverse(superblock.generation));
    Ok(valid)
}

fn replay<F: MediumFile>(
    superblock: &Superblock,
    checkpoint: &F,
    logs: &[Vec<u8>; 2],
    root: &Inode,
) -> Result<Replay, OpenError> {
    let table = read_checkpoint(superblock, checkpoint, root)?;
    let mut frames: Vec<_> = [0, 1]
        .into_iter()
        .flat_map(|index| {
            log::frames(&logs[index])
                .into_iter()
                .map(move |frame| (index, frame))
        })
        .filter(|(_, frame)| frame.sequence > superblock.sequence)
        .collect();
    frames.sort_by_key(|(_, frame)| (frame.sequence, std::cmp::Reverse(frame.epoch)));
    // The log the checkpoint did not switch to is free; which one does not matter to a reader.
    let sequence = superblock.sequence;
    let mut state = Replay {
        table,
        sequence,
        replayed: 0,
        bytes: 0,
        active: 0,
        end: 0,
        switched_at: sequence,
    };
    let mut epoch = 0;
    for (index, frame) in frames {
        if frame.sequence > state.sequence + 1 {
            break;
        }
        // What an earlier use wrote into its second log behind a gap in its first.
        if frame.sequence <= state.sequence || frame.epoch < epoch {
            continue;
        }
        apply(&mut state.table, frame.payload)?;
        if index != state.active {
            state.switched_at = state.sequence;
        }
        (epoch, state.sequence) = (frame.epoch, frame.sequence);
        (state.active, state.end) = (index, frame.end);
        state.replayed += 1;
        state.bytes += frame.payload.len() as u64;
    }
    if !state.table.is_whole() {
        return Err(OpenError::Damaged(String::from(
            "the tree does not hang together",
        )));
    }
    Ok(state)
}

fn read_checkpoint<F: MediumFile>(
    superblock: &Superblock,
    file: &F,
    root: &Inode,
) -> Result<Table, OpenError> {
    let size = file.facts()?.size.min(CHECKPOINT_MAX);
    let damaged = || OpenError::Damaged(String::from("a checkpoint is incomplete"));
    if superblock.length > size {
        return Err(damaged());
    }
    let bytes = read(file, superblock.length)?;
    if bytes.len() as u64 != superblock.length || crc32c::crc32c(&bytes) != superblock.crc {
        return Err(damaged());
    }
    let mut table = Table::new(root.clone());
    apply(&mut table, &bytes)?;
    Ok(table)
}

/// Applies records one by one: a forged payload may have more of them than memory holds.
fn apply(table: &mut Table, payload: &[u8]) -> Result<(), OpenError> {
    let unreadable = || OpenError::Damaged(String::from("a record is unreadable"));
    for record in Record::each(payload) {
        table.apply(&record.ok_or_else(unreadable)?)?;
    }
    Ok(())
}

/// Up to `length` bytes from the beginning; fewer when the file is shorter.
fn read<F: MediumFile>(file: &F, length: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length.min(file.facts()?.size)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length];
    let count = file.read_at(&mut bytes, 0)?;
    bytes.truncate(count);
    Ok(bytes)
}

fn open<M: Medium>(medium: &M, name: &str) -> Result<M::File, OpenError> {
    medium
        .open(&format!("{PRIVATE_DIR}/{name}"))
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => OpenError::Missing,
            _ => OpenError::Io(error),
        })
}

fn create_or_open<M: Medium>(medium: &M, name: &str) -> io::Result<M::File> {
    let path = format!("{PRIVATE_DIR}/{name}");
    match medium.create(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => medium.open(&path),
        other => other,
    }
}

fn make_dir<M: Medium>(medium: &M, path: &str) -> io::Result<()> {
    match medium.make_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
