//! What a power failure leaves: of everything that was not synced, some.

use super::disk::{Disk, Id};
use super::object::Object;
use std::collections::HashMap;

/// Operations before a removed name may be gone without a sync.
const WRITEBACK: u64 = 1500;

impl Disk {
    /// Loses what `choose` says of everything that is not durable.
    pub(super) fn lose(&mut self, choose: &mut impl FnMut() -> u32) {
        let dirs: Vec<Id> = self.live.keys().copied().collect();
        for dir in sorted(dirs) {
            let mut folds: Vec<String> = self.live[&dir].keys().cloned().collect();
            folds.extend(self.durable[&dir].keys().cloned());
            folds.sort();
            folds.dedup();
            for fold in folds {
                self.lose_name(dir, &fold, choose);
            }
        }
        for id in sorted(self.objects.keys().copied().collect()) {
            self.lose_content(id, choose);
        }
        self.repair(choose);
        self.live = self.durable.clone();
        self.changed.clear();
    }

    fn lose_name(&mut self, dir: Id, fold: &str, choose: &mut impl FnMut() -> u32) {
        let live = self.live[&dir].get(fold).cloned();
        let durable = self.durable[&dir].get(fold).cloned();
        if live == durable {
            return;
        }
        let age = self.operations - self.changed.get(&(dir, fold.to_owned())).unwrap_or(&0);
        let removal = durable.is_some();
        let written = choose().is_multiple_of(2) && (!removal || age > WRITEBACK);
        if written {
            let names = self.durable.get_mut(&dir).unwrap();
            match live {
                Some(entry) => names.insert(fold.to_owned(), entry),
                None => names.remove(fold),
            };
        }
    }

    fn lose_content(&mut self, id: Id, choose: &mut impl FnMut() -> u32) {
        let object = self.objects.get_mut(&id).unwrap();
        let durable = object.durable.clone().unwrap_or_default();
        if durable != object.live {
            let mut mixed = if choose().is_multiple_of(2) {
                object.live.clone()
            } else {
                durable.clone()
            };
            for (start, block) in (0..mixed.len()).step_by(512).zip(durable.chunks(512)) {
                let end = (start + block.len()).min(mixed.len());
                if choose().is_multiple_of(2) && end > start {
                    mixed[start..end].copy_from_slice(&block[..end - start]);
                }
            }
            let cut = object.durable.is_none() && choose().is_multiple_of(3);
            mixed.truncate(if cut { 0 } else { mixed.len() });
            object.live = mixed;
        }
        object.durable = Some(object.live.clone());
    }

    /// What fsck.fat does: of two names for one object, one ends up empty.
    fn repair(&mut self, choose: &mut impl FnMut() -> u32) {
        let mut seen: HashMap<Id, (Id, String)> = HashMap::new();
        for dir in sorted(self.durable.keys().copied().collect()) {
            for (fold, (_, id)) in self.durable[&dir].clone() {
                let Some(first) = seen.insert(id, (dir, fold.clone())) else {
                    continue;
                };
                let (dir, fold) = if choose().is_multiple_of(2) {
                    first
                } else {
                    (dir, fold)
                };
                let fresh = self.next;
                self.next += 1;
                let twin = Object {
                    live: Vec::new(),
                    durable: None,
                    ..self.objects[&id].clone()
                };
                if twin.is_dir {
                    self.durable.get_mut(&dir).unwrap().remove(&fold);
                } else {
                    self.objects.insert(fresh, twin);
                    let names = self.durable.get_mut(&dir).unwrap();
                    names.entry(fold).and_modify(|(_, id)| *id = fresh);
                }
            }
        }
    }
}

fn sorted(mut ids: Vec<Id>) -> Vec<Id> {
    ids.sort_unstable();
    ids
}
