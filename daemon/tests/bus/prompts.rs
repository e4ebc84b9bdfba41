//! Password prompts: one per caller, withdrawn when nobody waits for them, and never in anybody
//! else's way.

use std::time::{Duration, Instant};

use tokio::{sync::mpsc::Receiver, task::JoinHandle, time::timeout};
use wendy_dbus::{
    Error, Result,
    options::{NoOptions, PrepareOptions, SaveOptions},
    paths::{DevicePath, SessionPath, StorePath},
    proxies::{SessionProxy, WendyProxy},
};
use zbus::{Connection, OwnedObjectPath, fdo::PeerProxy};

use crate::{
    agent::{Event, Prompt, register},
    double::{ControlProxy, SESSION, SLOW, STICK, STORE},
    policy::{ALLOW, ASK, POLICIES},
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

async fn prepare(caller: Connection, name: &str) -> Result<OwnedObjectPath> {
    let device = DevicePath {
        disk_seq: STICK.diskseq,
        partition: None,
    }
    .to_path();
    let options = PrepareOptions {
        name: Some(name.to_owned()),
        ..PrepareOptions::default()
    };
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
async fn a_caller_who_leaves_takes_the_prompt_along() {
    let mut prompted = Prompted::new().await;
    prompted.call.abort();
    prompted.caller.clone().close().await.unwrap();
    assert!(matches!(next(&mut prompted.events).await, Event::Withdrawn));
    // The daemon lives, and nothing was done.
    assert_eq!(prompted.calls().await, [""; 0]);
    let other = prompted.system.connect(NOBODY).await;
    let error = prepare_without_prompt(&other).await.unwrap_err();
    assert!(
        matches!(error, Error::NotAuthorizedCanObtain(_)),
        "{error:?}"
    );
}

async fn prepare_without_prompt(caller: &Connection) -> Result<()> {
    let device = DevicePath {
        disk_seq: STICK.diskseq,
        partition: None,
    }
    .to_path();
    let options = PrepareOptions {
        name: Some("Quiet".to_owned()),
        ..PrepareOptions::default()
    };
    let to = (
        Some("org.ubuntu.Wendy"),
        "/org/ubuntu/Wendy",
        Some("org.ubuntu.Wendy"),
    );
    let body = (device, options);
    let reply = caller
        .call_method(to.0, to.1, to.2, "PrepareDevice", &body)
        .await;
    reply.map(|_| ()).map_err(Error::from)
}

#[tokio::test]
async fn a_caller_who_leaves_at_once_gets_nothing_done_that_others_cannot_see() {
    for policy in POLICIES {
        let system = System::start(policy.rules).await;
        let root = system.connect(0).await;
        for _ in 0..20 {
            call_and_leave(&system.connect(NOBODY).await).await;
        }
        PeerProxy::new(&root, "org.ubuntu.Wendy", "/")
            .await
            .unwrap()
            .ping()
            .await
            .unwrap();
        // All calls were answered before this one: the daemon reads them in turn.
        let control = ControlProxy::new(&root).await.unwrap();
        let mut calls = control.calls().await.unwrap();
        assert!(policy.refusal.is_none() || calls.is_empty(), "{calls:?}");
        calls.dedup();
        let own = format!("prepare {STICK} \"Gone\" by {NOBODY}");
        assert!(calls.is_empty() || calls == [own], "{calls:?}");
    }
}

async fn call_and_leave(caller: &Connection) {
    let device = DevicePath {
        disk_seq: STICK.diskseq,
        partition: None,
    }
    .to_path();
    let options = PrepareOptions {
        name: Some("Gone".to_owned()),
        ..Default::default()
    };
    let message = zbus::Message::method_call("/org/ubuntu/Wendy", "PrepareDevice")
        .destination("org.ubuntu.Wendy")
        .interface("org.ubuntu.Wendy")
        .build(&(device, options))
        .unwrap();
    caller.send(&message).await.unwrap();
    caller.clone().close().await.unwrap();
}

#[tokio::test]
async fn a_caller_who_leaves_before_the_job_has_begun_gets_none() {
    let system = System::start(ALLOW).await;
    let (root, caller) = (system.connect(0).await, system.connect(NOBODY).await);
    let control = ControlProxy::new(&root).await.unwrap();
    let call = tokio::spawn(prepare(caller.clone(), SLOW));
    let asked = format!("prepare {STICK} {SLOW:?} by {NOBODY}");
    wait_for_calls(&control, std::slice::from_ref(&asked)).await;
    call.abort();
    caller.close().await.unwrap();
    wait_for_calls(&control, &[asked, "left".to_owned()]).await;
    // The stick is free: whoever asks next has it.
    let next = system.connect(NOBODY).await;
    prepare(next, "Next").await.unwrap();
}

async fn wait_for_calls(control: &ControlProxy<'_>, expected: &[String]) {
    let deadline = Instant::now() + PATIENCE;
    while control.calls().await.unwrap() != expected {
        assert!(Instant::now() < deadline, "{expected:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_session_that_vanishes_during_the_prompt_is_gone_after_it() {
    let prompted = Prompted::asking(async |caller| {
        let session = SessionProxy::builder(&caller)
            .path(SessionPath(SESSION.0).to_path())
            .build()
            .await?;
        session.delete(&NoOptions {}).await
    })
    .await;
    let control = ControlProxy::new(&prompted.root).await.unwrap();
    control.unplug().await.unwrap();
    prompted.prompt.confirm(&prompted.root).await;
    let error = prompted.call.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Gone(_)), "{error:?}");
    assert_eq!(control.calls().await.unwrap(), [""; 0]);
}

/// Where no prompt comes up, what is gone is not found, whoever asks.
#[tokio::test]
async fn what_was_pulled_is_not_found_under_any_policy() {
    for policy in POLICIES {
        let system = System::start(policy.rules).await;
        let (root, nobody) = (system.connect(0).await, system.connect(NOBODY).await);
        let control = ControlProxy::new(&root).await.unwrap();
        control.unplug().await.unwrap();
        for caller in [root, nobody] {
            let error = prepare(caller, "Gone").await.unwrap_err();
            assert!(matches!(error, Error::NotFound(_)), "{error:?}");
        }
        assert_eq!(control.calls().await.unwrap(), [""; 0]);
    }
}

#[tokio::test]
async fn a_stick_pulled_during_the_prompt_is_gone_after_it() {
    let prompted = Prompted::new().await;
    ControlProxy::new(&prompted.root)
        .await
        .unwrap()
        .unplug()
        .await
        .unwrap();
    prompted.prompt.confirm(&prompted.root).await;
    let error = prompted.call.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Gone(_)), "{error:?}");
    let control = ControlProxy::new(&prompted.root).await.unwrap();
    assert_eq!(control.calls().await.unwrap(), [""; 0]);
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
