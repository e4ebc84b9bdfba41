//! Random operations against the model, and power failures at any moment.

use super::model::{Model, Path, assert_same, dump, walk};
use super::*;
use proptest::prelude::*;

const NAMES: [&str; 10] = [
    "a", "A", "b", "c:", "con", "e.", "É", "é", "e\u{301}", "x~1",
];

#[derive(Clone, Debug)]
enum Op {
    Make(Path, Kind),
    Link(Path, Path),
    Unlink(Path),
    RemoveDir(Path),
    Rename(Path, Path, RenameMode),
    Write(Path, u16, Vec<u8>),
    Resize(Path, u16),
    Mode(Path, u16),
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

fn any_op() -> impl Strategy<Value = Op> {
    let path = any_path;
    let kind = prop::sample::select(vec![Kind::File, Kind::Directory, Kind::Symlink, Kind::Fifo]);
    let bytes = prop::collection::vec(any::<u8>(), 0..1500);
    let replace = Just(RenameMode::Replace);
    let mode = prop_oneof![8 => replace, 1 => Just(RenameMode::NoReplace), 2 => Just(RenameMode::Exchange)];
    prop_oneof![
        8 => (path(), kind).prop_map(|(p, k)| Op::Make(p, k)),
        2 => (path(), path()).prop_map(|(a, b)| Op::Link(a, b)),
        3 => path().prop_map(Op::Unlink),
        2 => path().prop_map(Op::RemoveDir),
        6 => (path(), path(), mode).prop_map(|(a, b, m)| Op::Rename(a, b, m)),
        6 => (path(), 0u16..3000, bytes).prop_map(|(p, o, b)| Op::Write(p, o, b)),
        2 => (path(), 0u16..4000).prop_map(|(p, l)| Op::Resize(p, l)),
        1 => (path(), 0u16..0o7777).prop_map(|(p, m)| Op::Mode(p, m)),
        1 => (path(), prop::collection::vec(any::<u8>(), 0..9)).prop_map(|(p, v)| Op::Xattr(p, v)),
        2 => path().prop_map(Op::Sync),
        1 => Just(Op::SyncNames),
        1 => Just(Op::Commit),
        1 => Just(Op::WriteBack),
        1 => Just(Op::Settle),
        1 => any::<bool>().prop_map(|lazily| Op::Reopen { lazily }),
    ]
}

/// The home and the model in step, and what the home has promised to keep.
struct Pair {
    fake: Fake,
    home: Home<Fake>,
    model: Model,
    promised: Model,
    /// Paths changed since the promise: anything may have become of them.
    touched: Vec<Path>,
    /// Content known to be durable, by object.
    durable: HashMap<usize, Vec<u8>>,
}

impl Pair {
    fn new() -> Self {
        let (fake, home) = new_home(2048);
        let (model, promised) = (Model::default(), Model::default());
        Self {
            fake,
            home,
            model,
            promised,
            touched: Vec::new(),
            durable: HashMap::new(),
        }
    }

    fn run(&mut self, op: &Op) -> Result<()> {
        match op {
            Op::Make(path, kind) => {
                self.touch(&[path]);
                self.at(path, |home, dir, name| {
                    home.make(dir, name, &node(*kind)).map(drop)
                })
            }
            Op::Link(from, to) => {
                self.touch(&[from, to]);
                let ino = walk(&self.home, from)?;
                self.at(to, |home, dir, name| home.link(ino, dir, name).map(drop))
            }
            Op::Unlink(path) => {
                self.touch(&[path]);
                self.at(path, Home::unlink)
            }
            Op::RemoveDir(path) => {
                self.touch(&[path]);
                self.at(path, Home::remove_dir)
            }
            Op::Rename(from, to, mode) => {
                self.touch(&[from, to]);
                self.rename(from, to, *mode)
            }
            Op::Write(path, offset, bytes) => {
                self.with_file(path, |home, ino| home.write(ino, u64::from(*offset), bytes))
            }
            Op::Resize(path, size) => {
                self.change(path, |change| change.size = Some((*size).into()))
            }
            Op::Mode(path, mode) => self.change(path, |change| change.mode = Some(*mode)),
            Op::Xattr(path, value) => {
                self.touch(&[path]);
                let ino = walk(&self.home, path)?;
                self.home.set_xattr(ino, b"user.x", value, SetXattr::Any)
            }
            Op::Sync(path) => {
                let ino = walk(&self.home, path)?;
                self.home.sync_file(ino)
            }
            Op::SyncNames => self.home.sync_names(),
            Op::Commit => self.home.commit(),
            Op::WriteBack => self.home.commit().and_then(|()| self.home.write_back()),
            Op::Settle => self.home.settle(),
            Op::Reopen { lazily } => self.reopen(*lazily),
        }
    }

