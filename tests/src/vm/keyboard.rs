//! The emulated machine's own keyboard and screen, where the live user is logged in on the first
//! console.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::console::Outcome;
use super::machine::Vm;

/// Looks at the screen, twice a second, before something is said not to come.
const TRIES: u32 = 240;
/// Times that keys are pressed before they are said to be without effect.
const PRESSES: u32 = 12;

impl Vm {
    /// Types a line at the keyboard; the keys are those of a US layout.
    pub fn type_at_keyboard(&mut self, line: &str) -> Result<()> {
        for character in line.chars().chain(['\n']) {
            let keys = keys(character).with_context(|| format!("no key for {character:?}"))?;
            self.press(&keys)?;
            // The keyboard's buffer holds 16 bytes, and nobody types faster than this.
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Looks at another of the text consoles, counted from 1, with Alt and a function key. A machine with
    /// much to do may miss that.
    pub fn switch_console(&mut self, number: u8) -> Result<()> {
        let reached = format!("grep -qx tty{number} /sys/class/tty/tty0/active");
        let wait =
            format!("(for i in $(seq 50); do ! {reached} || exit 0; sleep 0.1; done; exit 1)");
        for _ in 0..PRESSES {
            self.press(&["alt".to_owned(), format!("f{number}")])?;
            if self.attempt(&wait)?.status == 0 {
                return Ok(());
            }
        }
        bail!("console {number} does not come")
    }

    /// Presses keys together.
    fn press(&mut self, keys: &[String]) -> Result<()> {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| json!({ "type": "qcode", "data": key }))
            .collect();
        self.qmp()
            .execute("send-key", json!({ "keys": keys, "hold-time": 20 }))
            .map(drop)
    }

    /// Waits until the screen shows a text and gives all that is on it.
    pub fn see(&mut self, text: &str) -> Result<String> {
        let shown = format!("grep -qaF '{text}' /dev/vcs");
        let Outcome { status, output } = self.attempt(&format!(
            "(for i in $(seq {TRIES}); do ! {shown} || break; sleep 0.5; done; \
             fold -w \"$(stty -F /dev/tty0 size | cut -d' ' -f2)\" /dev/vcs | grep '[^ ]'; {shown})"
        ))?;
        ensure!(status == 0, "no {text:?} on the screen:\n{output}");
        Ok(output)
    }
}

/// The emulator's names (QKeyCode) of the keys that make a character.
fn keys(character: char) -> Option<Vec<String>> {
    let (shift, name) = match character {
        'a'..='z' | '0'..='9' => (false, character.to_string()),
        'A'..='Z' => (true, character.to_ascii_lowercase().to_string()),
        ' ' => (false, "spc".to_owned()),
        '\n' => (false, "ret".to_owned()),
        '-' => (false, "minus".to_owned()),
        '.' => (false, "dot".to_owned()),
        ';' => (false, "semicolon".to_owned()),
        '/' => (false, "slash".to_owned()),
        '\'' => (false, "apostrophe".to_owned()),
        _ => return None,
    };
    Some(
        shift
            .then(|| "shift".to_owned())
            .into_iter()
            .chain([name])
            .collect(),
    )
}
