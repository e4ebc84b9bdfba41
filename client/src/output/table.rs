//! Tables that fit the terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

const GAP: &str = "  ";
const CUT: char = '…';
/// A column is not cut below this many cells.
const NARROWEST: usize = 8;

/// Rows under a heading. Cells are escaped by who fills them.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

/// To which side a column leans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

impl Table {
    /// An empty table with these headings.
    pub fn new(headings: &[(&str, Align)]) -> Self {
        let heads = headings
            .iter()
            .map(|(heading, _)| (*heading).to_owned())
            .collect();
        Self {
            columns: headings.iter().map(|(_, align)| *align).collect(),
            rows: vec![heads],
        }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        assert_eq!(N, self.columns.len(), "a row has a cell per column");
        self.rows.push(cells.into());
    }

    /// The heading and the rows, each at most `width` cells wide as far as that can be.
    pub fn lines(&self, width: Option<usize>) -> Vec<String> {
        let widths = self.fitted(width);
        self.rows
            .iter()
            .map(|row| self.line(row, &widths))
            .collect()
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let cells = row.iter().zip(widths).zip(&self.columns);
        let cells: Vec<String> = cells
            .map(|((cell, width), align)| pad(cell, *width, *align))
            .collect();
        cells.join(GAP).trim_end().to_owned()
    }

    /// Widths of the columns: as wide as their cells, the widest cut until the line fits.
    fn fitted(&self, width: Option<usize>) -> Vec<usize> {
        let mut widths = self.natural();
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        while let Some(limit) = width
            && widths.iter().sum::<usize>() + gaps > limit
        {
            let Some(widest) = widths.iter_mut().max() else {
                break;
            };
            if *widest <= NARROWEST {
                break;
            }
            *widest -= 1;
        }
        widths
    }

    fn natural(&self) -> Vec<usize> {
        let column = |at: usize| {
            self.rows
                .iter()
                .map(|row| row[at].width())
                .max()
                .unwrap_or(0)
        };
        (0..self.columns.len()).map(column).collect()
    }
}

fn pad(cell: &str, width: usize, align: Align) -> String {
    let cell = cut(cell, width);
    let blank = " ".repeat(width - cell.width());
    match align {
        Align::Left => cell + &blank,
        Align::Right => blank + &cell,
    }
}

/// The text, or as much of it as fits with a sign that there was more.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let mut out = String::new();
    for c in text.chars() {
        let Some(rest) = left.checked_sub(c.width().unwrap_or(0)) else {
            break;
        };
        left = rest;
        out.push(c);
    }
    out.push(CUT);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&[("NAME", Align::Left), ("SIZE", Align::Right)]);
        table.row(["sda".into(), "16 GB".into()]);
        table.row(["a very long name of a stick".into(), "1 GB".into()]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let expected = [
            "NAME                          SIZE",
            "sda                          16 GB",
            "a very long name of a stick   1 GB",
        ];
        assert_eq!(sample().lines(None), expected);
    }

    #[test]
    fn the_widest_column_gives_way() {
        let expected = [
            "NAME             SIZE",
            "sda             16 GB",
            "a very long n…   1 GB",
        ];
        assert_eq!(sample().lines(Some(21)), expected);
    }

    #[test]
    fn a_tiny_terminal_is_no_reason_to_fail() {
        assert_eq!(sample().lines(Some(1))[0], "NAME       SIZE");
    }

    #[test]
    fn wide_characters_count_twice() {
        let mut table = Table::new(&[("NAME", Align::Left), ("N", Align::Right)]);
        table.row(["報告書".into(), "1".into()]);
        assert_eq!(table.lines(None), ["NAME    N", "報告書  1"]);
        assert_eq!(cut("報告書", 4), "報…");
    }
}
