//! What a save leaves out.

use std::path::PathBuf;

use crate::engine::{Error, Result};

/// What means nothing after the next start: swap space, and what is removed at every start anyway.
const ALWAYS: [&str; 4] = [
    "swapfile",
    "swap.img",
    "tmp/*",
    "var/lib/systemd/coredump/*",
];

/// Everything that programs fetch or make again.
const CACHES: [&str; 5] = [
    "var/cache/apt/archives/*.deb",
    "var/cache/apt/archives/partial/*",
    "var/cache/apt/*.bin",
    "home/*/.cache/*",
    "root/.cache/*",
];

/// So that two computers started from copies of one session are told apart by ssh.
const HOST_KEYS: [&str; 1] = ["etc/ssh/ssh_host_*"];

/// And by everything else.
const MACHINE_ID: [&str; 2] = ["etc/machine-id", "var/lib/dbus/machine-id"];

/// All patterns for `asked`, relative to the upper layer. `covered` are the directories that other
/// filesystems are mounted over, and swap files.
///
/// # Errors
/// [`Error::BadExclude`] for a word that is no set.
pub fn patterns(asked: &[String], covered: &[PathBuf]) -> Result<Vec<String>> {
    let mut patterns: Vec<String> = ALWAYS.iter().map(|pattern| (*pattern).to_owned()).collect();
    patterns.extend(covered.iter().filter_map(|path| literally(path.to_str()?)));
    for word in asked {
        match word.as_str() {
            "caches" => patterns.extend(CACHES.map(str::to_owned)),
            "host-keys" => patterns.extend(HOST_KEYS.map(str::to_owned)),
            "machine-id" => patterns.extend(MACHINE_ID.map(str::to_owned)),
            _ => patterns.push(own_pattern(word)?),
        }
    }
    Ok(patterns)
}

fn own_pattern(word: &str) -> Result<String> {
    match word.strip_prefix('/') {
        Some(pattern) if !pattern.is_empty() => Ok(pattern.to_owned()),
        _ => {
            let why = "begin it with / or use caches, host-keys or machine-id".to_owned();
            Err(Error::BadExclude {
                pattern: word.to_owned(),
                why,
            })
        }
    }
}

/// The pattern that matches what is at and below this very path.
fn literally(path: &str) -> Option<String> {
    let path = path.trim_matches('/');
    let special = |c: char| "*?[]{}\\!".contains(c);
    let escape = |c: char| if special(c) { vec!['\\', c] } else { vec![c] };
    (!path.is_empty()).then(|| path.chars().flat_map(escape).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_patterns_add_up() {
        let asked = ["host-keys".to_owned(), "/srv/**".to_owned()];
        let patterns = patterns(
            &asked,
            &[PathBuf::from("/run"), PathBuf::from("/mnt/a[b]*")],
        )
        .unwrap();
        for pattern in [
            "swapfile",
            "etc/ssh/ssh_host_*",
            "srv/**",
            "run",
            "mnt/a\\[b\\]\\*",
        ] {
            assert!(patterns.contains(&pattern.to_owned()), "{pattern}");
        }
        assert!(!patterns.iter().any(|pattern| pattern.starts_with('/')));
    }

    #[test]
    fn other_words_are_refused() {
        for word in ["", "/", "everything", "../etc"] {
            assert!(
                matches!(
                    patterns(&[word.to_owned()], &[]),
                    Err(Error::BadExclude { .. })
                ),
                "{word}"
            );
        }
    }
}
