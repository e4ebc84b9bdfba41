//! The daemon: arguments, logging, runtime; everything else is in the library.

use std::{env, ffi::OsString, io, process::ExitCode};

use tracing::{error, level_filters::LevelFilter};
use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};
use wendy_sys::namespace::{HIDDEN_COMMAND, hidden_main};
use wendyd::{
    run::{Signals, run},
    start::start,
};

/// Threads that may wait for media and prompts at once.
const MAX_WAITING: usize = 64;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    match arguments.next() {
        // The daemon's own helper, started anew; it must not have threads.
        Some(word) if word == HIDDEN_COMMAND => hidden_main(arguments),
        Some(word) => refuse(&word),
        None => serve(),
    }
}

fn refuse(word: &OsString) -> ExitCode {
    eprintln!("wendyd: {word:?} is not understood: the bus starts this program, see wendyctl(1)");
    ExitCode::from(2)
}

fn serve() -> ExitCode {
    log();
    match try_serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// One thread speaks to the bus; whatever may wait has threads of its own.
fn try_serve() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MAX_WAITING)
        .build()?;
    let served = runtime.block_on(async {
        let signals = Signals::listen()?;
        let (rooms, _watchers) = start()?;
        run(rooms, signals).await
    });
    // A medium that does not answer must not keep the daemon from ending.
    runtime.shutdown_background();
    served
}

/// To the journal with fields if systemd started us, else to stderr.
fn log() {
    let journal = env::var_os("JOURNAL_STREAM").and_then(|_| tracing_journald::layer().ok());
    let stderr = journal.is_none().then(|| {
        tracing_subscriber::fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(false)
            .without_time()
    });
    tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(journal)
        .with(stderr)
        .init();
}
