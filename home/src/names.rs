//! File names: any bytes up to 255 on our side, legal long names of FAT on the medium's side.
//!
//! Every name is mapped to a *lower name* that FAT32 and exFAT accept on Linux, Windows and macOS:
//!
//! * What FAT can hold stays as it is.
//! * What it cannot hold is *escaped*: byte `b` becomes the one character U+F000+`b`, the private
//!   use range Cygwin, WSL and the Linux cifs client (`mapchars`) also use. Escaped are the
//!   characters `" * / : < > ? \ |` and controls, a final dot or space, bytes that are not UTF-8,
//!   the bytes of characters which lie in U+F000–U+F0FF themselves, the first letter of the device
//!   names of Windows (`CON`, `nul.txt`), the tilde of names that look like 8.3 aliases (`LONGNA~1.TXT`)
//!   or like our own continuation files (`film.mkv.~002`), and the dot of `.wendy`.
//! * Names which FAT would take for the same (`Makefile`, `makefile`), or macOS (an `é` in one
//!   character or in two), differ in how much of them is escaped: see [`variant`].
//!
//! [`decode`] needs nothing but the lower name, so the names survive the loss of all metadata. One
//! byte costs at most one UTF-16 unit, so no lower name exceeds the 255 units of FAT.

use std::fmt::Write as _;
use unicode_normalization::UnicodeNormalization as _;

/// Longest name in bytes, as everywhere on Linux (`NAME_MAX`).
pub const NAME_MAX: usize = 255;

/// The directory of the medium that holds the metadata; never visible in the home.
pub const PRIVATE_DIR: &str = ".wendy";

/// First character of the range escaped bytes are mapped to.
const ESCAPE_BASE: u32 = 0xF000;

/// Characters FAT refuses in long names, besides controls (Microsoft FAT specification 1.03, p. 29).
const FORBIDDEN: &[char] = &['"', '*', '/', ':', '<', '>', '?', '\\', '|'];

/// Names Windows keeps for devices, besides those with a number.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// Number of variants worth trying before [`FULL_VARIANT`].
pub const VARIANTS: u32 = 4096;

/// The variant with all such characters escaped: equal for no two different names.
pub const FULL_VARIANT: u32 = u32::MAX;

/// Whether `name` may stand in a directory: 1 to 255 bytes, no `/`, no NUL, neither `.` nor `..`.
#[must_use]
pub fn is_valid(name: &[u8]) -> bool {
    let special = matches!(name, b"" | b"." | b"..");
    !special && name.len() <= NAME_MAX && !name.iter().any(|b| matches!(b, b'/' | 0))
}

/// The lower name of `name`, the most readable of its variants.
#[must_use]
pub fn encode(name: &[u8]) -> String {
    plain(name).map_or_else(|| variant(name, 0), str::to_owned)
}

/// `name` if it is its own lower name at first sight, as most are.
#[must_use]
pub fn plain(name: &[u8]) -> Option<&str> {
    let harmless = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+');
    if !name.iter().all(harmless) || matches!(name.last(), None | Some(b'.')) {
        return None;
    }
    let text = std::str::from_utf8(name).ok()?;
    (!is_device(text) && !text.eq_ignore_ascii_case(PRIVATE_DIR)).then_some(text)
}

/// The lower name of `name` in which, besides what must be, letters are escaped as well: bit `i`
/// of `pick` stands for the `i`-th character that could be taken for another one.
///
/// All variants decode to `name`. Two names that would be confused have variants that are not,
/// because escaped letters have neither case nor accents; [`FULL_VARIANT`] always is one.
#[must_use]
pub fn variant(name: &[u8], pick: u32) -> String {
    let mut out = String::with_capacity(name.len());
    let mut letters = 0;
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            let picked = pick != 0 && has_twin(c) && picks(pick, &mut letters);
            push_char(&mut out, c, picked || must_escape(c));
        }
        chunk
            .invalid()
            .iter()
            .for_each(|&b| push_escaped(&mut out, b));
    }
    escape_end(&mut out);
    escape_special(&mut out);
    out
}

