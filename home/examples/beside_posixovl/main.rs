//! Measures a portable home beside the filesystem below it and beside posixovl, which is what there
//! was before, in turns on fresh filesystems of the same kind; and what FUSE itself costs.
//!
//! `cargo run --release -p wendy-home --example beside_posixovl -- WENDY-HOME [what…]`, where WENDY-HOME is
//! the program and what is the beginning of a row; all rows if none is named. Needs root, git, tar,
//! e2fsprogs and fuse-posixovl.

mod floor;
mod place;
mod table;
mod tree;
mod work;

use std::error::Error;
use std::path::Path;

use place::{Contender, Place, hide_mounts};
use table::Table;
use tree::Archive;
use work::{ROWS, Row, Work};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROUNDS: usize = 3;
/// Makes this program the least filesystem, with its files in the first directory named behind it, shown
/// at the second.
const FLOOR: &str = "--floor";

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().ok_or("which wendy-home?")?;
    if program == FLOOR {
        let mut directory = || arguments.next().ok_or("where?");
        return floor::serve(Path::new(&directory()?), Path::new(&directory()?));
    }
    let wanted: Vec<String> = arguments.collect();
    hide_mounts()?;
    let archive = Archive::new()?;
    let mut table = Table::default();
    for round in 1..=ROUNDS {
        for contender in Contender::ALL {
            eprintln!("round {round} of {ROUNDS}: {}", contender.name());
            let place = Place::new(contender, Path::new(&program))?;
            let work = Work::new(&place, &archive);
            measure(&work, contender, &wanted, |row, took| {
                table.note(row, contender, took);
            })?;
            let took = place.end()?;
            table.note_end(contender, took);
        }
    }
    table.print();
    Ok(())
}

/// Does everything a row needs, but tells only of the rows that are wanted.
fn measure(
    work: &Work<'_>,
    contender: Contender,
    wanted: &[String],
    mut note: impl FnMut(usize, std::time::Duration),
) -> Outcome<()> {
    let able = |row: &Row| row.has_floor || contender != Contender::Floor;
    for (index, row) in ROWS.iter().enumerate().filter(|(_, row)| able(row)) {
        let needed = wanted.is_empty() || wanted.iter().any(|one| row.name.starts_with(one));
        if needed || row.prepares {
            let took = (row.run)(work)?;
            note(index, took);
        }
    }
    Ok(())
}
