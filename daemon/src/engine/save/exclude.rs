//! What a save leaves out.

use std::path::Path;

use crate::engine::{Error, Result, Source};

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

/// All patterns for `asked`, relative to the upper layer.
///
/// # Errors
/// [`Error::BadExclude`] for a word that is no set.
pub fn patterns(asked: &[String], source: &Source) -> Result<Vec<String>> {
    let mut patterns: Vec<String> = ALWAYS.iter().map(|pattern| (*pattern).to_owned()).collect();
    let below = source
        .mount_points
        .iter()
        .filter_map(|path| literally(path));
    patterns.extend(below.map(|path| format!("{path}/**")));
    patterns.extend(source.swap_files.iter().filter_map(|path| literally(path)));
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
fn literally(path: &Path) -> Option<String> {
    let path = path.to_str()?.trim_matches('/');
    let special = |c: char| "*?[]{}\\!".contains(c);
    let escape = |c: char| if special(c) { vec!['\\', c] } else { vec![c] };
    (!path.is_empty()).then(|| path.chars().flat_map(escape).collect())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn source(mount_points: &[&str], swap_files: &[&str]) -> Source {
        let paths = |list: &[&str]| list.iter().map(PathBuf::from).collect();
        Source {
            upper: std::fs::File::open("/").unwrap().into(),
            stack: wendy_store::Stack::LiveBoot,
            kind: wendy_store::UpperKind::Overlayfs,
            base: wendy_store::BaseImage::from_layers(&[]),
            mount_points: paths(mount_points),
            swap_files: paths(swap_files),
            started_from: None,
        }
    }

    #[test]
    fn sets_and_patterns_add_up() {
        let asked = ["host-keys".to_owned(), "/srv/**".to_owned()];
        let source = source(&["/run", "/mnt/a[b]*"], &["/var/swap"]);
        let patterns = patterns(&asked, &source).unwrap();
        for pattern in [
            "swapfile",
            "etc/ssh/ssh_host_*",
            "srv/**",
            "run/**",
            "mnt/a\\[b\\]\\*/**",
            "var/swap",
        ] {
            assert!(patterns.contains(&pattern.to_owned()), "{pattern}");
        }
        assert!(!patterns.iter().any(|pattern| pattern.starts_with('/')));
    }

    #[test]
    fn other_words_are_refused() {
        for word in ["", "/", "everything", "../etc"] {
            let refused = patterns(&[word.to_owned()], &source(&[], &[]));
            assert!(matches!(refused, Err(Error::BadExclude { .. })), "{word}");
        }
    }
}
