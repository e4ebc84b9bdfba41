//! The connection to the daemon.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, timeout, timeout_at};
use wendy_dbus::proxies::WendyProxy;
use wendy_dbus::{BUS_NAME, paths};
use zbus::fdo::{
    DBusProxy, ManagedObjects, NameOwnerChangedStream, ObjectManagerProxy, PropertiesProxy,
};
use zbus::message::{Message, Type};
use zbus::proxy::CacheProperties;
use zbus::{Connection, MatchRule, MessageStream};

use crate::error::{Exit, Failure};
use crate::world::World;

/// How long reading may take, the start of the daemon included.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long what was done may take to show on the bus.
const LAG: Duration = Duration::from_secs(2);

/// How long looking for stores on what has just been plugged in may take.
const EXAMINATION: Duration = Duration::from_secs(5);

/// Signals in the order they were sent.
pub type Signals = UnboundedReceiver<Message>;

/// A connection to the system bus, with the daemon at the other end.
#[derive(Clone, Debug)]
pub struct Bus {
    connection: Connection,
}

impl Bus {
    /// Connects. The daemon is started by the first call, if it is not running.
    pub async fn connect() -> Result<Self, Failure> {
        let unreachable = |error| {
            let message = format!("the system bus cannot be reached: {error}");
            Failure::new(Exit::NoDaemon, message).advise("is the service dbus running?")
        };
        let connection = Connection::system().await.map_err(unreachable)?;
        Ok(Self { connection })
    }

    /// The connection, for proxies.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The main object; its properties are not cached.
    pub async fn wendy(&self) -> Result<WendyProxy<'_>, Failure> {
        let proxy = WendyProxy::builder(&self.connection).cache_properties(CacheProperties::No);
        Ok(proxy.build().await?)
    }

    /// Everything the daemon shows, in one consistent picture.
    pub async fn world(&self) -> Result<World, Failure> {
        let root = self.properties(paths::ROOT, BUS_NAME).await?;
        let objects = patiently(self.objects()).await?;
        Ok(World::read(&root, objects)?)
    }

    /// Everything, once it is known which devices have stores; whatever is known if that takes too
    /// long.
    pub async fn examined_world(&self) -> Result<World, Failure> {
        let is_known = |world: &World| world.devices.iter().all(|device| device.examined);
        self.world_within(EXAMINATION, is_known).await
    }

    /// Everything, once it shows what was just done; whatever it shows if that takes too long.
    pub async fn world_once(&self, shows: impl Fn(&World) -> bool) -> Result<World, Failure> {
        self.world_within(LAG, shows).await
    }

    async fn world_within(
        &self,
        patience: Duration,
        is_right: impl Fn(&World) -> bool,
    ) -> Result<World, Failure> {
        let mut signals = self.signals(paths::ROOT).await?;
        let end = Instant::now() + patience;
        let mut world = self.world().await?;
        while !is_right(&world) && timeout_at(end, signals.recv()).await.is_ok() {
            world = self.world().await?;
        }
        Ok(world)
    }

    /// All properties of one interface of an object.
    pub async fn properties(
        &self,
        path: &str,
        interface: &'static str,
    ) -> Result<wendy_dbus::Dict, Failure> {
        let proxy = PropertiesProxy::builder(&self.connection)
            .destination(BUS_NAME)
            .path(path);
        let proxy = proxy.cache_properties(CacheProperties::No).build().await?;
        let interface = zbus::names::InterfaceName::from_static_str(interface)?;
        patiently(async { Ok(proxy.get_all(interface).await?) }).await
    }

    /// Every signal of the daemon from objects below a path, from now on.
    ///
    /// They are taken off the connection at once: a full queue of them would hold up everything
    /// behind it, the answer that is being waited for included.
    pub async fn signals(&self, below: &'static str) -> Result<Signals, Failure> {
        let rule = MatchRule::builder().msg_type(Type::Signal).sender(BUS_NAME);
        let rule = rule.path_namespace(below).build()?;
        let mut stream = MessageStream::for_match_rule(rule, &self.connection, None).await?;
        let (sender, receiver) = unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(signal)) = stream.next().await
                && sender.send(signal).is_ok()
            {}
        });
        Ok(receiver)
    }

    /// Has something to tell when the daemon leaves the bus, from now on.
    pub async fn departures(&self) -> Result<NameOwnerChangedStream, Failure> {
        let bus = DBusProxy::new(&self.connection).await?;
        let gone = [(0, BUS_NAME), (2, "")];
        Ok(bus.receive_name_owner_changed_with_args(&gone).await?)
    }

    async fn objects(&self) -> zbus::Result<ManagedObjects> {
        let proxy = ObjectManagerProxy::builder(&self.connection).destination(BUS_NAME);
        let proxy = proxy.path(paths::ROOT).build().await?;
        Ok(proxy.get_managed_objects().await?)
    }
}

async fn patiently<T>(call: impl Future<Output = zbus::Result<T>>) -> Result<T, Failure> {
    let late = |_| Failure::new(Exit::NoDaemon, "the daemon of wendy does not answer");
    let answer = timeout(PATIENCE, call).await.map_err(late)?;
    Ok(answer?)
}
