//! What the root object says of the running system, and how a change is told.

use std::collections::HashMap;

use wendy_dbus::{paths::ROOT, words::Word};
use zbus::{
    Connection, Variant,
    fdo::Properties,
    object_server::{Interface, SignalEmitter},
};

use super::{manager::Manager, paths};
use crate::model::{Condition, SessionKey, World};

/// What may change while the system runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SystemView {
    pub(super) condition: Condition,
    /// The session the system was started from, while its store is plugged in.
    pub(super) session: Option<SessionKey>,
    pub(super) session_name: String,
}

impl SystemView {
    pub(super) fn of(world: &World) -> SystemView {
        let live = &world.live;
        let is_shown = |key: &SessionKey| world.sessions.contains_key(key);
        SystemView {
            condition: live.condition.clone(),
            session: live.running_session.filter(is_shown),
            session_name: live.running_name.clone(),
        }
    }

    /// Sends one signal with what was different `before`.
    pub(super) async fn tell(
        &self,
        connection: &Connection,
        before: &SystemView,
    ) -> zbus::Result<()> {
        let (before, now) = (before.properties(), self.properties());
        let changed: HashMap<_, _> = now
            .into_iter()
            .zip(before)
            .filter(|(now, before)| now != before)
            .map(|(now, _)| now)
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        let emitter = SignalEmitter::new(connection, ROOT)?;
        Properties::properties_changed(&emitter, Manager::name(), changed, (&[]).into()).await
    }

    fn properties(&self) -> [(&'static str, Variant<'_>); 5] {
        let Condition {
            state,
            reason,
            message,
        } = &self.condition;
        let session = paths::or_none(self.session, paths::session);
        [
            ("State", state.word().into()),
            ("StateReason", reason.map_or("", Word::word).into()),
            ("StateMessage", message.as_str().into()),
            ("RunningSession", session.into_inner().into()),
            ("RunningSessionName", self.session_name.as_str().into()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LiveState;

    #[test]
    fn a_session_whose_store_is_unplugged_is_known_by_its_name() {
        let running = SessionKey(7);
        let live = LiveState {
            running_session: Some(running),
            running_name: "Report".to_owned(),
            ..LiveState::default()
        };
        let world = World {
            live,
            ..World::default()
        };
        let view = SystemView::of(&world);
        assert_eq!((view.session, view.session_name.as_str()), (None, "Report"));
    }
}
