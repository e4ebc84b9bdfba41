//! What is unpacked: an archive of a tree like that of a program's sources, always the same.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use wendy_layers::testing::tool;

use crate::Outcome;

const DIRECTORIES: usize = 420;
const FILES: usize = 6200;
const WORDS: [&str; 16] = [
    "return ", "static ", "const ", "if (", ") {\n\t", "}\n\n", " = ", "->", "node", "size_t ",
    ";\n\t", "error", "struct ", "0x", "/* see ", " */\n",
];

/// A tar archive in memory.
pub struct Archive {
    dir: tempfile::TempDir,
}

impl Archive {
    pub fn new() -> Outcome<Self> {
        let dir = tempfile::tempdir_in("/dev/shm")?;
        let tree = dir.path().join("tree");
        grow(&tree)?;
        let archive = Self { dir };
        let (archive_path, above) = (archive.path(), tree.parent().ok_or("no directory")?);
        tool(
            "tar",
            [
                "-cf".as_ref(),
                archive_path.as_os_str(),
                "-C".as_ref(),
                above.as_os_str(),
                "tree".as_ref(),
            ],
        )?;
        fs::remove_dir_all(&tree)?;
        Ok(archive)
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("tree.tar")
    }
}

/// Some 52 MB in 6200 files, most of them small.
fn grow(tree: &Path) -> Outcome<()> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let dirs: Vec<PathBuf> = (0..DIRECTORIES)
        .map(|n| tree.join(format!("part{}/lib{}/module{n}", n % 7, n % 41)))
        .collect();
    dirs.iter().try_for_each(fs::create_dir_all)?;
    for n in 0..FILES {
        let path = dirs[dice.below(DIRECTORIES)].join(format!("source_{n}.c"));
        write(&path, &mut dice)?;
        let mode = if n % 20 == 0 { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

fn write(path: &Path, dice: &mut Dice) -> Outcome<()> {
    // Up to each power of two as often: many small files and a few of 64 KiB.
    let class = dice.below(8);
    let size = 256 + dice.below(512 << class);
    let mut file = BufWriter::new(File::create(path)?);
    let mut written = 0;
    while written < size {
        let word = WORDS[dice.below(WORDS.len())];
        write!(file, "{word}{:x}", dice.below(1 << 12))?;
        written += word.len() + 3;
    }
    Ok(file.flush()?)
}

/// Numbers without meaning, the same in every run (Knuth's MMIX generator).
pub struct Dice(pub u64);

impl Dice {
    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % end
    }
}
