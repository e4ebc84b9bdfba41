//! A root shell at the other end of a serial line.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::qmp::connect_patiently;

/// The shell is made quiet once, so that what comes back is the commands' output and nothing else:
/// no echo, no prompt, no line editor, no bracketed paste.
const QUIET: &str = "exec bash --noprofile --norc --noediting\n";
const QUIETER: &str = "stty -echo -onlcr cols 200; PS1=; PS2=\n";

/// The longest line the kernel's terminal takes (N_TTY_BUF_SIZE is 4096).
const LONGEST_LINE: usize = 4000;

/// The line, and all that has come over it so far.
#[derive(Debug)]
pub struct Console {
    line: UnixStream,
    heard: Arc<Heard>,
    read_to: usize,
    commands: u32,
}

#[derive(Debug, Default)]
struct Heard {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct State {
    text: Vec<u8>,
    closed: bool,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The exit status.
    pub status: i32,
    /// Standard output and standard error together.
    pub output: String,
}

impl Console {
    /// Opens the line; the shell's owner need not be logged in yet.
    pub fn open(socket: &Path) -> Result<Console> {
        let line = connect_patiently(socket)?;
        let heard = Arc::new(Heard::default());
        let mut reader = line.try_clone()?;
        let listener = Arc::clone(&heard);
        std::thread::spawn(move || listener.listen(&mut reader));
        Ok(Console {
            line,
            heard,
            read_to: 0,
            commands: 0,
        })
    }

    /// Waits for a fresh login's prompt and makes the shell quiet.
    pub fn take_over_login(&mut self, timeout: Duration) -> Result<()> {
        self.expect("root@", timeout)?;
        self.line.write_all(QUIET.as_bytes())?;
        self.line.write_all(QUIETER.as_bytes())?;
        self.run("true", timeout)?;
        Ok(())
    }

    /// Runs a command line with nothing to read from and no terminal to write to.
    pub fn run(&mut self, command: &str, timeout: Duration) -> Result<Outcome> {
        self.commands += 1;
        let mark = format!("=={}==", self.commands);
        // The mark is put together by the shell, so that an echo of this line is not taken for it.
        self.type_line(&format!(
            "{{ {command}\n}} </dev/null 2>&1 | cat; printf '=%s%s %d.\\n' '={}=' = ${{PIPESTATUS[0]}}",
            self.commands
        ))?;
        let mut output = self.expect(&format!("{mark} "), timeout)?;
        output.truncate(output.len() - mark.len() - 1);
        let status = self.expect(".\n", timeout)?;
        let status = status.trim_end_matches(".\n").parse()?;
        Ok(Outcome { status, output })
    }

    /// Types a line, as a person at the terminal would.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        ensure!(
            line.lines().all(|l| l.len() < LONGEST_LINE),
            "too long to type: {line}"
        );
        self.line.write_all(line.as_bytes())?;
        self.line.write_all(b"\n")?;
        Ok(())
    }

    /// Waits for a text to come and gives all that came up to its end.
    pub fn expect(&mut self, text: &str, timeout: Duration) -> Result<String> {
        let deadline = Instant::now() + timeout;
        let mut state = self
            .heard
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        loop {
            let fresh = &state.text[self.read_to..];
            if let Some(at) = find(fresh, text.as_bytes()) {
                let end = at + text.len();
                let said = String::from_utf8_lossy(&fresh[..end]).into_owned();
                self.read_to += end;
                return Ok(said);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.closed {
                let why = if state.closed {
                    "the machine ended"
                } else {
                    "it took too long"
                };
                let tail = String::from_utf8_lossy(tail(&state.text));
                bail!("{text:?} did not come, {why}; the console's last words:\n{tail}");
            }
            state = self
                .heard
                .more
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Heard {
    fn listen(&self, line: &mut UnixStream) {
        let mut buffer = [0; 4096];
        loop {
            let read = line.read(&mut buffer).unwrap_or(0);
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.text.extend_from_slice(&buffer[..read]);
            state.closed = read == 0;
            self.more.notify_all();
            if state.closed {
                return;
            }
        }
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}

fn tail(text: &[u8]) -> &[u8] {
    &text[text.len().saturating_sub(3000)..]
}
