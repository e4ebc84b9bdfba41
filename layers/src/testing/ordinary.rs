//! A large ordinary upper: what an hour of installing packages and working leaves behind.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Makes about 440 MB in 15,300 entries below `at`, always the same, and returns the files.
///
/// # Errors
/// What the filesystem says.
pub fn ordinary_upper(at: &Path) -> io::Result<Vec<PathBuf>> {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let mut files = Vec::new();
    for package in 0..260 {
        let dir = at.join(format!("usr/lib/{}/package{package}", package % 13));
        for part in 0..4 {
            let dir = dir.join(format!("part{part}"));
            fs::create_dir_all(&dir)?;
            for n in 0..13 {
                files.push(dir.join(format!("file{n}.so")));
            }
            symlink(format!("file{part}.so"), dir.join("current"))?;
        }
    }
    for (n, path) in files.iter().enumerate() {
        write(path, noise.size(n), &mut noise)?;
        fs::set_permissions(
            path,
            fs::Permissions::from_mode(if n % 5 == 0 { 0o755 } else { 0o644 }),
        )?;
    }
    Ok(files)
}

/// Changes every hundredth file, as an hour of work does.
///
/// # Errors
/// What the filesystem says.
pub fn change_some(files: &[PathBuf]) -> io::Result<()> {
    let mut noise = Noise(0xd1b5_4a32_d192_ed03);
    for path in files.iter().skip(7).step_by(100) {
        let size = fs::metadata(path)?.len().min(200_000);
        write(path, size, &mut noise)?;
    }
    Ok(())
}

fn write(path: &Path, size: u64, noise: &mut Noise) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut left = usize::try_from(size).map_err(io::Error::other)?;
    let mut block = [0; 4096];
    while left > 0 {
        noise.fill(&mut block);
        let part = left.min(block.len());
        file.write_all(&block[..part])?;
        left -= part;
    }
    Ok(())
}

/// A small generator of incompressible data.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Mostly small, some middling, a few large: 32 KB on average.
    fn size(&mut self, n: usize) -> u64 {
        match n {
            n if n % 6500 == 100 => 40 << 20,
            n if n % 250 == 0 => self.next() % (4 << 20),
            n if n % 10 == 0 => self.next() % (200 << 10),
            _ => self.next() % (16 << 10),
        }
    }

    fn fill(&mut self, block: &mut [u8]) {
        for word in block.chunks_exact_mut(8) {
            word.copy_from_slice(&self.next().to_le_bytes());
        }
    }
}
