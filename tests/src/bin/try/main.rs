//! `try PACKAGE...`: a stock live system with the packages installed, on this terminal, with an empty
//! stick to plug and pull. For trying things by hand; `make vm` starts it.

mod bridge;
mod raw;

use std::io::{IsTerminal, Write, stdin, stdout};
use std::path::PathBuf;

use anyhow::{Result, ensure};
use wendy_tests::vm::{LiveImage, Plug, Stick, Suite, Vm};

use bridge::Event;

const STICK_SIZE: u64 = 4 << 30;

const WELCOME: &str = r#"
A stock Debian 13 live system is running, with wendy's package installed on it. You are root.

    Ctrl-] p    plugs an empty 4 GiB stick in, or pulls it out
    Ctrl-] q    switches the machine off and ends this

Try: wendyctl status
     Ctrl-] p
     wendyctl devices
     wendyctl prepare sda --name "My stick"
     wendyctl save "My session"
     reboot

After a reboot you are asked for the kernel parameters of the next boot, as in a boot menu: give
what `wendyctl save` printed. That boot has the same, untouched image, the stick if it is plugged
in, and takes two minutes.

Press Enter for the prompt."#;

fn main() -> Result<()> {
    let packages: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    ensure!(!packages.is_empty(), "usage: try PACKAGE...");
    ensure!(stdin().is_terminal(), "this needs a terminal");
    println!("Waking the live system; the first time it is built and booted, which takes minutes.");
    let image = LiveImage::of(Suite::Trixie)?;
    let vm = Vm::wake_with(&image, &packages)?;
    println!("{WELCOME}");
    Desk {
        image,
        stick: Stick::blank("STICK", STICK_SIZE)?,
        plugged: false,
    }
    .work(vm)
}

/// Where the person sits: the stick, and the machine's image to boot again.
struct Desk {
    image: LiveImage,
    stick: Stick,
    plugged: bool,
}

impl Desk {
    fn work(&mut self, mut vm: Vm) -> Result<()> {
        loop {
            let ended = self.sit_at(&mut vm)?;
            drop(vm);
            let parameters = match ended {
                Event::Off => ask_for_parameters()?,
                _ => return Ok(()),
            };
            let sticks: &[&Stick] = if self.plugged { &[&self.stick] } else { &[] };
            println!("Booting; the prompt comes in about two minutes.");
            vm = Vm::switch_on(&self.image, &parameters, sticks)?;
        }
    }

    /// Serves the terminal until the machine is off or the person has enough.
    fn sit_at(&mut self, vm: &mut Vm) -> Result<Event> {
        let screen = vm.screen()?;
        let _raw = raw::Mode::enter()?;
        loop {
            match bridge::run(&screen)? {
                Event::Plug => self.plug_or_pull(vm)?,
                end => return Ok(end),
            }
        }
    }

    fn plug_or_pull(&mut self, vm: &mut Vm) -> Result<()> {
        if self.plugged {
            vm.pull(&self.stick)?;
        } else {
            vm.connect(&self.stick, Plug::Fast)?;
        }
        self.plugged = !self.plugged;
        print!(
            "\r\n[the stick is {}]\r\n",
            if self.plugged { "in" } else { "out" }
        );
        Ok(stdout().flush()?)
    }
}

fn ask_for_parameters() -> Result<String> {
    print!("\nThe machine is off. Kernel parameters for the next boot (Ctrl-D ends): ");
    stdout().flush()?;
    let mut line = String::new();
    if stdin().read_line(&mut line)? == 0 {
        std::process::exit(0);
    }
    Ok(line.trim().to_owned())
}