    /// What `op` does to the model, the same or the same error.
    fn predict(&mut self, op: &Op) -> Result<()> {
        let model = &mut self.model;
        match op {
            Op::Make(path, kind) => model.make(path, *kind),
            Op::Link(from, to) => model.link(from, to),
            Op::Unlink(path) => model.unlink(path),
            Op::RemoveDir(path) => model.remove_dir(path),
            Op::Rename(from, to, mode) => model.rename(from, to, *mode),
            Op::Write(path, offset, bytes) => {
                let content = &mut file(model, path)?.content;
                let start = usize::from(*offset);
                if !bytes.is_empty() {
                    content.resize(content.len().max(start + bytes.len()), 0);
                    content[start..start + bytes.len()].copy_from_slice(bytes);
                }
                Ok(())
            }
            Op::Resize(path, size) => {
                file(model, path)?.content.resize(usize::from(*size), 0);
                Ok(())
            }
            Op::Mode(path, mode) => {
                let id = model.get(path)?;
                model.objects[id].mode = *mode;
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

    /// Notes what the home has just promised.
    fn note_promise(&mut self, op: &Op) {
        let all = matches!(op, Op::WriteBack | Op::Reopen { .. });
        if !matches!(op, Op::Sync(_) | Op::SyncNames) && !all {
            return;
        }
        self.promised = self.model.clone();
        self.touched.clear();
        let synced = if let Op::Sync(path) = op {
            self.model.get(path).ok()
        } else {
            None
        };
        for (id, object) in self.model.objects.iter().enumerate() {
            if all || synced == Some(id) {
                self.durable.insert(id, object.content.clone());
            }
        }
    }

    fn at(
        &self,
        path: &Path,
        act: impl FnOnce(&Home<Fake>, Ino, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let (name, above) = path.split_last().unwrap();
        act(
            &self.home,
            walk(&self.home, &above.to_vec())?,
            name.as_bytes(),
        )
    }

    fn rename(&self, from: &Path, to: &Path, mode: RenameMode) -> Result<()> {
        let (from_name, from_above) = from.split_last().unwrap();
        let (to_name, to_above) = to.split_last().unwrap();
        walk(&self.home, from)?;
        let (from_dir, to_dir) = (
            walk(&self.home, &from_above.to_vec())?,
            walk(&self.home, &to_above.to_vec())?,
        );
        self.home.rename(
            (from_dir, from_name.as_bytes()),
            (to_dir, to_name.as_bytes()),
            mode,
        )
    }

    fn with_file(
        &mut self,
        path: &Path,
        act: impl FnOnce(&Home<Fake>, Ino) -> Result<()>,
    ) -> Result<()> {
        self.touch_object(path);
        let ino = walk(&self.home, path)?;
        self.home.open_file(ino)?;
        let acted = act(&self.home, ino);
        acted.and(self.home.release(ino))
    }

    fn change(&mut self, path: &Path, set: impl FnOnce(&mut Change)) -> Result<()> {
        self.touch_object(path);
        let mut change = Change::default();
        set(&mut change);
        self.home.change(walk(&self.home, path)?, &change).map(drop)
    }

    /// Lazily, only what is used later is looked at.
    fn reopen(&mut self, lazily: bool) -> Result<()> {
        let before = dump(&self.home);
        self.home.close()?;
        self.fake = self.fake.replug();
        if lazily {
            self.home = Home::open_lazily(self.fake.clone(), options()).unwrap();
            return Ok(());
        }
        let (home, found) = Home::open(self.fake.clone(), options()).unwrap();
        assert_eq!(found, Reconciled::default());
        assert_eq!(dump(&home), before);
        self.home = home;
        Ok(())
    }

    fn touch(&mut self, paths: &[&Path]) {
        for path in paths {
            self.touch_object(path);
        }
    }

    /// Touches every name of the object.
    fn touch_object(&mut self, path: &Path) {
        self.touched.push(path.clone());
        let Ok(id) = self.model.get(path) else { return };
        self.durable.remove(&id);
        let same = self.model.names.iter().filter(|(_, other)| **other == id);
        self.touched.extend(same.map(|(path, _)| path.clone()));
    }

    fn is_touched(&self, path: &Path) -> bool {
        self.touched.iter().any(|touched| path.starts_with(touched))
    }

    /// What was promised and not touched since is there after the power came back.
    fn check_promises(&self, home: &Home<Fake>) {
        for (path, id) in &self.promised.names {
            if self.is_touched(path) {
                continue;
            }
            let object = &self.promised.objects[*id];
            let ino = walk(home, path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            let there = home.attributes(ino).unwrap();
            assert_eq!(
                (there.kind, there.mode),
                (object.kind, object.mode),
                "{path:?}"
            );
            assert_eq!(home.xattr(ino, b"user.x").ok(), object.xattr, "{path:?}");
            let content = self.durable.get(id).filter(|_| object.kind == Kind::File);
            if let Some(content) = content {
                assert_eq!(&read_file(home, ino), content, "{path:?}");
            }
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

proptest! {
    #[test]
    fn behaves_as_posix_says(ops in prop::collection::vec(any_op(), 1..120)) {
        let mut pair = Pair::new();
        for op in &ops {
            let there = pair.run(op);
            prop_assert_eq!(pair.predict(op), there, "{:?}", op);
        }
        assert_same(&pair.home, &pair.model);
        pair.reopen(false).unwrap();
        assert_same(&pair.home, &pair.model);
        prop_assert!(pair.home.is_settled());
    }

    #[test]
    fn keeps_its_promises_when_the_power_fails(
        ops in prop::collection::vec(any_op(), 1..120),
        life in 0u64..400,
        seed in any::<u32>(),
    ) {
        let mut pair = Pair::new();
        pair.note_promise(&Op::Reopen { lazily: false });
        pair.fake.fail_after(life);
        for op in &ops {
            // Reopening a dead medium is another test.
            if matches!(op, Op::Reopen { .. }) {
                continue;
            }
            match (pair.run(op), pair.predict(op)) {
                (Err(Errno::IO), _) => break,
                (Ok(()), Ok(())) => pair.note_promise(op),
                (there, predicted) => prop_assert_eq!(there, predicted, "{:?}", op),
            }
        }
        let mut random = seed | 1;
        let fake = pair.fake.crash(&mut || {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            random >> 3
        });
        let (home, _) = Home::open(fake.clone(), options()).unwrap();
        pair.check_promises(&home);
        let before = dump(&home);
        let (_, home, found) = reopen(&fake, &home);
        prop_assert_eq!(found, Reconciled::default());
        prop_assert_eq!(dump(&home), before);
        pair.check_promises(&home);
    }
}
