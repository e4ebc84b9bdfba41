//! The emulator's control socket (QMP: one JSON object per line, see QEMU's qmp-spec).

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// How long the emulator may take for one command.
const PATIENCE: Duration = Duration::from_secs(600);

/// A connection that has negotiated and may send commands.
#[derive(Debug)]
pub struct Qmp {
    lines: BufReader<UnixStream>,
    events: Vec<Value>,
}

impl Qmp {
    /// Connects to the socket, which the emulator may still be about to make.
    pub fn connect(socket: &Path) -> Result<Qmp> {
        let stream = connect_patiently(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut qmp = Qmp {
            lines: BufReader::new(stream),
            events: Vec::new(),
        };
        qmp.read_message().context("the emulator's greeting")?;
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs one command and gives what it returns.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.lines.get_mut(), "{request}")?;
        loop {
            let mut message = self.read_message().with_context(|| command.to_owned())?;
            if message.get("event").is_some() {
                self.events.push(message);
            } else if let Some(error) = message.get("error") {
                bail!("the emulator refused {command}: {error}");
            } else {
                return Ok(message["return"].take());
            }
        }
    }

    /// Waits for an event of that name about that device, also when it came earlier.
    pub fn wait_for_device_event(&mut self, name: &str, device: &str) -> Result<()> {
        loop {
            let found = self
                .events
                .iter()
                .position(|e| e["event"] == name && e["data"]["device"] == device);
            if let Some(index) = found {
                self.events.remove(index);
                return Ok(());
            }
            let message = self
                .read_message()
                .with_context(|| format!("{name} of {device}"))?;
            self.events.push(message);
        }
    }

    /// Asks the same question until the answer is the one waited for: for the few things about which
    /// the emulator sends no event.
    pub fn poll(
        &mut self,
        timeout: Duration,
        command: &str,
        done: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let deadline = Instant::now() + timeout;
        loop {
            let answer = self.execute(command, json!({}))?;
            if done(&answer) {
                return Ok(answer);
            }
            ensure!(Instant::now() < deadline, "{command} still says {answer}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Reads on until the emulator has ended by itself.
    pub fn wait_for_end(&mut self, timeout: Duration) -> Result<()> {
        self.lines.get_ref().set_read_timeout(Some(timeout))?;
        let mut line = String::new();
        while self.lines.read_line(&mut line)? != 0 {
            line.clear();
        }
        Ok(())
    }

    fn read_message(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            bail!("the emulator has gone");
        }
        Ok(serde_json::from_str(&line)?)
    }
}

/// The emulator makes its sockets a moment after it starts.
pub(super) fn connect_patiently(socket: &Path) -> Result<UnixStream> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() > deadline => {
                return Err(error).with_context(|| socket.display().to_string());
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
