//! AWS through its SDK: finds, makes, changes and deletes the objects that crate `cloud` describes. Decides nothing: what, in
//! which order and whether again is the caller's. `docs/aws-objects.md` says what the settings of each kind mean.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod cache;
mod clients;
mod connection;
mod error;
mod limits;
mod objects;
mod queries;
mod reach;
mod trace;

use async_trait::async_trait;
use cache::Cache;
use clients::Clients;
use cloud::{
    Change, Cloud, CloudError, Connection, Connector, Found, Identity, Image, ImageQuery, InstanceType, Leftover, Occupant,
    Quota, Resolved, Tried, Volume, Wanted, Zone,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::OnceCell;

pub struct Aws;

impl Connector for Aws {
    fn connect(&self, settings: &Connection) -> Arc<dyn Cloud> {
        Arc::new(Region::new(settings.clone()))
    }
}

/// One region of one account. The SDK is set up at the first use: many runs of the plugin never ask AWS anything.
struct Region {
    connection: Connection,
    clients: OnceCell<Clients>,
    cache: Cache,
    identity: OnceCell<Identity>,
    zones: OnceCell<Vec<Zone>>,
}

impl Region {
    fn new(connection: Connection) -> Self {
        let (clients, identity, zones) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Region { connection, clients, cache: Cache::default(), identity, zones }
    }

    async fn clients(&self) -> Result<&Clients, CloudError> {
        self.clients.get_or_try_init(|| connection::connect(&self.connection)).await
    }

    /// Errors about credentials say where these came from.
    fn explained<T>(&self, result: Result<T, CloudError>) -> Result<T, CloudError> {
        result.map_err(|error| connection::explained(&self.connection, error))
    }
}

#[async_trait]
impl Cloud for Region {
    /// Empty until configuration, environment or an earlier call has provided it.
    fn region(&self) -> String {
        match self.clients.get() {
            Some(clients) => clients.region.clone(),
            None => connection::region_at_hand(&self.connection).unwrap_or_default(),
        }
    }

    async fn find(&self, wanted: &Wanted) -> Result<Vec<Found>, CloudError> {
        let clients = self.clients().await?;
        let kinds = wanted.kinds.iter().map(|kind| {
            let names = wanted.names.iter().filter(|(of, _)| of == kind).map(|(_, name)| name.clone()).collect();
            self.cache.find(clients, *kind, names, wanted.fresh)
        });
        let found = self.explained(futures::future::try_join_all(kinds).await)?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn create(&self, object: &Resolved) -> Result<Found, CloudError> {
        let clients = self.clients().await?;
        let _change = self.cache.changing(object.key.kind);
        self.explained(objects::of(object.key.kind).create(clients, object).await)
    }

    async fn update(&self, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        let clients = self.clients().await?;
        let _change = self.cache.changing(found.kind);
        self.explained(objects::of(found.kind).update(clients, found, changes).await)
    }

    async fn delete(&self, found: &Found) -> Result<(), CloudError> {
        let clients = self.clients().await?;
        let _change = self.cache.changing(found.kind);
        self.explained(objects::of(found.kind).delete(clients, found).await)
    }

    async fn end_of(&self, found: &Found) -> Result<Option<String>, CloudError> {
        if !found.kind.ends() {
            return Ok(None);
        }
        let clients = self.clients().await?;
        self.explained(objects::of(found.kind).end_of(clients, &found.id).await)
    }

    async fn identity(&self) -> Result<Identity, CloudError> {
        let clients = self.clients().await?;
        self.explained(self.identity.get_or_try_init(|| queries::identity(clients)).await.cloned())
    }

    async fn zones(&self) -> Result<Vec<Zone>, CloudError> {
        let clients = self.clients().await?;
        self.explained(self.zones.get_or_try_init(|| queries::zones(clients)).await.cloned())
    }

    async fn images(&self, query: &ImageQuery) -> Result<Vec<Image>, CloudError> {
        self.explained(queries::images(self.clients().await?, query).await)
    }

    async fn instance_types(&self, names: &BTreeSet<String>) -> Result<Vec<InstanceType>, CloudError> {
        self.explained(queries::instance_types(self.clients().await?, names).await)
    }

    async fn leftovers(&self, vpc_id: &str, cluster: &str) -> Result<Vec<Leftover>, CloudError> {
        self.explained(queries::leftovers(self.clients().await?, vpc_id, cluster).await)
    }

    async fn delete_leftover(&self, leftover: &Leftover) -> Result<(), CloudError> {
        let clients = self.clients().await?;
        let _change = self.cache.changing_leftover();
        self.explained(queries::delete_leftover(clients, leftover).await)
    }

    async fn occupants(&self, vpc_id: &str) -> Result<Vec<Occupant>, CloudError> {
        self.explained(queries::occupants(self.clients().await?, vpc_id).await)
    }

    async fn volumes(&self, cluster: &str) -> Result<Vec<Volume>, CloudError> {
        self.explained(queries::volumes(self.clients().await?, cluster).await)
    }

    async fn delete_volume(&self, id: &str) -> Result<(), CloudError> {
        self.explained(queries::delete_volume(self.clients().await?, id).await)
    }

    async fn quotas(&self) -> Result<Vec<Quota>, CloudError> {
        self.explained(queries::quotas(self.clients().await?).await)
    }

    async fn denied(&self, actions: &Tried) -> Result<Vec<String>, CloudError> {
        self.explained(queries::denied(self.clients().await?, actions).await)
    }
}
