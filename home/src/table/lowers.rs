//! Where objects are on the medium, and where they ought to be.

use super::{BTreeSet, DEPTH_MAX, Ino, Lower, Place, Table, lower_name, names};

/// `.wendy/tmp`, the path of [`Ino::TMP`].
pub const TMP_DIR: &str = ".wendy/tmp";

impl Table {
    /// The lower object of `ino`, also of one that is garbage.
    #[must_use]
    pub fn lower(&self, ino: Ino) -> Option<&Lower> {
        self.lowers.get(&ino)
    }

    /// All lower objects, in no order.
    pub fn lowers(&self) -> impl Iterator<Item = (Ino, &Lower)> {
        self.lowers.iter().map(|(ino, lower)| (*ino, lower))
    }

    /// Whose lower stands at `place`.
    #[must_use]
    pub fn occupant(&self, place: &Place) -> Option<Ino> {
        self.occupied.get(&place.folded()).copied()
    }

    /// Whether a lower stands at the place with this [fold](Place::folded).
    #[must_use]
    pub fn is_occupied(&self, folded: &Place) -> bool {
        self.occupied.contains_key(folded)
    }

    /// The place the first name of `ino` asks for; `None` while it has no name.
    #[must_use]
    pub fn wanted(&self, ino: Ino) -> Option<Place> {
        let name = self.names(ino).first()?;
        let entry = self.entry(name.dir, &name.name)?;
        Some(Place {
            dir: name.dir,
            name: lower_name(&name.name, entry.alias.as_deref()).into_owned(),
        })
    }

    /// Whether the first name of `ino` asks for another place than `place`.
    fn is_elsewhere(&self, ino: Ino, place: &Place) -> bool {
        let first = self.names(ino).first();
        let wanted = first.and_then(|name| Some((name, self.entry(name.dir, &name.name)?)));
        wanted.is_some_and(|(name, entry)| {
            let lower = lower_name(&name.name, entry.alias.as_deref());
            (name.dir, &*lower) != (place.dir, &*place.name)
        })
    }

    /// The place kept for the lower of `ino` while it cannot have the wanted one.
    #[must_use]
    pub fn waiting_place(ino: Ino) -> Place {
        Place {
            dir: Ino::TMP,
            name: format!("{:x}", ino.0),
        }
    }

    /// Objects that are not where they ought to be; lowest number first.
    pub fn misplaced(&self) -> impl Iterator<Item = Ino> {
        self.misplaced.iter().copied()
    }

    /// Misplaced objects in `.wendy/tmp`: nobody finds them without the table.
    pub fn waiting(&self) -> impl Iterator<Item = Ino> {
        let waits = |ino: &Ino| {
            self.lower(*ino)
                .is_some_and(|lower| lower.place.dir == Ino::TMP)
        };
        self.misplaced().filter(waits)
    }

    /// Lower objects that serve nobody; lowest number first.
    pub fn garbage(&self) -> impl Iterator<Item = Ino> {
        self.garbage.iter().copied()
    }

    /// Misplaced objects, then garbage.
    pub fn unsettled(&self) -> impl Iterator<Item = Ino> {
        self.misplaced().chain(self.garbage())
    }

    /// Whether `ino` is misplaced or garbage.
    #[must_use]
    pub fn is_unsettled(&self, ino: Ino) -> bool {
        self.misplaced.contains(&ino) || self.garbage.contains(&ino)
    }

    /// Whether the lower of `ino` serves nobody: the inode is gone, or is a directory without name,
    /// which nobody can put anything into. A file without name may still be open.
    #[must_use]
    pub fn is_garbage(&self, ino: Ino) -> bool {
        !self.nodes.contains_key(&ino) || self.is_directory(ino) && self.names(ino).is_empty()
    }

    /// Number of unsettled objects.
    #[must_use]
    pub fn unsettled_count(&self) -> usize {
        self.misplaced.len() + self.garbage.len()
    }

    /// The path of the lower directory `dir` from the root of the medium's home, "" for the root.
    #[must_use]
    pub fn lower_dir(&self, dir: Ino) -> Option<String> {
        let mut components = Vec::new();
        let mut at = dir;
        for _ in 0..DEPTH_MAX {
            if at == Ino::ROOT || at == Ino::TMP {
                components.extend((at == Ino::TMP).then_some(TMP_DIR));
                components.reverse();
                return Some(components.join("/"));
            }
            let lower = self.lowers.get(&at)?;
            components.push(&lower.place.name);
            at = lower.place.dir;
        }
        None
    }

    /// The path of a place from the root of the medium's home.
    #[must_use]
    pub fn path(&self, place: &Place) -> Option<String> {
        let dir = self.lower_dir(place.dir)?;
        Some(if dir.is_empty() {
            place.name.clone()
        } else {
            format!("{dir}/{}", place.name)
        })
    }

    /// The path of part `number` (from 1) of the lower of `ino`.
    #[must_use]
    pub fn part_path(&self, ino: Ino, number: u16) -> Option<String> {
        let first = self.path(&self.lower(ino)?.place)?;
        Some(names::part(&first, number))
    }

    /// Notes whether `ino` is settled, after anything about it has changed.
    pub(super) fn review(&mut self, ino: Ino) {
        let lower = self.lowers.get(&ino);
        let garbage = lower.is_some() && self.is_garbage(ino);
        let elsewhere = |lower: &Lower| self.is_elsewhere(ino, &lower.place);
        let misplaced = !garbage && lower.is_some_and(elsewhere);
        note(&mut self.garbage, ino, garbage);
        note(&mut self.misplaced, ino, misplaced);
    }
}

fn note(set: &mut BTreeSet<Ino>, ino: Ino, belongs: bool) {
    if belongs {
        set.insert(ino);
    } else {
        set.remove(&ino);
    }
}