/// The name a lower name stands for; may not be [valid](is_valid) when a stranger made it.
#[must_use]
pub fn decode(lower: &str) -> Vec<u8> {
    let mut name = Vec::with_capacity(lower.len());
    for c in lower.chars() {
        match escaped_byte(c) {
            Some(byte) => name.push(byte),
            None => name.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    name
}

/// A valid name for a file whose lower name a stranger chose: what it decodes to where possible.
#[must_use]
pub fn name_for(lower: &str) -> Vec<u8> {
    let decoded = decode(lower);
    if is_valid(&decoded) {
        decoded
    } else {
        numbered(&clean(lower), 1)
    }
}

/// `name`, or for `number` above 1 `name` with the number before its extension; shortened to
/// [`NAME_MAX`].
#[must_use]
pub fn numbered(name: &[u8], number: u32) -> Vec<u8> {
    let dot = name
        .iter()
        .rposition(|b| *b == b'.')
        .filter(|dot| *dot > 0 && name.len() - dot < 16);
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    let tail = if number == 1 {
        String::new()
    } else {
        format!(" ({number})")
    };
    let mut cut = stem.len().min(NAME_MAX - tail.len() - extension.len());
    // A cut inside a character would make the name invalid UTF-8.
    while cut < stem.len() && cut > 1 && stem[cut] & 0xC0 == 0x80 {
        cut -= 1;
    }
    [&stem[..cut], tail.as_bytes(), extension].concat()
}

/// What is compared: lower names with equal folds cannot stand in one directory.
///
/// Windows and exFAT fold by a table of one-to-one upper-case mappings, macOS also takes composed
/// and decomposed characters for the same; Linux's vfat folds less, never more.
#[must_use]
pub fn fold(lower: &str) -> String {
    if lower.is_ascii() {
        return lower.to_ascii_uppercase();
    }
    lower.nfd().map(upper).collect()
}

/// The lower name of part `number` (from 1) of a file whose first part is called `lower`.
#[must_use]
pub fn part(lower: &str, number: u16) -> String {
    let mut name = String::from(lower);
    if number > 1 {
        write!(name, ".~{number:03}").expect("writing to a string cannot fail");
    }
    name
}

/// What the first part is called of the file that `lower` would be a further part of.
#[must_use]
pub fn first_part(lower: &str) -> Option<&str> {
    let tilde = tilde_of_part(lower)?;
    lower.get(..tilde - 1)
}

/// Whether FAT takes `lower` for its length: at most 255 UTF-16 units.
#[must_use]
pub fn fits(lower: &str) -> bool {
    lower.encode_utf16().count() <= 255
}

fn clean(lower: &str) -> Vec<u8> {
    let kept = lower
        .bytes()
        .map(|b| if matches!(b, b'/' | 0) { b'_' } else { b })
        .collect();
    if matches!(lower, "" | "." | "..") {
        b"_".to_vec()
    } else {
        kept
    }
}

fn push_char(out: &mut String, c: char, escaped: bool) {
    if escaped {
        c.encode_utf8(&mut [0; 4])
            .bytes()
            .for_each(|b| push_escaped(out, b));
    } else {
        out.push(c);
    }
}

fn push_escaped(out: &mut String, byte: u8) {
    out.push(escape(byte));
}

fn escape(byte: u8) -> char {
    char::from_u32(ESCAPE_BASE + u32::from(byte)).expect("U+F000 to U+F0FF are characters")
}

fn escaped_byte(c: char) -> Option<u8> {
    u32::from(c)
        .checked_sub(ESCAPE_BASE)
        .and_then(|b| u8::try_from(b).ok())
}

fn must_escape(c: char) -> bool {
    FORBIDDEN.contains(&c) || c < ' ' || escaped_byte(c).is_some()
}

fn picks(pick: u32, letters: &mut u32) -> bool {
    let index = *letters;
    *letters += 1;
    pick == FULL_VARIANT || pick.checked_shr(index).is_some_and(|bits| bits & 1 == 1)
}

/// Whether another character, or several, may be taken for `c`: by case, by accents, as Hangul, whose
/// syllables and their letters are the same text, or as one of the two Greek marks that Unicode keeps
/// for a mark of ASCII.
fn has_twin(c: char) -> bool {
    !c.is_ascii() || c.is_ascii_alphabetic() || matches!(c, ';' | '`')
}

fn upper(c: char) -> char {
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(single), None) => single,
        _ => c,
    }
}

/// Windows drops final dots and spaces, Linux's vfat final dots.
fn escape_end(lower: &mut String) {
    if let Some(last @ ('.' | ' ')) = lower.chars().next_back() {
        lower.pop();
        push_char(lower, last, true);
    }
}

fn escape_special(lower: &mut String) {
    let at = if is_device(lower) || lower.eq_ignore_ascii_case(PRIVATE_DIR) {
        Some(0)
    } else {
        tilde_of_alias(lower).or_else(|| tilde_of_part(lower))
    };
    if let Some(at) = at {
        let byte = lower.as_bytes()[at];
        lower.replace_range(at..=at, escape(byte).encode_utf8(&mut [0; 4]));
    }
}

/// Names Windows keeps for devices, with any extension
/// (<https://learn.microsoft.com/windows/win32/fileio/naming-a-file>).
fn is_device(lower: &str) -> bool {
    let stem = lower
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end_matches(' ');
    let named = |device: &str| stem.eq_ignore_ascii_case(device);
    let numbered = |device: &&str| {
        let start = stem.get(..device.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(device))
    };
    DEVICES.iter().any(|device| named(device))
        || ["COM", "LPT"].iter().any(numbered) && is_device_number(&stem[3..])
}

fn is_device_number(rest: &str) -> bool {
    let mut chars = rest.chars();
    matches!(chars.next(), Some('0'..='9' | '¹' | '²' | '³')) && chars.next().is_none()
}

/// Where the `~` stands in a name of 8.3 shape with `~` and a number at the end of its stem: it may
/// be the generated alias of another long name.
fn tilde_of_alias(lower: &str) -> Option<usize> {
    let (stem, extension) = lower.split_once('.').unwrap_or((lower, ""));
    let shape = stem.len() <= 8 && extension.len() <= 3 && !extension.contains('.');
    let tilde = stem.rfind('~')?;
    (shape && is_number(&stem[tilde + 1..])).then_some(tilde)
}

/// Where the `~` stands in a name like those [`part`] makes.
fn tilde_of_part(lower: &str) -> Option<usize> {
    let dot = lower.rfind(".~")?;
    let tail = &lower[dot + 2..];
    (tail.len() >= 3 && is_number(tail)).then_some(dot + 1)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests;
