//! Connections to jump hosts, each shared by all hosts behind it.

use crate::connection::Connection;
use crate::{Machine, MachineError, Target};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Those of one run. An SSH server drops connections at random once ten are about to log in (`MaxStartups` of sshd_config(5), 10:30:100), so
/// that sixty hosts behind it must not be sixty logins. What runs inside a connection counts for no limit of the server.
#[derive(Clone, Default)]
pub struct JumpHosts {
    known: Arc<Mutex<Vec<Arc<JumpHost>>>>,
}

struct JumpHost {
    target: Target,
    state: tokio::sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    /// It ends with the last host behind it.
    connection: Weak<Connection>,
    /// Of the last attempt: whoever waited for one that failed does not try once more.
    error: Option<MachineError>,
}

impl JumpHosts {
    /// Connects to a host, over its jump host if it has one.
    ///
    /// # Errors
    /// When the host or its jump host does not answer, shows another key than is known, or does not let us in.
    pub async fn connect(&self, target: &Target) -> Result<Machine, MachineError> {
        Machine::open(target, self).await
    }

    /// Shared by all who ask while it is open, and the same error for all who waited for it.
    pub(crate) async fn connection(&self, target: &Target) -> Result<Arc<Connection>, MachineError> {
        let jump_host = self.jump_host(target);
        let (mut state, has_waited) = match jump_host.state.try_lock() {
            Ok(state) => (state, false),
            Err(_) => (jump_host.state.lock().await, true),
        };
        if let Some(connection) = state.connection.upgrade().filter(|connection| !connection.is_closed()) {
            return Ok(connection);
        }
        if let Some(error) = state.error.as_ref().filter(|_| has_waited) {
            return Err(error.clone());
        }
        let opened = Box::pin(Connection::open(target, self)).await.map(Arc::new);
        state.connection = opened.as_ref().map(Arc::downgrade).unwrap_or_default();
        state.error = opened.as_ref().err().cloned();
        opened
    }

    /// The same for the same address, user, keys and known hosts: a host key that one target trusts is not trusted for another.
    fn jump_host(&self, target: &Target) -> Arc<JumpHost> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(jump_host) = known.iter().find(|known| known.target == *target) {
            return jump_host.clone();
        }
        let jump_host = Arc::new(JumpHost { target: target.clone(), state: tokio::sync::Mutex::default() });
        known.push(jump_host.clone());
        jump_host
    }
}
