//! A private bus, and a daemon on it.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use tempfile::TempDir;
use zbus::{
    Connection,
    connection::Builder,
    fdo::{DBusProxy, ObjectManagerProxy},
};

use crate::{Result, Subject, patience::within, process::Process};

/// A daemon alone on its bus, and somebody who talks to it.
pub struct Guest {
    /// Its objects.
    pub manager: ObjectManagerProxy<'static>,
    /// How long it took from its start until it had answered.
    pub start: Duration,
    /// The daemon itself.
    pub daemon: Process,
    _bus: Process,
    _directory: TempDir,
}

impl Guest {
    /// Starts a bus, and on it the daemon through `wrapper`.
    pub async fn start(subject: &Subject, wrapper: &[&str]) -> Result<Guest> {
        let directory = tempfile::tempdir()?;
        let socket = directory.path().join("bus");
        let config = directory.path().join("bus.conf");
        fs::write(&config, config_for(&socket))?;
        let mut command = Command::new("dbus-daemon");
        command
            .arg(format!("--config-file={}", config.display()))
            .arg("--nofork")
            .stderr(Stdio::null());
        let bus = Process::start(&mut command)?;
        let address = format!("unix:path={}", socket.display());
        let connection = within("the bus to answer", connect(&address)).await?;
        let mut command = wrapped(wrapper, &subject.program);
        command
            .env("DBUS_SYSTEM_BUS_ADDRESS", &address)
            .envs(subject.environment.clone())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let names = DBusProxy::new(&connection).await?;
        let mut owners = names
            .receive_name_owner_changed_with_args(&[(0, subject.name)])
            .await?;
        let begin = Instant::now();
        let daemon = Process::start(&mut command)?;
        let what = format!("{} to take its name", subject.title);
        within(&what, owners.next()).await?;
        let manager = ObjectManagerProxy::new(&connection, subject.name, subject.root).await?;
        list(subject, &manager).await?;
        Ok(Guest {
            manager,
            start: begin.elapsed(),
            daemon,
            _bus: bus,
            _directory: directory,
        })
    }
}

/// How long it takes to be told all objects.
pub async fn list(subject: &Subject, manager: &ObjectManagerProxy<'_>) -> Result<Duration> {
    let begin = Instant::now();
    let what = format!("{} to list its objects", subject.title);
    within(&what, manager.get_managed_objects()).await??;
    Ok(begin.elapsed())
}

/// The bus was only just started.
async fn connect(address: &str) -> Connection {
    loop {
        if let Ok(builder) = Builder::address(address).build().await {
            return builder;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn wrapped(wrapper: &[&str], program: &Path) -> Command {
    match wrapper {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    }
}

fn config_for(socket: &Path) -> String {
    format!(
        "<busconfig><type>system</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
         <policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>\
         <allow send_type=\"method_call\"/><allow send_type=\"signal\"/>\
         <allow send_type=\"method_return\"/><allow send_type=\"error\"/>\
         <allow receive_type=\"method_call\"/><allow receive_type=\"signal\"/>\
         <allow receive_type=\"method_return\"/><allow receive_type=\"error\"/>\
         </policy></busconfig>",
        socket.display()
    )
}
