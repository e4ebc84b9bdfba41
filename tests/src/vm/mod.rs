//! Stock live systems in an emulated machine.
//!
//! A [`Vm`] is a machine with a live system running and a root shell on its second serial line.
//! It is either booted for real ([`Vm::boot`], minutes without hardware help) or woken from a
//! memory image made right after such a boot ([`Vm::wake`], seconds); a [`Scene`] is one of a later
//! instant. Sticks are image files on the
//! host: what is in the file after the machine is gone is what a real stick would hold.
//!
//! The emulator runs without acceleration, so that the tests run on any machine.

mod console;
mod image;
mod keyboard;
mod machine;
mod memory;
mod plugging;
mod qmp;
mod recording;
mod scene;
mod slot;
mod stick;

pub use console::{Console, Outcome};
pub use image::{LiveImage, OtherStack, Suite};
pub use machine::{Vm, program};
pub use qmp::Qmp;
pub use recording::Recording;
pub use scene::Scene;
pub use stick::{Plug, Stick};
