//! Who calls, and whether they are still there.

use futures_util::StreamExt;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wendy_dbus::Result;
use wendy_sys::Cancel;
use zbus::{Connection, fdo::DBusProxy, message::Header, names::OwnedUniqueName};

use crate::{
    authority::Denied,
    crowd::{Crowd, Present},
    limits::{MAX_CALLS_PER_CONNECTION, MAX_CALLS_PER_UID, Quota, Slot},
    operations::Caller,
};

/// Knows callers by what the bus daemon says about them, never by what they say themselves.
#[derive(Debug)]
pub(super) struct Callers {
    bus: DBusProxy<'static>,
    per_connection: Quota<OwnedUniqueName>,
    per_uid: Quota<u32>,
    crowd: Crowd,
}

/// One call in progress; counts against the caller's quotas until dropped.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) caller: Caller,
    /// Kept for as long as something may still be begun for the caller.
    pub(super) departure: Option<Departure>,
    _slots: (Slot<OwnedUniqueName>, Slot<u32>),
    _present: Present,
}

impl Callers {
    pub(super) async fn new(connection: &Connection) -> zbus::Result<Callers> {
        Ok(Callers {
            bus: DBusProxy::new(connection).await?,
            per_connection: Quota::new(MAX_CALLS_PER_CONNECTION),
            per_uid: Quota::new(MAX_CALLS_PER_UID),
            crowd: Crowd::default(),
        })
    }

    pub(super) async fn identify(&self, header: &Header<'_>) -> Result<Visit> {
        let present = self.crowd.join();
        let sender = header.sender().ok_or(Denied::CallerGone)?;
        let connection_slot = self.per_connection.take(sender.to_owned().into())?;
        let credentials = self.bus.get_connection_credentials(sender.into()).await;
        let uid = credentials.ok().and_then(|known| known.unix_user_id());
        let uid = uid.ok_or(Denied::CallerGone)?;
        let uid_slot = self.per_uid.take(uid)?;
        let caller = Caller {
            bus_name: sender.to_string(),
            uid,
            left: Cancel::new(),
        };
        Ok(Visit {
            caller,
            departure: None,
            _slots: (connection_slot, uid_slot),
            _present: present,
        })
    }

    /// Watches a caller for as long as the result lives.
    pub(super) async fn watch(&self, caller: &Caller) -> Result<Departure> {
        let name = caller.bus_name.as_str();
        let mut changes = self
            .bus
            .receive_name_owner_changed_with_args(&[(0, name)])
            .await?;
        // Whoever left before the watch began would never be seen leaving.
        let name = zbus::names::BusName::try_from(name)?;
        if !self
            .bus
            .name_has_owner(name)
            .await
            .map_err(zbus::Error::from)?
        {
            return Err(Denied::CallerGone.into());
        }
        let gone = CancellationToken::new();
        let (flag, left) = (gone.clone(), caller.left.clone());
        let watcher = tokio::spawn(async move {
            changes.next().await;
            left.cancel();
            flag.cancel();
        });
        Ok(Departure { gone, watcher })
    }
}

/// Tells when a caller has left the bus.
#[derive(Debug)]
pub(super) struct Departure {
    pub(super) gone: CancellationToken,
    watcher: JoinHandle<()>,
}

impl Drop for Departure {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}
