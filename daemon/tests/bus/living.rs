//! The daemon with its engine and its eyes, on a live system of the test's making.

use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::time::{sleep, timeout};
use wendy_dbus::{options::SaveOptions, paths::ROOT};
use wendy_sys::block::{Access, BlockDevice};
use wendyd::{
    authority::PolkitAuthority,
    devices::{Monitor, Running},
    engine::{self, Engine, UpperSource},
    jobs::Jobs,
    model::{Hub, LiveState, Stack, UpperKind},
    probe::Prober,
    run::{Rooms, Signals, run},
    stores::discover::{Adoption, Discovery},
};
use zbus::{Connection, OwnedObjectPath, fdo::ObjectManagerProxy};

use crate::{
    calls::{only_session, save},
    common::{Given, Live, Partition, Stick, ensure_udev, image},
    policy::ALLOW,
    system::{PATIENCE, System},
};

const ENV: &str = "WENDY_TEST_LIVE";
const TEST_NAME: &str = "living::the_live_daemon_process";

/// Not a test of anything: other tests start this program again to run only this, as the daemon.
#[test]
fn the_live_daemon_process() {
    if let Ok(order) = env::var(ENV) {
        let words: Vec<_> = order.split('\n').collect();
        let &[live, base, boot_medium] = words.as_slice() else {
            panic!("no such order: {words:?}")
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(serve(Path::new(live), base, boot_medium));
    }
}

/// As [`wendyd::start::start`], but for where the live system comes from.
async fn serve(live: &Path, base: &str, boot_medium: &str) {
    let signals = Signals::listen().unwrap();
    let (hub, jobs) = (Hub::new(), Jobs::new());
    let given = Given {
        upper: Some(live.join("upper")),
        base: image(base.as_bytes()),
    };
    hub.update(|world| {
        world.live = LiveState {
            stack: Some(Stack::LiveBoot),
            upper_kind: Some(UpperKind::Overlayfs),
            condition: given.condition(),
            base_image: given.base.to_string(),
            ..LiveState::default()
        };
    });
    let medium = (!boot_medium.is_empty())
        .then(|| BlockDevice::open(Path::new(boot_medium), Access::Read).unwrap());
    let running = Running {
        boot_medium: medium.iter().map(|it| it.identity().devnum).collect(),
        system: Vec::new(),
    };
    let (devices, _monitor) = Monitor::start(hub.clone(), running).unwrap();
    let prober = Prober::new(env!("CARGO_BIN_EXE_wendy-probe").into());
    let _discovery = Discovery::start(hub.clone(), devices, prober, Adoption::Off).unwrap();
    let config = engine::Config {
        indexes: live.join("index"),
        own_saves: live.join("saved"),
        losses: live.join("lost"),
        ..engine::Config::default()
    };
    let engine = Engine::new(hub.clone(), jobs.clone(), Arc::new(given), config);
    let rooms = Rooms {
        hub,
        jobs,
        operations: Arc::new(engine),
        authority: Arc::new(PolkitAuthority),
    };
    run(rooms, signals).await.unwrap();
}

/// A live system, a stick with a store, and the daemon that sees both.
pub struct Living {
    pub system: System,
    pub live: Live,
    _stick: Stick,
    pub partition: Partition,
    /// The store's object.
    pub store: OwnedObjectPath,
}

impl Living {
    pub async fn start(rules: &str) -> Living {
        ensure_udev();
        let stick = Stick::prepared(128 << 20);
        let partition = stick.partition(1);
        let live = Live::new();
        let system = start_on(rules, live.directory.path(), "one", None).await;
        let root = system.connect(0).await;
        let store = object_on(&root, ".Device", partition.node(), Some("Store")).await;
        Living {
            system,
            live,
            _stick: stick,
            partition,
            store,
        }
    }

    /// With one session in the store, and the session's object.
    pub async fn with_session() -> (Living, OwnedObjectPath) {
        let living = Living::start(ALLOW).await;
        let root = living.system.connect(0).await;
        let error = save(&root, &living.store, "One", SaveOptions::default()).await;
        assert_eq!(error, "");
        let session = only_session(&root, &living.store).await;
        (living, session)
    }

    /// Starts the daemon anew, on another image.
    pub async fn restart_on(mut self, rules: &str, base: &str) -> Living {
        let (live, node) = (self.live.directory.path(), self.partition.node());
        self.system = start_on(rules, live, base, None).await;
        let root = self.system.connect(0).await;
        self.store = object_on(&root, ".Device", node, Some("Store")).await;
        self
    }

    /// How wendyctl is told which store is meant.
    pub fn place(&self) -> &str {
        self.partition.node().to_str().unwrap()
    }
}

/// A daemon on this live system, whose medium is `boot_medium`.
pub async fn start_on(rules: &str, live: &Path, base: &str, boot_medium: Option<&Path>) -> System {
    let mut system = System::without_polkit().await;
    system.start_polkitd(rules).await;
    let medium = boot_medium.map(PathBuf::from).unwrap_or_default();
    let order = format!("{}\n{base}\n{}", live.display(), medium.display());
    system.start_test_as_daemon(TEST_NAME, (ENV, &order)).await;
    system
}

/// The device object with this node, or the object that its property `of` names; waits for it.
pub async fn object_on(
    connection: &Connection,
    interface: &str,
    node: &Path,
    of: Option<&str>,
) -> OwnedObjectPath {
    let manager = ObjectManagerProxy::new(connection, "org.ubuntu.Wendy", ROOT);
    let manager = manager.await.unwrap();
    let disk = BlockDevice::open(node, Access::Read).unwrap();
    let disk = disk.identity().diskseq;
    let find = async {
        loop {
            for (path, interfaces) in manager.get_managed_objects().await.unwrap() {
                let found = interfaces
                    .iter()
                    .find(|(name, _)| name.ends_with(interface));
                let Some((_, values)) = found else { continue };
                let shown = |name| values.get(name);
                let its_node = shown("DeviceNode").and_then(|it| it.downcast_ref::<&str>().ok());
                let its_disk = shown("DiskSeq").and_then(|it| it.downcast_ref::<u64>().ok());
                // The one before may still be shown with the node that is another's by now.
                if its_node.is_none_or(|it| Path::new(it) != node) || its_disk != Some(disk) {
                    continue;
                }
                let Some(of) = of else { return path };
                let named = values[of].downcast_ref::<zbus::ObjectPath<'_>>().unwrap();
                if named.as_str() != "/" {
                    return named.into();
                }
            }
            // Signals of the media of other tests, not taken fast enough, would hold up the answers.
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, find).await.expect("it shows up")
}
