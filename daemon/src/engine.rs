//! The domain: preparing media, saving sessions, managing what is saved.
//!
//! Every operation is inspect, plan, (agree), inspect again, execute step by step, commit by one
//! rename. The engine is synchronous and knows nothing of D-Bus; the bus calls it through
//! [`Operations`](crate::operations::Operations) on threads made for that, after the caller was
//! authorised. It trusts nothing that a caller or a medium says, and no option bypasses a refusal.
//!
//! - `prepare` turns a device into a store.
//! - `save` copies the running session into one.
//! - `manage` renames, deletes, checks.
//! - `operations` is how the bus asks for all that.
//! - `lookup` finds devices and stores; `eligible` is what may be prepared.
//! - `source` is what is saved; `publish` shows what has changed.

mod eligible;
mod gone;
mod live;
mod lookup;
pub mod manage;
mod operations;
mod own_saves;
pub mod prepare;
mod publish;
pub mod save;
mod source;
mod token;
mod watch;

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    jobs::Jobs,
    model::{Hub, StoreKey},
    stores::{Losses, OpenStore},
};

pub(crate) use crate::error::{During, os};
pub use crate::error::{Error, Result};
pub use live::LiveSystem;
pub use own_saves::OwnSaves;
pub use source::{Source, StartedFrom, UpperSource};
pub use token::{LIFETIME, PER_CALLER, Token};
pub use watch::{Unwatched, Watch};

use prepare::PreparePlan;
use save::{Indexes, Paces};
use token::Tokens;

/// What differs from one installation to another.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the indexes of saves are kept until the next boot.
    pub indexes: PathBuf,
    /// Where saves are noted until the next boot.
    pub own_saves: PathBuf,
    /// Where it is noted until the next boot what could not be written to stores.
    pub losses: PathBuf,
    /// How long a finished prepare waits until the rest of the system has seen the new store.
    pub settle: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            indexes: PathBuf::from("/run/wendy/index"),
            own_saves: PathBuf::from("/run/wendy/saved"),
            losses: PathBuf::from("/run/wendy/lost"),
            settle: Duration::from_secs(30),
        }
    }
}

/// The engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    hub: Hub,
    jobs: Jobs,
    source: Arc<dyn UpperSource>,
    tokens: Arc<Tokens<PreparePlan>>,
    indexes: Indexes,
    own_saves: OwnSaves,
    losses: Losses,
    paces: Paces,
    settle: Duration,
}

impl Engine {
    /// An engine that works on what `hub` shows, runs long work in `jobs` and saves what `source`
    /// finds.
    pub fn new(hub: Hub, jobs: Jobs, source: Arc<dyn UpperSource>, config: Config) -> Engine {
        let indexes = Indexes::new(config.indexes);
        let own_saves = OwnSaves::new(config.own_saves, hub.clone());
        Engine {
            hub,
            jobs,
            source,
            tokens: Arc::default(),
            indexes,
            own_saves,
            losses: Losses::new(config.losses),
            paces: Paces::default(),
            settle: config.settle,
        }
    }

    /// Opens a store, lets `work` do something with it and shows what has changed.
    fn with_store<T>(
        &self,
        key: StoreKey,
        work: impl FnOnce(&OpenStore) -> Result<T>,
    ) -> Result<T> {
        let location = lookup::location(&self.hub.snapshot(), key)?;
        let name = location.name.clone();
        let store = OpenStore::open_noting(location, self.losses.clone())?;
        let done = work(&store);
        publish::publish(&self.hub, key, &store);
        done.map_err(|error| error.about(&name))
    }
}
