//! Waiting, but not for ever: who waited in vain says for what.

use std::{future::Future, time::Duration};

use crate::Result;

/// How long anything may take that normally takes no second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for `awaited`, called `what` should it not come.
pub async fn within<T>(what: &str, awaited: impl Future<Output = T>) -> Result<T> {
    let waited = tokio::time::timeout(PATIENCE, awaited).await;
    waited.map_err(|_| format!("waited {} s for {what}", PATIENCE.as_secs()).into())
}
