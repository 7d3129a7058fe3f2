//! The way to one host: a connection that is opened again after it was lost.

use crate::connection::Connection;
use crate::{JumpHosts, MachineError, Target};
use russh::Channel;
use russh::client::Msg;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedSemaphorePermit};

pub(crate) struct Link {
    target: Arc<Target>,
    jump_hosts: JumpHosts,
    open: Mutex<Arc<Connection>>,
}

/// A session that counts for the limit of its connection while it lives.
pub(crate) struct Session {
    pub channel: Channel<Msg>,
    pub counted: OwnedSemaphorePermit,
}

/// Why nothing was started on the host.
pub(crate) enum NoSession {
    NotConnected(MachineError),
    Refused(russh::Error),
}

impl Link {
    pub async fn open(target: Arc<Target>, jump_hosts: &JumpHosts) -> Result<Link, MachineError> {
        let connection = Connection::open(&target, jump_hosts).await?;
        Ok(Link { target, jump_hosts: jump_hosts.clone(), open: Mutex::new(Arc::new(connection)) })
    }

    /// The host key is checked again. What ran when a connection was lost has ended with it, or not: who asks has to know what to do then.
    pub async fn connection(&self) -> Result<Arc<Connection>, MachineError> {
        let mut open = self.open.lock().await;
        if open.is_closed() {
            *open = Arc::new(Connection::open(&self.target, &self.jump_hosts).await?);
            tracing::info!(host = %self.target, "connected again");
        }
        Ok(open.clone())
    }

    /// A loss that is noticed only now is no loss: nothing has begun.
    pub async fn session(&self) -> Result<Session, NoSession> {
        let connection = self.connection().await.map_err(NoSession::NotConnected)?;
        match connection.open_session().await {
            Err(_) if connection.is_closed() => {
                let connection = self.connection().await.map_err(NoSession::NotConnected)?;
                connection.open_session().await.map_err(NoSession::Refused)
            }
            opened => opened.map_err(NoSession::Refused),
        }
    }
}
