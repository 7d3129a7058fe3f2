//! `etcdctl` on a control-plane host, and its answers.

use super::{Cluster, EtcdError, Member, Status};
use machines::{Machine, Output, lines_that_matter};
use render::control_plane::{ETCD_CREDENTIALS, ETCDCTL};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Towards a member that does not answer, a connection takes this long to give up.
const LIMITS: &str = "--dial-timeout=2s --command-timeout=3s";

/// The member of one host, through which all are asked about.
pub struct EtcdClient {
    pub(super) machine: Machine,
    /// `https://192.0.2.11:2379`
    pub(super) endpoint: String,
}

impl EtcdClient {
    pub fn new(machine: &Machine, endpoint: &str) -> Self {
        EtcdClient { machine: machine.clone(), endpoint: endpoint.to_string() }
    }

    /// All members, as this host's member and a quorum with it know them, and the status of each that answers, whether its host is
    /// reached over SSH or not.
    ///
    /// # Errors
    /// When this member does not answer, or no quorum stands behind it.
    pub async fn cluster(&self) -> Result<Cluster, EtcdError> {
        let members = self.list().await?;
        // Its exit status tells that some member does not answer: who does stands in the list.
        let statuses = self.run("endpoint status --cluster").await?;
        let statuses: Option<Vec<EndpointStatus>> = self.parse(&statuses)?;
        Ok(Cluster {
            members,
            statuses: statuses
                .into_iter()
                .flatten()
                .map(|endpoint| Status::from(endpoint.status))
                .map(|s| (s.member, s))
                .collect(),
        })
    }

    /// All members, and the status of this host's own one, which knows the leader: no member is waited for that does not answer.
    ///
    /// # Errors
    /// When this member does not answer, or no quorum stands behind it.
    pub async fn members(&self) -> Result<Cluster, EtcdError> {
        let (members, status) = (self.list().await?, self.status().await?);
        Ok(Cluster { members, statuses: [(status.member, status)].into() })
    }

    /// What this host's own member says of itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn status(&self) -> Result<Status, EtcdError> {
        let output = self.run("endpoint status").await?;
        self.require_success(&output)?;
        let [status] = <[EndpointStatus; 1]>::try_from(self.parse::<Vec<EndpointStatus>>(&output)?)
            .map_err(|all| self.unreadable(format!("{} answers instead of one", all.len())))?;
        Ok(status.status.into())
    }

    async fn list(&self) -> Result<Vec<Member>, EtcdError> {
        let output = self.run("member list").await?;
        self.require_success(&output)?;
        Ok(self.parse::<MemberList>(&output)?.members.into_iter().map(Member::from).collect())
    }

    async fn run(&self, command: &str) -> Result<Output, EtcdError> {
        let endpoint = &self.endpoint;
        let line = format!("{ETCDCTL} {ETCD_CREDENTIALS} --endpoints={endpoint} {LIMITS} -w json {command}");
        Ok(self.machine.run(&line, None).await?)
    }

    fn require_success(&self, output: &Output) -> Result<(), EtcdError> {
        if output.is_success() {
            return Ok(());
        }
        let text = output.stderr_text();
        let reason = lines_that_matter(&text).lines().last().unwrap_or("it gave no reason").to_string();
        Err(EtcdError::NoAnswer { host: self.host(), reason })
    }

    pub(super) fn parse<T: DeserializeOwned>(&self, output: &Output) -> Result<T, EtcdError> {
        serde_json::from_slice(&output.stdout).map_err(|error| self.unreadable(error.to_string()))
    }

    fn unreadable(&self, reason: String) -> EtcdError {
        EtcdError::Unreadable { host: self.host(), reason }
    }

    pub(super) fn host(&self) -> String {
        self.machine.target().name.to_string()
    }
}

// Fields of etcd's `MemberListResponse` and `StatusResponse` (api/etcdserverpb/rpc.pb.go); those of their zero value are left out.

#[derive(Deserialize)]
struct MemberList {
    #[serde(default)]
    members: Vec<ListedMember>,
}

#[derive(Deserialize)]
struct ListedMember {
    #[serde(rename = "ID", default)]
    id: u64,
    #[serde(default)]
    name: String,
    #[serde(rename = "peerURLs", default)]
    peer_urls: Vec<String>,
    #[serde(rename = "isLearner", default)]
    is_learner: bool,
}

#[derive(Deserialize)]
struct EndpointStatus {
    #[serde(rename = "Status")]
    status: StatusResponse,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusResponse {
    header: Header,
    #[serde(default)]
    leader: u64,
    #[serde(default)]
    raft_index: u64,
    #[serde(default)]
    raft_applied_index: u64,
    #[serde(default)]
    db_size: u64,
}

#[derive(Deserialize)]
struct Header {
    member_id: u64,
}

impl From<ListedMember> for Member {
    fn from(member: ListedMember) -> Self {
        Member { id: member.id, name: member.name, peer_urls: member.peer_urls, is_learner: member.is_learner }
    }
}

impl From<StatusResponse> for Status {
    fn from(status: StatusResponse) -> Self {
        Status {
            member: status.header.member_id,
            leader: Some(status.leader).filter(|leader| *leader != 0),
            raft_index: status.raft_index,
            applied_index: status.raft_applied_index,
            size: status.db_size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As etcdctl 3.6.16 answers about a member that runs and one that was added as a learner and never started.
    const MEMBERS: &str = r#"{"header":{"cluster_id":13455796455940752355,"member_id":443629905751424238,"raft_term":2},"members":[{"ID":443629905751424238,"name":"cp-1","peerURLs":["http://127.0.0.1:32380"],"clientURLs":["http://127.0.0.1:32379"]},{"ID":13455796455940752356,"peerURLs":["http://127.0.0.1:32390"],"isLearner":true}]}"#;
    const STATUSES: &str = r#"[{"Endpoint":"http://127.0.0.1:32379","Status":{"header":{"cluster_id":13455796455940752355,"member_id":443629905751424238,"revision":1,"raft_term":2},"version":"3.6.16","dbSize":20480,"leader":443629905751424238,"raftIndex":4,"raftTerm":2,"raftAppliedIndex":4,"dbSizeInUse":20480,"storageVersion":"3.6.0","dbSizeQuota":2147483648,"downgradeInfo":{}}}]"#;

    #[test]
    fn what_etcdctl_prints_is_read() {
        let members: Vec<Member> =
            serde_json::from_str::<MemberList>(MEMBERS).unwrap().members.into_iter().map(Member::from).collect();
        assert_eq!((members[0].id, members[0].name.as_str(), members[0].is_learner), (443629905751424238, "cp-1", false));
        assert_eq!((members[1].id, members[1].name.as_str(), members[1].is_learner), (13455796455940752356, "", true));
        let statuses: Vec<EndpointStatus> = serde_json::from_str(STATUSES).unwrap();
        let status = Status::from(statuses.into_iter().next().unwrap().status);
        assert_eq!(
            status,
            Status { member: members[0].id, leader: Some(members[0].id), raft_index: 4, applied_index: 4, size: 20480 }
        );
    }

    #[test]
    fn nobody_answers() {
        assert!(serde_json::from_str::<Option<Vec<EndpointStatus>>>("null").unwrap().is_none());
    }
}
