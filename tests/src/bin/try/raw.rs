//! The terminal without line editing, echo and signals: every key belongs to the machine.

use std::process::Stdio;

use anyhow::{Result, ensure};
use wendy_tests::vm::program;

/// Raw while it lives, then as it was.
pub struct Mode {
    before: String,
}

impl Mode {
    /// Fails when standard input is no terminal.
    pub fn enter() -> Result<Mode> {
        let before = stty("-g")?;
        stty("raw")?;
        stty("-echo")?;
        Ok(Mode {
            before: before.trim().to_owned(),
        })
    }
}

impl Drop for Mode {
    fn drop(&mut self) {
        // A terminal that has gone needs no putting back.
        let _ = stty(&self.before);
    }
}

fn stty(setting: &str) -> Result<String> {
    let output = program("/usr/bin/stty")
        .arg(setting)
        .stdin(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "this needs a terminal");
    Ok(String::from_utf8(output.stdout)?)
}
