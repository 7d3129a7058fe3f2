//! A create that goes on with what it finds has it from then on: the states that had it before may change and remove it no more.

use crate::script::Script;
use crate::{Incarnation, Machine, MachineError};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(400);

impl Machine {
    /// Supersedes every other holder that ever wrote to the record, and the states from before there were holders. A host without a
    /// record is left alone. A second run finds it done.
    pub async fn take_over(&self, owner: &Incarnation) -> Result<(), MachineError> {
        let script = Script::new("taking over", include_str!("scripts/take_over.sh"), &self.arguments(owner), TIMEOUT);
        self.ask(&script, &[]).await.map(drop)
    }
}
