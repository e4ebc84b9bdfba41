//! Waiting for what is about to happen.

use std::{
    thread,
    time::{Duration, Instant},
};

use wendyd::model::{Hub, World};

/// Waits until something is so, half a minute at most.
pub fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::yield_now();
    }
}

/// Waits for a world in which `wanted` finds something.
pub fn eventually_in<T>(hub: &Hub, what: &str, wanted: impl Fn(&World) -> Option<T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut watcher = hub.watch();
    let search = async {
        loop {
            let world = watcher.changed().await.unwrap();
            if let Some(found) = wanted(&world) {
                return found;
            }
        }
    };
    let in_time = async { tokio::time::timeout(Duration::from_secs(120), search).await };
    runtime
        .block_on(in_time)
        .unwrap_or_else(|_| panic!("no {what}: {:#?}", hub.snapshot()))
}
