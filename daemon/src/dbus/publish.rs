//! Keeps the objects on the bus equal to the world and the jobs.
//!
//! One task follows both and sends what changed. It wakes only when something happens, five times a
//! second while a job works, and once when the oldest finished job is to be forgotten.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::watch, time::sleep_until};
use tokio_util::sync::CancellationToken;
use wendy_dbus::paths::ROOT;
use zbus::{Connection, fdo::ObjectManager, object_server::SignalEmitter};

use super::{
    context::Context,
    device::DeviceObject,
    job::{JobObject, tell_finished},
    manager::Manager,
    paths,
    session::SessionObject,
    shelf::Shelf,
    store::{StoreObject, StoreView},
    system::SystemView,
};
use crate::{
    jobs::{JobId, JobView},
    model::{Watcher, World},
};

/// Time between two looks at the progress of jobs.
const PROGRESS: Duration = Duration::from_millis(200);

/// Puts the root object and everything known so far on the bus. The name is for the caller to
/// request, when this has returned.
///
/// # Errors
/// If the bus cannot be talked to.
pub async fn serve(connection: &Connection, context: Arc<Context>) -> zbus::Result<Publisher> {
    let server = connection.object_server();
    server.at(ROOT, ObjectManager).await?;
    server.at(ROOT, Manager::new(context.clone())).await?;
    let mut publisher = Publisher {
        connection: connection.clone(),
        world: context.hub.watch(),
        jobs_changed: context.jobs.watch(),
        system: SystemView::of(&context.hub.snapshot()),
        devices: Shelf::new(connection, &context),
        stores: Shelf::new(connection, &context),
        sessions: Shelf::new(connection, &context),
        jobs: Shelf::new(connection, &context),
        told: BTreeSet::new(),
        context,
    };
    publisher
        .show_world(&publisher.context.hub.snapshot())
        .await?;
    Ok(publisher)
}

/// The task that follows the world and the jobs.
pub struct Publisher {
    connection: Connection,
    context: Arc<Context>,
    world: Watcher,
    jobs_changed: watch::Receiver<()>,
    system: SystemView,
    devices: Shelf<DeviceObject>,
    stores: Shelf<StoreObject>,
    sessions: Shelf<SessionObject>,
    jobs: Shelf<JobObject>,
    told: BTreeSet<JobId>,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}

impl Publisher {
    /// Runs until told to stop, and then shows how the last jobs ended.
    ///
    /// # Errors
    /// If the bus cannot be talked to any more.
    pub async fn run(mut self, stop: CancellationToken) -> zbus::Result<()> {
        loop {
            let next_look = self.next_look();
            tokio::select! {
                world = self.world.changed() => match world {
                    Some(world) => {
                        self.show_world(&world).await?;
                        // What happened may have been to the medium with the changes.
                        self.context.operations.look_at_system();
                    }
                    None => return Ok(()),
                },
                changed = self.jobs_changed.changed() => match changed {
                    Ok(()) => self.show_jobs().await?,
                    Err(_) => return Ok(()),
                },
                () = at(next_look) => self.show_jobs().await?,
                () = stop.cancelled() => return self.show_jobs().await,
            }
        }
    }

    async fn show_world(&mut self, world: &World) -> zbus::Result<()> {
        self.context.jobs.drop_gone(world);
        let stores = world.stores.iter();
        let stores: BTreeMap<_, _> = stores
            .map(|(key, store)| (*key, StoreView::new(*key, store, world)))
            .collect();
        let system = SystemView::of(world);
        // Whoever follows a path finds its object: what is pointed to comes first and goes last.
        if system.session.is_none() {
            self.tell_system(&system).await?;
        }
        self.sessions.keep_only(&world.sessions).await?;
        self.stores.keep_only(&stores).await?;
        self.devices.keep_only(&world.devices).await?;
        self.devices.show(world.devices.clone()).await?;
        self.stores.show(stores).await?;
        self.sessions.show(world.sessions.clone()).await?;
        self.tell_system(&system).await
    }

    async fn tell_system(&mut self, system: &SystemView) -> zbus::Result<()> {
        system.tell(&self.connection, &self.system).await?;
        self.system.clone_from(system);
        Ok(())
    }

    async fn show_jobs(&mut self) -> zbus::Result<()> {
        self.context.jobs.forget_old(Instant::now());
        self.context.operations.look_at_system();
        let views: BTreeMap<_, _> = self
            .context
            .jobs
            .views()
            .into_iter()
            .map(|view| (view.id, view))
            .collect();
        // What a job made is on the bus before the job says that it is done.
        self.show_world(&self.context.hub.snapshot()).await?;
        self.jobs.keep_only(&views).await?;
        self.told.retain(|id| views.contains_key(id));
        self.jobs.show(views.clone()).await?;
        self.context.latest_job.send_if_modified(|latest| {
            let newest = views.keys().next_back().copied().max(*latest);
            std::mem::replace(latest, newest) != newest
        });
        for view in views.values().filter(|view| view.outcome.is_some()) {
            self.tell_finished_once(view).await?;
        }
        Ok(())
    }

    async fn tell_finished_once(&mut self, view: &JobView) -> zbus::Result<()> {
        if self.told.insert(view.id) {
            let emitter = SignalEmitter::new(&self.connection, paths::job(view.id))?;
            tell_finished(&emitter, view).await?;
        }
        Ok(())
    }

    fn next_look(&self) -> Option<Instant> {
        if self.context.jobs.any_active() {
            return Some(Instant::now() + PROGRESS);
        }
        self.context.jobs.next_to_forget()
    }
}

/// Sleeps until then; for ever if there is no then.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}
