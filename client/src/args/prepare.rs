//! What can be typed after `wendyctl prepare`.

use clap::ValueEnum;
use wendy_dbus::words::Mode;

use crate::output::units;

/// `prepare`
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Without a terminal, or with --json, nobody can be asked. Then look first, and pass on what you saw:

  wendyctl prepare sda --name NAME --dry-run --json     prints the plan and its \"token\"
  wendyctl prepare sda --name NAME --yes --token TOKEN  goes on if the plan is still the same

The token stands for this very device, all that would be lost and all that would be made. If
another stick is plugged in, or anything on it changes, the token fits no more.")]
pub struct Prepare {
    /// The device: sda, /dev/sda, or a label
    pub device: String,
    /// A name for the new store
    #[arg(long)]
    pub name: String,
    /// How [default: device for a disk, partition for a partition, free-space for the boot medium]
    #[arg(long, value_enum)]
    pub mode: Option<PrepareMode>,
    /// Size of the store, as in 8G or 500MiB [default: all there is room for]
    #[arg(long, value_parser = units::parse_size)]
    pub size: Option<u64>,
    /// Filesystem of the store [default: ext4]
    #[arg(long)]
    pub filesystem: Option<String>,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask; needs --token when something would be lost
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Token of the plan you agree to, from --dry-run
    #[arg(long, requires = "yes")]
    pub token: Option<String>,
}

/// How a device is prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrepareMode {
    /// Make the whole device anew
    Device,
    /// Make one partition anew
    Partition,
    /// Add a partition behind what is there, which stays
    FreeSpace,
    /// Put a file onto the filesystem that is there, whose other files stay
    Loopback,
}

impl From<PrepareMode> for Mode {
    fn from(mode: PrepareMode) -> Self {
        match mode {
            PrepareMode::Device => Self::Device,
            PrepareMode::Partition => Self::Partition,
            PrepareMode::FreeSpace => Self::FreeSpace,
            PrepareMode::Loopback => Self::Loopback,
        }
    }
}
