//! `wendyctl save`: keep the running session under a name.

mod plan;
mod report;
mod target;

use wendy_dbus::options::SaveOptions;

use crate::args;
use crate::bus::Bus;
use crate::error::{Exit, Failure};
use crate::follow;
use crate::output::{Output, units};
use crate::world::World;
use target::Target;

/// Saves and says what was saved and how to boot it.
pub async fn run(args: &args::Save, output: &Output) -> Result<(), Failure> {
    let bus = Bus::connect().await?;
    let world = bus.examined_world().await?;
    let target = target::find(args, &world)?;
    let options = options(args, &target);
    let wendy = bus.wendy().await?;
    if args.dry_run {
        let plan = wendy
            .plan_save(&target.store.path, target.name, &options)
            .await?;
        return plan::show(&target, &plan, output);
    }
    let begun = units::now();
    let save = wendy.save_session(&target.store.path, target.name, &options);
    let facts = match follow::run(&bus, output, save).await {
        Err(failure) if failure.exit == Exit::NoSpace && !args.overwrite => {
            let plan = wendy.plan_save(&target.store.path, target.name, &options);
            return Err(plan::way_out(failure, plan.await.ok().as_ref()));
        }
        other => other?,
    };
    let took = u64::try_from(units::now() - begun).unwrap_or(0);
    let session = facts.session.as_ref();
    let shown = |world: &World| session.is_none_or(|path| world.session(path).is_some());
    report::show(&bus.world_once(shown).await?, &target, &facts, took, output)
}

fn options(args: &args::Save, target: &Target<'_>) -> SaveOptions {
    SaveOptions {
        session: target.session.map(|session| session.path.clone()),
        default: args.default.then_some(true),
        exclude: (!args.exclude.is_empty()).then(|| args.exclude.clone()),
        quiesce: None,
        overwrite: args.overwrite.then_some(true),
    }
}
