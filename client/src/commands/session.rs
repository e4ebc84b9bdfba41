//! `wendyctl session show`: all that is known of one session.

use wendy_text::{quoted, safe};

use crate::args::{self, Chosen, SessionCommand};
use crate::bus::Bus;
use crate::commands::sessions;
use crate::error::Failure;
use crate::output::views::SessionView;
use crate::output::{Output, units};
use crate::resolve;

/// Runs a subcommand of `session`.
pub async fn run(args: &args::Session, output: &Output) -> Result<(), Failure> {
    match &args.command {
        SessionCommand::Show(chosen) => show(chosen, output).await,
    }
}

async fn show(chosen: &Chosen, output: &Output) -> Result<(), Failure> {
    let world = Bus::connect().await?.examined_world().await?;
    let session = resolve::session(&world, &chosen.session, chosen.store.as_deref())?;
    output.object(&SessionView::new(&world, session))?;
    let store = world.store(&session.store);
    let place = store.map(|s| format!("{} on {}", quoted(&s.name), safe(world.place(s))));
    let now = units::now();
    let contents = format!(
        "{} in {}",
        units::size(session.size),
        units::things(session.files, "file", "files")
    );
    let facts = [
        ("Name", safe(&session.name)),
        ("Store", place.unwrap_or_default()),
        ("State", sessions::state(&world, session)),
        ("Saved", units::moment(session.saved, now)),
        ("Created", units::moment(session.created, now)),
        ("Times saved", units::count(u64::from(session.generation))),
        ("Contents", contents),
        (
            "Live system",
            format!("{}, {}", safe(&session.stack), safe(&session.upper_kind)),
        ),
        ("Base image", safe(&session.base_image)),
        ("Kernel", safe(&session.kernel)),
        ("To boot it", safe(&session.kernel_parameters)),
        ("ID", session.id().to_owned()),
    ];
    facts
        .iter()
        .try_for_each(|(name, value)| output.line(format!("{name:<12} {value}").trim_end()))
}
