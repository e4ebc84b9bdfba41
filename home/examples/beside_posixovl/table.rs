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
            "| what | ext4 | posixovl -F | least FUSE | wendy-home | times ext4 | goal | posixovl's times ours | goal | met |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
        for (row, line) in ROWS.iter().zip(&self.rows) {
            if let [Some(ext4), Some(posixovl), floor, Some(ours)] = medians(line) {
                let met = |time: f64| [time / ext4 <= row.goal, posixovl / time >= POSIXOVL_GOAL];
                println!(
                    "| {} | {ext4:.3} s | {posixovl:.3} s | {} | {ours:.3} s | {:.2} | ≤ {} | {:.1} | ≥ {POSIXOVL_GOAL} | {} |",
                    row.name,
                    floor
                        .map(|floor| format!("{floor:.3} s"))
                        .unwrap_or_default(),
                    ours / ext4,
                    row.goal,
                    posixovl / ours,
                    verdict(met(ours), met(floor.unwrap_or(ext4))),
                );
            }
        }
        if let [Some(ext4), Some(posixovl), _, Some(ours)] = medians(&self.end) {
            println!(
                "| unmount after all that | {ext4:.3} s | {posixovl:.3} s | | {ours:.3} s | | | | | |"
            );
        }
    }
}

fn medians(line: &Line) -> [Option<f64>; CONTENDERS] {
    line.each_ref()
        .map(|runs| Some(median(runs)?.as_secs_f64()))
}

/// The middle one.
pub fn median(runs: &[Duration]) -> Option<Duration> {
    let mut sorted = runs.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

/// Which of the two goals are met, and which of those that are not nobody could meet here.
fn verdict(ours: [bool; 2], least: [bool; 2]) -> String {
    let met = match ours {
        [true, true] => "yes",
        [true, false] => "beside ext4",
        [false, true] => "beside posixovl",
        [false, false] => "no",
    };
    match [0, 1].map(|goal| !ours[goal] && !least[goal]) {
        [false, false] => met.into(),
        [true, false] => format!("{met} (out of reach: beside ext4)"),
        [false, true] => format!("{met} (out of reach: beside posixovl)"),
        [true, true] => format!("{met} (out of reach)"),
    }
}
