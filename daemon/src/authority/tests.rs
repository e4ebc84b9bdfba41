//! The gate before scripted authorities.

use std::sync::mpsc;

use gio::prelude::CancellableExtManual;

use super::{
    rules::{Circumstances, Rule, methods, required},
    *,
};

/// Answers without and with a prompt.
#[derive(Debug)]
struct Scripted(Verdict, Verdict);

impl Authority for Scripted {
    fn check(
        &self,
        _: &Question,
        prompt: bool,
        _: &gio::Cancellable,
    ) -> Result<Verdict, Unavailable> {
        Ok(if prompt { self.1 } else { self.0 })
    }
}

/// Answers nothing until withdrawn.
#[derive(Debug)]
struct Silent;

impl Authority for Silent {
    fn check(
        &self,
        _: &Question,
        prompt: bool,
        withdraw: &gio::Cancellable,
    ) -> Result<Verdict, Unavailable> {
        if !prompt {
            return Ok(Verdict::Challenge);
        }
        let (send, withdrawn) = mpsc::channel();
        withdraw.connect_cancelled(move |_| send.send(()).unwrap());
        withdrawn.recv().unwrap();
        Err(Unavailable("withdrawn".to_owned()))
    }
}

#[derive(Debug)]
struct Broken;

impl Authority for Broken {
    fn check(&self, _: &Question, _: bool, _: &gio::Cancellable) -> Result<Verdict, Unavailable> {
        Err(Unavailable("not there".to_owned()))
    }
}

fn question(uid: u32) -> Question {
    let action = Action::SaveSession;
    Question {
        caller: ":1.5".to_owned(),
        uid,
        action,
        details: Details::new(),
    }
}

async fn check(authority: impl Authority + 'static, uid: u32, prompt: bool) -> Result<(), Denied> {
    let gate = Gate::new(Arc::new(authority));
    gate.check(&question(uid), prompt, &CancellationToken::new())
        .await
}

#[tokio::test]
async fn prompts_need_the_callers_consent() {
    use Verdict::{Challenge, Dismissed, No, Yes};
    let action = Action::SaveSession;
    let cases = [
        (Scripted(Yes, No), false, Ok(())),
        (Scripted(No, Yes), true, Err(Denied::No(action))),
        (
            Scripted(Challenge, Yes),
            false,
            Err(Denied::CanObtain(action)),
        ),
        (Scripted(Challenge, Yes), true, Ok(())),
        (Scripted(Challenge, No), true, Err(Denied::No(action))),
        (
            Scripted(Challenge, Dismissed),
            true,
            Err(Denied::Dismissed(action)),
        ),
    ];
    for (authority, interactive, expected) in cases {
        let name = format!("{authority:?} {interactive}");
        assert_eq!(
            check(authority, 1000, interactive).await,
            expected,
            "{name}"
        );
    }
}

#[tokio::test]
async fn without_an_answer_root_alone_may_act() {
    assert_eq!(check(Broken, 0, false).await, Ok(()));
    assert_eq!(
        check(Broken, 1000, true).await,
        Err(Denied::No(Action::SaveSession))
    );
}

#[tokio::test]
async fn a_silent_authority_denies_in_the_end() {
    let mut gate = Gate::new(Arc::new(Silent));
    gate.patience.prompt = Duration::from_millis(20);
    let verdict = gate
        .check(&question(1000), true, &CancellationToken::new())
        .await;
    assert_eq!(verdict, Err(Denied::No(Action::SaveSession)));
}

#[tokio::test]
async fn a_caller_has_one_prompt_and_leaving_withdraws_it() {
    let gate = Arc::new(Gate::new(Arc::new(Silent)));
    let gone = CancellationToken::new();
    let (first_gate, first_gone) = (gate.clone(), gone.clone());
    let first =
        tokio::spawn(async move { first_gate.check(&question(1000), true, &first_gone).await });
    while gate.prompting.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let second = gate
        .check(&question(1000), true, &CancellationToken::new())
        .await;
    assert_eq!(second, Err(Denied::PromptOpen));
    gone.cancel();
    assert_eq!(first.await.unwrap(), Err(Denied::CallerGone));
    assert!(gate.prompting.lock().unwrap().is_empty());
}

#[test]
fn the_rules_list_the_methods_of_the_contract_and_no_others() {
    let mut contract = Vec::new();
    for (interface, xml) in wendy_dbus::INTERFACES {
        let node = zbus_xml::Node::from_reader(xml.as_bytes()).unwrap();
        for method in node.interfaces()[0].methods() {
            contract.push((interface.to_owned(), method.name().to_string()));
        }
    }
    let mut listed: Vec<_> = methods()
        .map(|(interface, method, _)| (interface.to_owned(), method.to_owned()))
        .collect();
    contract.sort();
    listed.sort();
    assert_eq!(listed, contract);
}

#[test]
fn only_planning_is_open() {
    let open = methods().filter(|(_, _, rule)| *rule == Rule::Open);
    let open: Vec<_> = open.map(|(_, method, _)| method).collect();
    assert_eq!(open, ["PlanPrepare"]);
}

#[test]
fn consequences_decide_the_action() {
    let plain = Circumstances::default();
    let prepare = |c| required("org.ubuntu.Wendy", "PrepareDevice", c);
    assert_eq!(prepare(plain), Ok(Some(Action::PrepareDeviceSystem)));
    let removable = Circumstances {
        removable_device: true,
        ..plain
    };
    assert_eq!(prepare(removable), Ok(Some(Action::PrepareDevice)));
    let cancel = |c| required("org.ubuntu.Wendy.Job", "Cancel", c);
    assert_eq!(cancel(plain), Ok(Some(Action::ManageOthers)));
    assert_eq!(
        cancel(Circumstances {
            own_job: true,
            ..plain
        }),
        Ok(None)
    );
    assert_eq!(
        required("org.ubuntu.Wendy", "Nonsense", plain),
        Err(rules::NoRule)
    );
}
