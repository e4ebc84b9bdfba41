//! The table as records: what a checkpoint holds.

use super::{Ino, Kind, Lost, Record, Table};

impl Table {
    /// Records which make a [new](Table::new) table equal to this one when applied in order.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Record> {
        let mut records = vec![Record::NextIno(self.next)];
        let groups = self.groups.iter();
        records.extend(groups.map(|(number, name)| Record::Group(*number, name.clone())));
        let mut inos: Vec<Ino> = self.nodes.keys().copied().collect();
        inos.sort_unstable();
        for &ino in &inos {
            records.push(Record::Inode(ino, self.nodes[&ino].inode.clone()));
        }
        // Names of one inode keep their order: the first decides its place.
        records.extend(inos.iter().flat_map(|ino| self.entry_records(*ino)));
        records.extend(inos.iter().flat_map(|ino| self.xattr_records(*ino)));
        self.lost().for_each(|lost| add_lost(&mut records, lost));
        records.extend(self.lower_records());
        records
    }

    /// Whether all directories hang together; else a hostile hand was at work.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.nodes.iter().all(|(ino, node)| {
            let placed = !node.inode.kind.has_lower() || node.names.is_empty();
            let detached = node.inode.kind == Kind::Directory
                && *ino != Ino::ROOT
                && node.names.is_empty()
                && self
                    .entries(*ino)
                    .is_some_and(|entries| !entries.is_empty());
            !detached && (placed || self.lower_dir_is_known(*ino))
        })
    }

    fn lower_dir_is_known(&self, ino: Ino) -> bool {
        self.lowers.contains_key(&ino)
    }

    fn entry_records(&self, ino: Ino) -> Vec<Record> {
        let names = self.nodes[&ino].names.iter();
        let record = |name: &super::NameRef| Record::Entry {
            dir: name.dir,
            name: name.name.clone(),
            ino,
            alias: self
                .entry(name.dir, &name.name)
                .and_then(|entry| entry.alias.clone()),
        };
        names.map(record).collect()
    }

    fn xattr_records(&self, ino: Ino) -> Vec<Record> {
        let xattrs = self.nodes[&ino].xattrs.iter();
        xattrs.map(|xattr| xattr_record(ino, xattr)).collect()
    }

    /// Lowers, each after that of the directory it stands in.
    fn lower_records(&self) -> Vec<Record> {
        let mut lowers: Vec<_> = self
            .lowers
            .iter()
            .map(|(ino, l)| (self.lower_depth(*ino), ino, l))
            .collect();
        lowers.sort_unstable_by_key(|(depth, ino, _)| (*depth, **ino));
        lowers
            .into_iter()
            .map(|(_, ino, lower)| Record::Lower(*ino, lower.clone()))
            .collect()
    }

    pub(crate) fn lower_depth(&self, ino: Ino) -> usize {
        let above = |at: &Ino| self.lowers.get(at).map(|lower| lower.place.dir);
        std::iter::successors(above(&ino), above).count()
    }
}

fn add_lost(records: &mut Vec<Record>, (ino, lost): (Ino, &Lost)) {
    records.push(Record::Inode(ino, lost.inode.clone()));
    records.extend(lost.xattrs.iter().map(|xattr| xattr_record(ino, xattr)));
    records.push(Record::Lost {
        ino,
        since: lost.since,
        path: lost.path.clone(),
    });
}

fn xattr_record(ino: Ino, (name, value): (&Vec<u8>, &Vec<u8>)) -> Record {
    Record::Xattr(ino, name.clone(), value.clone())
}
