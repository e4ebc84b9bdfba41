//! `wendyctl prepare`: make a store on a device, once somebody has agreed to what is lost.

mod fingerprint;
mod sentences;

use serde::Serialize;
use wendy_dbus::objects::Device;
use wendy_dbus::options::PrepareOptions;
use wendy_dbus::plans::PreparePlan;
use wendy_dbus::words::{Mode, Word};
use wendy_text::quoted;
use zbus::OwnedObjectPath;

use crate::args;
use crate::bus::Bus;
use crate::consent;
use crate::error::{Exit, Failure};
use crate::follow;
use crate::output::Output;
use crate::output::views::{PreparePlanView, StoreView};
use crate::resolve;
use crate::world::{Object, World, short};

const HOW_TO_AGREE: &str = "see 'wendyctl prepare --help' about --dry-run, --yes and --token";

#[derive(Serialize)]
struct PlanView<'a> {
    plan: PreparePlanView<'a>,
    token: &'a str,
}

#[derive(Serialize)]
struct PreparedView<'a> {
    event: &'static str,
    store: StoreView<'a>,
}

/// Plans, asks, prepares and says what was made.
pub async fn run(args: &args::Prepare, output: &Output) -> Result<(), Failure> {
    let bus = Bus::connect().await?;
    let world = bus.examined_world().await?;
    let device = resolve::device(&world, &args.device)?;
    let wendy = bus.wendy().await?;
    let (plan, token) = wendy
        .plan_prepare(&device.path, &options(args, device, None))
        .await?;
    let fingerprint = fingerprint::of(device, &plan);
    if args.dry_run {
        return show(device, &plan, &fingerprint, output);
    }
    agree(args, device, &plan, &fingerprint, output)?;
    let options = options(args, device, (!token.is_empty()).then_some(token));
    let facts = follow::run(&bus, output, wendy.prepare_device(&device.path, &options)).await?;
    let store = facts.store.as_ref();
    let shown = |world: &World| store.is_none_or(|path| world.store(path).is_some());
    report(&bus.world_once(shown).await?, store, output)
}

fn options(args: &args::Prepare, device: &Device, token: Option<String>) -> PrepareOptions {
    let mode = args.mode.map_or_else(|| usual_mode(device), Mode::from);
    PrepareOptions {
        mode: Some(mode.word().to_owned()),
        name: Some(args.name.clone()),
        size: args.size,
        filesystem: args.filesystem.clone(),
        token,
        ..PrepareOptions::default()
    }
}

/// Of the boot medium there is only one thing that can be done.
fn usual_mode(device: &Device) -> Mode {
    match wendy_dbus::paths::is_none(device.parent.as_str()) {
        true if device.boot_medium => Mode::FreeSpace,
        true => Mode::Device,
        false => Mode::Partition,
    }
}

fn show(
    device: &Object<Device>,
    plan: &PreparePlan,
    fingerprint: &str,
    output: &Output,
) -> Result<(), Failure> {
    output.object(&PlanView {
        plan: PreparePlanView::new(plan),
        token: fingerprint,
    })?;
    sentences::plan(device, plan)
        .iter()
        .try_for_each(|line| output.line(line))?;
    output.line(format!(
        "To do it without being asked: --yes --token {fingerprint}"
    ))
}

/// Comes back only when somebody has agreed to this very plan.
fn agree(
    args: &args::Prepare,
    device: &Object<Device>,
    plan: &PreparePlan,
    fingerprint: &str,
    output: &Output,
) -> Result<(), Failure> {
    match (&args.token, args.yes) {
        (Some(token), _) if token == fingerprint => Ok(()),
        (Some(_), _) => {
            let message = "the token is for another device or another plan, nothing was changed";
            Err(Failure::new(Exit::NotAgreed, message).advise("look again with --dry-run"))
        }
        (None, true) if !plan.destroys => Ok(()),
        (None, true) => {
            let message = format!(
                "{} is not empty and --yes came without --token",
                resolve::describe_device(device)
            );
            Err(Failure::new(Exit::NotAgreed, message).advise(HOW_TO_AGREE))
        }
        (None, false) => ask(device, plan, output),
    }
}

fn ask(device: &Object<Device>, plan: &PreparePlan, output: &Output) -> Result<(), Failure> {
    if output.is_json() {
        let message = "--json cannot ask anybody, nothing was changed";
        return Err(Failure::new(Exit::NotAgreed, message).advise(HOW_TO_AGREE));
    }
    sentences::plan(device, plan)
        .iter()
        .for_each(|line| output.note(line));
    let node = short(&device.device_node);
    let escaped = wendy_text::safe(node);
    let question = if plan.destroys {
        format!("Type {escaped} or yes to erase it:")
    } else {
        format!("Type {escaped} or yes to go on:")
    };
    consent::ask(&question, &[node, "yes"], HOW_TO_AGREE)
}

fn report(world: &World, store: Option<&OwnedObjectPath>, output: &Output) -> Result<(), Failure> {
    let Some(store) = store.and_then(|path| world.store(path)) else {
        let later =
            "The device is prepared; 'wendyctl sessions' shows its store once the system sees it.";
        return output.line(later);
    };
    output.object(&PreparedView {
        event: "prepared",
        store: StoreView::new(store),
    })?;
    let room = crate::output::units::size(store.free);
    let name = quoted(&store.name);
    output.line(format!("The store {name} is ready, with room for {room}."))?;
    output.line("To keep what you did: wendyctl save NAME")
}
