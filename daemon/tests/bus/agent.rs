//! A polkit agent that answers prompts as the test says.

use std::collections::HashMap;

use tokio::sync::mpsc;
use zbus::{Connection, OwnedVariant, Variant, interface, proxy};

const PATH: &str = "/agent";

#[proxy(
    interface = "org.freedesktop.PolicyKit1.Authority",
    default_service = "org.freedesktop.PolicyKit1",
    default_path = "/org/freedesktop/PolicyKit1/Authority"
)]
trait Authority {
    fn register_authentication_agent(
        &self,
        subject: &(&str, HashMap<&str, Variant<'_>>),
        locale: &str,
        object_path: &str,
    ) -> zbus::Result<()>;

    fn authentication_agent_response2(
        &self,
        uid: u32,
        cookie: &str,
        identity: &(String, HashMap<String, OwnedVariant>),
    ) -> zbus::Result<()>;
}

#[derive(zbus::DBusError, Debug)]
#[zbus(prefix = "org.freedesktop.PolicyKit1.Error")]
enum AgentError {
    Cancelled(String),
}

/// A prompt on the screen.
#[derive(Debug)]
pub struct Prompt {
    pub message: String,
    cookie: String,
    identity: (String, HashMap<String, OwnedVariant>),
    answer: mpsc::Sender<bool>,
}

/// What the agent sees.
#[derive(Debug)]
pub enum Event {
    /// A prompt came up.
    Opened(Prompt),
    /// polkit took a prompt away.
    Withdrawn,
}

struct Agent {
    events: mpsc::Sender<Event>,
}

#[interface(name = "org.freedesktop.PolicyKit1.AuthenticationAgent")]
impl Agent {
    async fn begin_authentication(
        &self,
        _action: String,
        message: String,
        _icon: String,
        _details: HashMap<String, String>,
        cookie: String,
        identities: Vec<(String, HashMap<String, OwnedVariant>)>,
    ) -> Result<(), AgentError> {
        let (answer, mut answered) = mpsc::channel(1);
        let identity = identities.into_iter().next().unwrap();
        let prompt = Prompt {
            message,
            cookie,
            identity,
            answer,
        };
        self.events.send(Event::Opened(prompt)).await.unwrap();
        match answered.recv().await {
            Some(true) => Ok(()),
            _ => Err(AgentError::Cancelled("dismissed".to_owned())),
        }
    }

    async fn cancel_authentication(&self, _cookie: String) {
        self.events.send(Event::Withdrawn).await.unwrap();
    }
}

/// Registers an agent for the prompts of this process. It runs as root, as agents' helpers do.
pub async fn register(root: &Connection) -> mpsc::Receiver<Event> {
    let (events, received) = mpsc::channel(16);
    root.object_server()
        .at(PATH, Agent { events })
        .await
        .unwrap();
    let process = [
        ("pid", std::process::id().into()),
        ("start-time", start_time().into()),
    ];
    let subject = ("unix-process", HashMap::from(process));
    let polkit = AuthorityProxy::new(root).await.unwrap();
    polkit
        .register_authentication_agent(&subject, "C", PATH)
        .await
        .unwrap();
    received
}

/// Field 22 of `/proc/self/stat`; the second, in brackets, may hold spaces (proc(5)).
fn start_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    after_name
        .split_whitespace()
        .nth(19)
        .unwrap()
        .parse()
        .unwrap()
}

impl Prompt {
    /// Types the right password.
    pub async fn confirm(self, root: &Connection) {
        let polkit = AuthorityProxy::new(root).await.unwrap();
        polkit
            .authentication_agent_response2(0, &self.cookie, &self.identity)
            .await
            .unwrap();
        self.answer.send(true).await.unwrap();
    }

    /// Presses “Cancel”.
    pub fn dismiss(self) {
        drop(self.answer);
    }
}
