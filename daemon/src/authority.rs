//! May this caller do that? Asked before anything else happens, and answered by polkit.
//!
//! [`rules`] says which question each method raises, [`details`] what the prompt can show,
//! [`polkit`] asks, and [`Gate`] keeps the asking within bounds: a question has a deadline, a caller
//! has one prompt, and no usable answer means that root alone may act. The caller is always its
//! unique bus name, never a process id, which another process could take over.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use gio::prelude::CancellableExt;
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

mod action;
mod details;
mod polkit;
pub mod rules;
#[cfg(test)]
mod tests;

pub use action::Action;
pub use details::Details;
pub use polkit::PolkitAuthority;

/// How long polkit may think about a question that needs no person.
const QUICK: Duration = Duration::from_secs(10);
/// How long a prompt stays open.
const PATIENT: Duration = Duration::from_secs(300);
/// Prompts that may be open at once, of all callers. Each takes a thread.
const MAX_PROMPTS: usize = 8;

/// What is asked about whom.
#[derive(Debug, Clone)]
pub struct Question {
    /// The caller's unique bus name.
    pub caller: String,
    /// The caller's user, as the bus daemon says.
    pub uid: u32,
    /// What the caller wants to do.
    pub action: Action,
    /// What it is about, for prompts and for the administrator's rules.
    pub details: Details,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The caller may.
    Yes,
    /// The caller may not.
    No,
    /// The caller may after a person has given a password.
    Challenge,
    /// A person was asked and turned it down.
    Dismissed,
}

/// There is nobody to ask, or the answer makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("polkit gives no answer: {0}")]
pub struct Unavailable(pub String);

/// Who answers. Called on a thread that may block until `withdraw` is triggered.
pub trait Authority: Send + Sync + std::fmt::Debug {
    /// Answers a question, showing a prompt only if `prompt` says so.
    ///
    /// # Errors
    /// [`Unavailable`], when there is no answer to rely on.
    fn check(
        &self,
        question: &Question,
        prompt: bool,
        withdraw: &gio::Cancellable,
    ) -> Result<Verdict, Unavailable>;
}

/// Why a caller may not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// By policy.
    #[error("not authorized for {0}: ask an administrator")]
    No(Action),
    /// A prompt could change that, but the call does not allow one.
    #[error("not authorized for {0} without a prompt: call again and allow interaction")]
    CanObtain(Action),
    /// The person at the prompt turned it down.
    #[error("the prompt for {0} was dismissed: call again to be asked again")]
    Dismissed(Action),
    /// Too many prompts are open.
    #[error("a prompt is open already: answer it first")]
    PromptOpen,
    /// The caller left the bus, so nobody wants it any more.
    #[error("the caller has left the bus")]
    CallerGone,
}

/// Asks the authority, within bounds.
#[derive(Debug)]
pub struct Gate {
    authority: Arc<dyn Authority>,
    prompts: Semaphore,
    prompting: Mutex<HashSet<u32>>,
    patience: Patience,
}

#[derive(Debug)]
struct Patience {
    question: Duration,
    prompt: Duration,
}

impl Gate {
    /// A gate before this authority.
    pub fn new(authority: Arc<dyn Authority>) -> Gate {
        let prompts = Semaphore::new(MAX_PROMPTS);
        let patience = Patience {
            question: QUICK,
            prompt: PATIENT,
        };
        Gate {
            authority,
            prompts,
            prompting: Mutex::default(),
            patience,
        }
    }

    /// Whether the caller may go on; shows a prompt only if the caller allows it.
    ///
    /// # Errors
    /// [`Denied`], also when `gone` says that the caller left meanwhile.
    pub async fn check(
        &self,
        question: &Question,
        interactive: bool,
        gone: &CancellationToken,
    ) -> Result<(), Denied> {
        let action = question.action;
        match self.ask(question, false, gone).await? {
            Verdict::Yes => Ok(()),
            Verdict::Challenge if interactive => self.prompt(question, gone).await,
            Verdict::Challenge => Err(Denied::CanObtain(action)),
            Verdict::No | Verdict::Dismissed => Err(Denied::No(action)),
        }
    }

    async fn prompt(&self, question: &Question, gone: &CancellationToken) -> Result<(), Denied> {
        let _room = self.prompts.try_acquire().map_err(|_| Denied::PromptOpen)?;
        let _turn = Turn::take(&self.prompting, question.uid)?;
        match self.ask(question, true, gone).await? {
            Verdict::Yes => Ok(()),
            Verdict::Dismissed => Err(Denied::Dismissed(question.action)),
            Verdict::No | Verdict::Challenge => Err(Denied::No(question.action)),
        }
    }

    async fn ask(
        &self,
        question: &Question,
        prompt: bool,
        gone: &CancellationToken,
    ) -> Result<Verdict, Denied> {
        let withdraw = gio::Cancellable::new();
        let (authority, asked, cancellable) =
            (self.authority.clone(), question.clone(), withdraw.clone());
        let answer = spawn_blocking(move || authority.check(&asked, prompt, &cancellable));
        let patience = if prompt {
            self.patience.prompt
        } else {
            self.patience.question
        };
        let verdict = tokio::select! {
            answer = timeout(patience, answer) => answer.map_err(|_| late()).and_then(sensible),
            () = gone.cancelled() => {
                withdraw.cancel();
                return Err(Denied::CallerGone);
            }
        };
        // Ends the thread that still waits after a timeout.
        withdraw.cancel();
        let verdict = verdict.unwrap_or_else(|reason| alone(question, &reason));
        if gone.is_cancelled() {
            Err(Denied::CallerGone)
        } else {
            Ok(verdict)
        }
    }
}

fn late() -> Unavailable {
    Unavailable("it took too long".to_owned())
}

fn sensible(
    answer: Result<Result<Verdict, Unavailable>, tokio::task::JoinError>,
) -> Result<Verdict, Unavailable> {
    answer.unwrap_or_else(|panic| Err(Unavailable(panic.to_string())))
}

/// Without a usable answer root alone may act.
fn alone(question: &Question, reason: &Unavailable) -> Verdict {
    warn!(action = %question.action, uid = question.uid, %reason, "only root may act now");
    if question.uid == 0 {
        Verdict::Yes
    } else {
        Verdict::No
    }
}

/// One user's only prompt, until dropped.
struct Turn<'a> {
    prompting: &'a Mutex<HashSet<u32>>,
    uid: u32,
}

impl<'a> Turn<'a> {
    fn take(prompting: &'a Mutex<HashSet<u32>>, uid: u32) -> Result<Turn<'a>, Denied> {
        let mut busy = prompting.lock().unwrap_or_else(PoisonError::into_inner);
        if busy.insert(uid) {
            Ok(Turn { prompting, uid })
        } else {
            Err(Denied::PromptOpen)
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.prompting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.uid);
    }
}
