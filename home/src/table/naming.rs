//! Which lower name a new entry of a directory gets.

use super::{Ino, Table, lower_name, names};

impl Table {
    /// The alias a new entry `name` of `dir` needs; `None` if its plain encoding is free.
    #[must_use]
    pub fn alias_for(&self, dir: Ino, name: &[u8]) -> Option<String> {
        let claimed = &self.directories.get(&dir)?.claimed;
        let free = |lower: &str| !claimed.contains(&names::fold(lower));
        if free(&lower_name(name, None)) {
            return None;
        }
        let mut variants = (1..names::VARIANTS).map(|pick| names::variant(name, pick));
        variants
            .find(|lower| free(lower))
            .or_else(|| Some(names::variant(name, names::FULL_VARIANT)))
    }

    /// Whether an entry `name` of `dir` has a lower name, or a new one can have one: a forged alias may be
    /// in the way of all.
    #[must_use]
    pub fn is_nameable(&self, dir: Ino, name: &[u8]) -> bool {
        let has_one = self.entry(dir, name).is_some();
        let free = |alias: String| !self.is_claimed(dir, &alias);
        has_one || self.alias_for(dir, name).is_none_or(free)
    }

    /// Whether an entry of `dir` has a lower name FAT would take for `lower`.
    #[must_use]
    pub fn is_claimed(&self, dir: Ino, lower: &str) -> bool {
        let directory = self.directories.get(&dir);
        directory.is_some_and(|directory| directory.claimed.contains(&names::fold(lower)))
    }
}
