//! The table: medians, ratios, and whether the goals are met.

use std::time::Duration;

use crate::place::Contender;
use crate::work::ROWS;

/// How many times faster than posixovl every row shall be.
const POSIXOVL_GOAL: f64 = 5.0;

const CONTENDERS: usize = Contender::ALL.len();

/// All that was measured.
#[derive(Default)]
pub struct Table {
    rows: [Line; ROWS.len()],
    end: Line,
}

type Line = [Vec<Duration>; CONTENDERS];

impl Table {
    pub fn note(&mut self, row: usize, contender: Contender, took: Duration) {
        self.rows[row][contender as usize].push(took);
    }

    pub fn note_end(&mut self, contender: Contender, took: Duration) {
        self.end[contender as usize].push(took);
    }

    pub fn print(&self) {
        println!(
            "| what | ext4 | posixovl -F | wendy-home | times ext4 | goal | posixovl's times ours | goal | met |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        for (row, line) in ROWS.iter().zip(&self.rows) {
            if let Some([ext4, posixovl, ours]) = medians(line) {
                let (slower, faster) = (ours / ext4, posixovl / ours);
                println!(
                    "| {} | {ext4:.3} s | {posixovl:.3} s | {ours:.3} s | {slower:.2} | ≤ {} | {faster:.1} | ≥ {POSIXOVL_GOAL} | {} |",
                    row.name,
                    row.goal,
                    verdict(slower <= row.goal, faster >= POSIXOVL_GOAL),
                );
            }
        }
        if let Some([ext4, posixovl, ours]) = medians(&self.end) {
            println!(
                "| unmount after all that | {ext4:.3} s | {posixovl:.3} s | {ours:.3} s | | | | | |"
            );
        }
    }
}

fn medians(line: &Line) -> Option<[f64; CONTENDERS]> {
    let median = |runs: &Vec<Duration>| {
        let mut sorted = runs.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).map(Duration::as_secs_f64)
    };
    let [first, second, third] = line;
    Some([median(first)?, median(second)?, median(third)?])
}

fn verdict(beside_ext4: bool, beside_posixovl: bool) -> &'static str {
    match (beside_ext4, beside_posixovl) {
        (true, true) => "yes",
        (true, false) => "beside ext4",
        (false, true) => "beside posixovl",
        (false, false) => "no",
    }
}
