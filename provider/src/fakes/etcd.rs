//! etcd of a fake world: its members are the hosts that have it, and those that run it answer.

use super::FakeWorld;
use super::memory::{HostMemory, Memory};
use crate::etcd::{Cluster, EtcdError, Member, Snapshot, SnapshotPlace, Status};
use crate::ports::Etcd;
use async_trait::async_trait;
use bundle::HostName;
use machines::MachineError;
use render::component::ETCD;

pub(super) struct FakeEtcd {
    pub host: HostName,
    pub world: FakeWorld,
}

impl FakeEtcd {
    fn is_lost(&self) -> bool {
        self.world.is_dead() || !self.world.change(|memory| memory.host(&self.host).answers)
    }

    fn no_answer(&self) -> EtcdError {
        if self.is_lost() {
            let (operation, reason) = ("a question".to_string(), "the connection was cut".to_string());
            return MachineError::Lost { host: self.host.to_string(), operation, reason }.into();
        }
        EtcdError::NoAnswer { host: self.host.to_string(), reason: "connection refused".into() }
    }
}

#[async_trait]
impl Etcd for FakeEtcd {
    async fn cluster(&self) -> Result<Cluster, EtcdError> {
        let answer = self.world.change(|memory| {
            let now = memory.now();
            let serves = memory.host(&self.host).serves(&ETCD, now) && memory.etcd_has_quorum();
            serves.then(|| cluster(memory))
        });
        answer.filter(|_| !self.is_lost()).ok_or_else(|| self.no_answer())
    }

    async fn members(&self) -> Result<Cluster, EtcdError> {
        let (mut cluster, own) = (self.cluster().await?, self.status().await?.member);
        cluster.statuses.retain(|member, _| *member == own);
        Ok(cluster)
    }

    async fn status(&self) -> Result<Status, EtcdError> {
        let cluster = self.cluster().await?;
        let own = cluster.members.iter().find(|member| member.name == self.host.as_str());
        own.and_then(|member| cluster.statuses.get(&member.id)).copied().ok_or_else(|| self.no_answer())
    }

    async fn snapshot(&self, place: &SnapshotPlace) -> Result<Snapshot, EtcdError> {
        self.status().await?;
        let what = format!("{}: snapshot of etcd", self.host);
        let path = format!("{}/{}-20261128T160000Z.db", place.folder, place.cluster);
        let host = self.host.clone();
        let taken = self.world.mutate(what, |memory, _| {
            let is_full = memory.host(&host).has_no_room;
            (!is_full).then_some(Snapshot { path, revision: 1, keys: 4, bytes: 20480 })
        });
        let no_room = || EtcdError::Snapshot { host: self.host.to_string(), reason: "0 KiB left".into() };
        taken.await.ok_or_else(|| self.no_answer())?.ok_or_else(no_room)
    }
}

/// The one that memory names leads, if it runs; else the last that runs.
fn cluster(memory: &Memory) -> Cluster {
    let is_member = |host: &HostMemory| host.files.contains_key(&ETCD.unit().path()) && !host.is_no_member;
    let has_etcd = memory.hosts.iter().filter(|(_, host)| is_member(host));
    let numbered: Vec<(u64, &HostName, bool)> =
        (1..).zip(has_etcd).map(|(id, (name, host))| (id, name, host.serves(&ETCD, memory.now()))).collect();
    let running = || numbered.iter().filter(|(_, _, runs)| *runs);
    let leader =
        running().find(|(_, name, _)| memory.leader.as_ref() == Some(*name)).or(running().next_back()).map(|(id, ..)| *id);
    let member = |(id, name, _): &(u64, &HostName, bool)| Member {
        id: *id,
        name: name.to_string(),
        peer_urls: vec![format!("https://{name}:2380")],
        is_learner: false,
    };
    let status = |(id, _, runs): &(u64, &HostName, bool)| {
        runs.then_some((*id, Status { member: *id, leader, raft_index: 1, applied_index: 1, size: 20480 }))
    };
    Cluster { members: numbered.iter().map(member).collect(), statuses: numbered.iter().filter_map(status).collect() }
}
