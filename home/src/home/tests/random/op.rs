//! The operations, and what POSIX says of them.

use super::super::model::{self, Model, Path};
use super::*;

const NAMES: [&str; 10] = [
    "a", "A", "b", "c:", "con", "e.", "É", "é", "e\u{301}", "x~1",
];

/// One operation.
#[derive(Clone, Debug)]
pub enum Op {
    Make(Path, Kind),
    MakeLink(Path, Vec<u8>),
    Link(Path, Path),
    Unlink(Path),
    RemoveDir(Path),
    Rename(Path, Path, RenameMode),
    Write(Path, u16, Vec<u8>),
    Resize(Path, u16),
    Mode(Path, u16),
    Owner(Path, (u32, u32)),
    Modified(Path, Time),
    Xattr(Path, Vec<u8>),
    Sync(Path),
    SyncNames,
    Commit,
    WriteBack,
    Settle,
    Reopen { lazily: bool },
}

fn any_path() -> impl Strategy<Value = Path> {
    prop::collection::vec(prop::sample::select(&NAMES[..]), 1..4)
}

pub fn any_op() -> impl Strategy<Value = Op> {
    let path = any_path;
    let kind = prop::sample::select(vec![Kind::File, Kind::Directory, Kind::Symlink, Kind::Fifo]);
    let bytes = prop::collection::vec(any::<u8>(), 0..1500);
    let id = || prop::sample::select(vec![0u32, 1000, 4321]);
    let time = (-9i64..1 << 40, 0u32..1_000_000_000);
    let time = time.prop_map(|(seconds, nanos)| Time { seconds, nanos });
    let target = prop::collection::vec(1u8.., 1..40);
    let replace = Just(RenameMode::Replace);
    let mode = prop_oneof![8 => replace, 1 => Just(RenameMode::NoReplace), 2 => Just(RenameMode::Exchange)];
    prop_oneof![
        8 => (path(), kind).prop_map(|(p, k)| Op::Make(p, k)),
        1 => (path(), target).prop_map(|(p, t)| Op::MakeLink(p, t)),
        2 => (path(), path()).prop_map(|(a, b)| Op::Link(a, b)),
        3 => path().prop_map(Op::Unlink),
        2 => path().prop_map(Op::RemoveDir),
        6 => (path(), path(), mode).prop_map(|(a, b, m)| Op::Rename(a, b, m)),
        6 => (path(), 0u16..3000, bytes).prop_map(|(p, o, b)| Op::Write(p, o, b)),
        2 => (path(), 0u16..4000).prop_map(|(p, l)| Op::Resize(p, l)),
        1 => (path(), 0u16..0o7777).prop_map(|(p, m)| Op::Mode(p, m)),
        1 => (path(), id(), id()).prop_map(|(p, u, g)| Op::Owner(p, (u, g))),
        1 => (path(), time).prop_map(|(p, t)| Op::Modified(p, t)),
        1 => (path(), prop::collection::vec(any::<u8>(), 0..9)).prop_map(|(p, v)| Op::Xattr(p, v)),
        2 => path().prop_map(Op::Sync),
        1 => Just(Op::SyncNames),
        1 => Just(Op::Commit),
        1 => Just(Op::WriteBack),
        1 => Just(Op::Settle),
        1 => any::<bool>().prop_map(|lazily| Op::Reopen { lazily }),
    ]
}

impl Op {
    /// What it does to the model: the same as to the home, or the same error.
    pub fn predict(&self, model: &mut Model) -> Result<()> {
        match self {
            Op::Make(path, kind) => model.make(path, *kind),
            Op::MakeLink(path, target) => {
                model.make(path, Kind::Symlink)?;
                let id = model.get(path)?;
                model.objects[id].target.clone_from(target);
                Ok(())
            }
            Op::Link(from, to) => model.link(from, to),
            Op::Unlink(path) => model.unlink(path),
            Op::RemoveDir(path) => model.remove_dir(path),
            Op::Rename(from, to, mode) => model.rename(from, to, *mode),
            Op::Write(path, offset, bytes) => {
                let file = file(model, path)?;
                file.modified = None;
                let content = &mut file.content;
                let start = usize::from(*offset);
                if !bytes.is_empty() {
                    content.resize(content.len().max(start + bytes.len()), 0);
                    content[start..start + bytes.len()].copy_from_slice(bytes);
                }
                Ok(())
            }
            Op::Resize(path, size) => {
                let file = file(model, path)?;
                file.modified = None;
                file.content.resize(usize::from(*size), 0);
                Ok(())
            }
            Op::Mode(path, mode) => {
                let id = model.get(path)?;
                model.objects[id].mode = *mode;
                Ok(())
            }
            Op::Owner(path, owner) => {
                let id = model.get(path)?;
                let object = &mut model.objects[id];
                object.owner = *owner;
                if object.kind != Kind::Directory {
                    // Without leave to execute, set-group-ID means something else (chown(2)).
                    let group = if object.mode & 0o010 == 0 { 0 } else { 0o2000 };
                    object.mode &= !(0o4000 | group);
                }
                Ok(())
            }
            Op::Modified(path, time) => {
                let id = model.get(path)?;
                model.objects[id].modified = Some(*time);
                Ok(())
            }
            Op::Xattr(path, value) => {
                let id = model.get(path)?;
                model.objects[id].xattr = Some(value.clone());
                Ok(())
            }
            Op::Sync(path) => model.get(path).map(drop),
            Op::SyncNames | Op::Commit | Op::WriteBack | Op::Settle | Op::Reopen { .. } => Ok(()),
        }
    }
}

fn file<'a>(model: &'a mut Model, path: &Path) -> Result<&'a mut model::Object> {
    let id = model.get(path)?;
    match model.objects[id].kind {
        Kind::File => Ok(&mut model.objects[id]),
        Kind::Directory => Err(Errno::ISDIR),
        _ => Err(Errno::INVAL),
    }
}
