//! Password prompts: one per caller, withdrawn when nobody waits for them, and never in anybody
//! else's way.

mod leaving;
mod pulled;

use std::time::{Duration, Instant};

use tokio::{sync::mpsc::Receiver, task::JoinHandle, time::timeout};
use wendy_dbus::{
    Error, Result,
    options::{PrepareOptions, SaveOptions},
    paths::{DevicePath, StorePath},
    proxies::WendyProxy,
};
use zbus::{Connection, OwnedObjectPath};

use crate::{
    agent::{Event, Prompt, register},
    double::{ControlProxy, STICK, STORE},
    policy::ASK,
    system::{NOBODY, PATIENCE, System},
};

/// A caller with a prompt on their screen.
struct Prompted {
    system: System,
    root: Connection,
    caller: Connection,
    events: Receiver<Event>,
    prompt: Prompt,
    call: JoinHandle<Result<OwnedObjectPath>>,
}

impl Prompted {
    /// Somebody without rights prepares the stick.
    async fn new() -> Prompted {
        Prompted::asking(|caller| prepare(caller, "First")).await
    }

    /// Somebody without rights calls this.
    async fn asking<C>(call: impl FnOnce(Connection) -> C) -> Prompted
    where
        C: Future<Output = Result<OwnedObjectPath>> + Send + 'static,
    {
        let system = System::start(ASK).await;
        let (root, caller) = (system.connect(0).await, system.connect(NOBODY).await);
        let mut events = register(&root).await;
        let call = tokio::spawn(call(caller.clone()));
        let prompt = match next(&mut events).await {
            Event::Opened(prompt) => prompt,
            Event::Withdrawn => panic!("no prompt to withdraw"),
        };
        Prompted {
            system,
            root,
            caller,
            events,
            prompt,
            call,
        }
    }

    async fn calls(&self) -> Vec<String> {
        ControlProxy::new(&self.root)
            .await
            .unwrap()
            .calls()
            .await
            .unwrap()
    }
}

/// What the stick is prepared with.
fn preparation(name: &str) -> (OwnedObjectPath, PrepareOptions) {
    let stick = DevicePath {
        disk_seq: STICK.diskseq,
        partition: None,
    };
    let options = PrepareOptions {
        name: Some(name.to_owned()),
        ..PrepareOptions::default()
    };
    (stick.to_path(), options)
}

async fn prepare(caller: Connection, name: &str) -> Result<OwnedObjectPath> {
    let (device, options) = preparation(name);
    WendyProxy::new(&caller)
        .await?
        .prepare_device(&device, &options)
        .await
}

async fn next(events: &mut Receiver<Event>) -> Event {
    timeout(PATIENCE, events.recv())
        .await
        .expect("the agent hears of it in time")
        .unwrap()
}

#[tokio::test]
async fn the_right_password_lets_the_call_through() {
    let prompted = Prompted::new().await;
    prompted.prompt.confirm(&prompted.root).await;
    prompted.call.await.unwrap().unwrap();
    let control = ControlProxy::new(&prompted.root).await.unwrap();
    let expected = format!("prepare {STICK} \"First\" by {NOBODY}");
    assert_eq!(control.calls().await.unwrap(), [expected]);
}

#[tokio::test]
async fn a_dismissed_prompt_is_told_apart_from_a_no() {
    let prompted = Prompted::new().await;
    prompted.prompt.dismiss();
    let error = prompted.call.await.unwrap().unwrap_err();
    assert!(
        matches!(error, Error::NotAuthorizedDismissed(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_prompt_shows_the_drive_and_nothing_a_label_could_draw() {
    let prompted = Prompted::new().await;
    let message = &prompted.prompt.message;
    assert!(
        message.contains("ACME Stick\\u{a}\\u{24}(device)"),
        "{message}"
    );
    assert!(!message.contains(['\n', '<', '$']), "{message}");
}

#[tokio::test]
async fn an_administrators_rule_can_tell_one_stick_from_another() {
    let rule = "polkit.addRule(function(action, subject) {
        var known = action.lookup('drive.vendor') == 'ACME'
            && action.lookup('drive.removable') == 'true'
            && action.lookup('drive.removable.bus') == 'usb'
            && action.lookup('device') == '/dev/sdx';
        return known && action.lookup('name') == 'Ours' ? 'yes' : 'no';
    });";
    let system = System::start(rule).await;
    let caller = system.connect(NOBODY).await;
    let error = prepare(caller.clone(), "Theirs").await.unwrap_err();
    assert!(matches!(error, Error::NotAuthorized(_)), "{error:?}");
    prepare(caller, "Ours").await.unwrap();
}

#[tokio::test]
async fn a_second_call_cannot_ride_on_the_first_ones_prompt() {
    let prompted = Prompted::new().await;
    let error = prepare(prompted.caller.clone(), "Second")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Busy(_)), "{error:?}");
    prompted.prompt.confirm(&prompted.root).await;
    prompted.call.await.unwrap().unwrap();
    let control = ControlProxy::new(&prompted.root).await.unwrap();
    let expected = format!("prepare {STICK} \"First\" by {NOBODY}");
    assert_eq!(control.calls().await.unwrap(), [expected]);
}

#[tokio::test]
async fn an_open_prompt_holds_up_nobody_else() {
    let prompted = Prompted::new().await;
    let started = Instant::now();
    let store = StorePath(STORE.0).to_path();
    let wendy = WendyProxy::new(&prompted.root).await.unwrap();
    wendy
        .save_session(&store, "Mine", &SaveOptions::default())
        .await
        .unwrap();
    assert_eq!(wendy.state().await.unwrap(), "volatile");
    let manager =
        zbus::fdo::ObjectManagerProxy::new(&prompted.root, "org.ubuntu.Wendy", "/org/ubuntu/Wendy");
    assert!(
        manager
            .await
            .unwrap()
            .get_managed_objects()
            .await
            .unwrap()
            .len()
            >= 5
    );
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
}
