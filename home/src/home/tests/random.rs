//! Random operations against the model, and power failures at any moment.

use super::model::{Model, Path, assert_like, assert_same, dump, walk};
use super::*;
use crate::store::OpenError;
use op::{Op, any_op};
use proptest::prelude::*;

mod op;

/// Links and times by path.
type Seen = HashMap<Path, (u32, Times)>;

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
    /// What was seen then.
    seen: Seen,
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
            seen: HashMap::new(),
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
            Op::MakeLink(path, target) => {
                self.touch(&[path]);
                let target = target.clone();
                self.at(path, |home, dir, name| {
                    let node = NewNode {
                        target,
                        ..node(Kind::Symlink)
                    };
                    home.make(dir, name, &node).map(drop)
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
            Op::Owner(path, (user, group)) => self.change(path, |change| {
                (change.uid, change.gid) = (Some(*user), Some(*group));
            }),
            Op::Modified(path, time) => self.change(path, |change| change.modified = Some(*time)),
            Op::Xattr(path, value) => {
                self.touch(&[path]);
                let ino = walk(&self.home, path)?;
                self.home.set_xattr(ino, b"user.x", value, SetXattr::Any)
            }
            Op::Sync(path) => self.home.sync_file(walk(&self.home, path)?),
            Op::SyncNames => self.home.sync_names(),
            Op::Commit => self.home.commit(),
            Op::WriteBack => self.home.write_back().and_then(|()| self.home.commit()),
            Op::Settle => self.home.settle(),
            Op::Reopen { lazily } => self.reopen(*lazily),
        }
    }

    /// Notes what the home has just promised, unless the power fails before that has been looked at.
    fn note_promise(&mut self, op: &Op) {
        let synced = match op {
            Op::Sync(path) => self.model.get(path).ok(),
            Op::SyncNames | Op::WriteBack => None,
            _ => return,
        };
        let seen = match self.see() {
            Err(Errno::IO) => return,
            seen => seen.unwrap(),
        };
        let all = matches!(op, Op::WriteBack);
        self.promise(seen, |id| all || synced == Some(id));
    }

    /// Notes that all is promised as it was seen, and the content of some objects.
    fn promise(&mut self, seen: Seen, is_durable: impl Fn(usize) -> bool) {
        self.promised = self.model.clone();
        self.touched.clear();
        self.seen = seen;
        for (id, object) in self.model.objects.iter().enumerate() {
            if is_durable(id) {
                self.durable.insert(id, object.content.clone());
            }
        }
    }

    fn see(&self) -> Result<Seen> {
        let see = |path: &Path| -> Result<_> {
            let there = self.home.attributes(walk(&self.home, path)?)?;
            Ok((path.clone(), (there.links, there.times)))
        };
        self.model.names.keys().map(see).collect()
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
        let (before, seen) = (dump(&self.home)?, self.see()?);
        self.home.close()?;
        self.promise(seen, |_| true);
        self.fake = self.fake.replug();
        if lazily {
            self.home = opened(Home::open_lazily(self.fake.clone(), options()))?;
            return Ok(());
        }
        let (home, found) = opened(Home::open(self.fake.clone(), options()))?;
        assert_eq!(found, Reconciled::default());
        assert_eq!(dump(&home)?, before);
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

    /// Whether names in a directory were touched.
    fn is_touched_inside(&self, path: &Path) -> bool {
        let mut touched = self.touched.iter();
        touched.any(|touched| touched.len() == path.len() + 1 && touched.starts_with(path))
    }

    /// What was promised and not touched since is there after the power came back.
    fn check_promises(&self, home: &Home<Fake>) {
        for (path, id) in &self.promised.names {
            if self.is_touched(path) {
                continue;
            }
            let object = &self.promised.objects[*id];
            let there = assert_like(home, path, object);
            // A file whose content is not durable may get the time of what there is of it.
            let content = self.durable.get(id);
            if let Some(content) = content.filter(|_| object.kind == Kind::File) {
                assert_eq!(&read_file(home, there.ino), content, "{path:?}");
            }
            let is_timed = content.is_some() || object.kind != Kind::File;
            if is_timed && !self.is_touched_inside(path) {
                let seen = self.seen.get(path);
                assert_eq!(Some(&(there.links, there.times)), seen, "{path:?}");
            }
        }
    }
}

/// To fail because the power does is to fail as any operation does.
fn opened<T>(opened: std::result::Result<T, OpenError>) -> Result<T> {
    opened.map_err(|error| match error {
        OpenError::Io(error) => errno(error),
        other => panic!("{other}"),
    })
}

proptest! {
    #[test]
    fn behaves_as_posix_says(ops in prop::collection::vec(any_op(), 1..120)) {
        let mut pair = Pair::new();
        for op in &ops {
            let there = pair.run(op);
            prop_assert_eq!(op.predict(&mut pair.model), there, "{:?}", op);
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
        next_life in 0u64..40,
        seed in any::<u32>(),
    ) {
        let mut pair = Pair::new();
        pair.fake.fail_after(life);
        for op in &ops {
            match (pair.run(op), op.predict(&mut pair.model)) {
                (Err(Errno::IO), _) => break,
                (Ok(()), Ok(())) => pair.note_promise(op),
                (there, predicted) => prop_assert_eq!(there, predicted, "{:?}", op),
            }
        }
        let mut random = seed | 1;
        let mut choose = || {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            random >> 3
        };
        let fake = pair.fake.crash(&mut choose);
        // It fails again while the home is brought in order, or soon after.
        fake.fail_after(next_life);
        drop(Home::open(fake.clone(), options()));
        let fake = fake.crash(&mut choose);
        let (home, _) = Home::open(fake.clone(), options()).unwrap();
        pair.check_promises(&home);
        let before = dump(&home).unwrap();
        let (_, home, found) = reopen(&fake, &home);
        prop_assert_eq!(found, Reconciled::default());
        prop_assert_eq!(dump(&home).unwrap(), before);
        pair.check_promises(&home);
    }
}
