//! `wendyctl man`: the manual pages, for packagers.

use clap::CommandFactory;

use crate::args::{self, Args};
use crate::error::Failure;

/// Writes `wendyctl.1` and a page per subcommand.
pub fn run(args: &args::Man) -> Result<(), Failure> {
    Ok(clap_mangen::generate_to(Args::command(), &args.directory)?)
}
