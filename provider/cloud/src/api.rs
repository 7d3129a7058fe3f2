//! The door to a cloud: objects are found, made, changed and deleted through [`Cloud`], one call of which is one thing that
//! happened or did not. Implementations do not decide anything: what, in which order and whether again is the caller's.

use crate::{Change, Found, Kind, ObjectKey};
use async_trait::async_trait;
use credentials::Secret;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// AWS, as the reconciler needs it: one object at a time. Implemented by crate `aws`, and in memory for tests. Decides nothing.
#[async_trait]
pub trait Cloud: Send + Sync {
    fn region(&self) -> String;

    /// All objects of the wanted kinds in the region, whoever made them; those of kinds that are listed by name (load balancers,
    /// target groups, listeners of such load balancers, records), only the named ones. One paged call per kind and run: what was
    /// asked before and has not been changed since is not asked again, unless `fresh`.
    async fn find(&self, wanted: &Wanted) -> Result<Vec<Found>, CloudError>;

    /// Makes the object with all of its tags in one call, and sets what that call can set. The caller brings the rest about by
    /// `update`. Never repeated by the implementation after an error that leaves open whether it happened.
    async fn create(&self, object: &Resolved) -> Result<Found, CloudError>;

    /// Changes settings of an object that is there. Each is made so that a repetition does no harm.
    async fn update(&self, found: &Found, changes: &[Change]) -> Result<(), CloudError>;

    /// Begins to delete it; what is gone already is no error. `find` shows it as leaving until it is gone.
    async fn delete(&self, found: &Found) -> Result<(), CloudError>;

    /// Why a created object ended by itself, if the cloud reports it. `None` while it has not ended. Asked only of what does not become
    /// ready: it costs a call.
    async fn end_of(&self, found: &Found) -> Result<Option<String>, CloudError>;

    async fn identity(&self) -> Result<Identity, CloudError>;
    /// Zones of the region that are open to this account, local and wavelength zones left out.
    async fn zones(&self) -> Result<Vec<Zone>, CloudError>;
    async fn images(&self, query: &ImageQuery) -> Result<Vec<Image>, CloudError>;
    /// Those of the names that the region has.
    async fn instance_types(&self, names: &BTreeSet<String>) -> Result<Vec<InstanceType>, CloudError>;
    /// What Kubernetes made in this VPC and still exists, by the cluster's tag `kubernetes.io/cluster/<name>`.
    async fn leftovers(&self, vpc_id: &str, cluster: &str) -> Result<Vec<Leftover>, CloudError>;
    async fn delete_leftover(&self, leftover: &Leftover) -> Result<(), CloudError>;
    /// Everything that stands in the VPC or is attached to it, whoever made it, but for what AWS makes with a VPC. Asked afresh.
    async fn occupants(&self, vpc_id: &str) -> Result<Vec<Occupant>, CloudError>;
    /// Volumes of the whole region with the tag `kubernetes.io/cluster/<name>`. A volume is in no VPC: another cluster of that name may
    /// have made them.
    async fn volumes(&self, cluster: &str) -> Result<Vec<Volume>, CloudError>;
    async fn delete_volume(&self, id: &str) -> Result<(), CloudError>;
    async fn quotas(&self) -> Result<Vec<Quota>, CloudError>;
    /// Those of the IAM actions that a dry run was refused, each tried with the tags that it is to set: organisations refuse what lacks
    /// some. What has no dry run is not tried.
    async fn denied(&self, actions: &Tried) -> Result<Vec<String>, CloudError>;
}

/// IAM actions with the tags of an object that they would make.
pub type Tried = BTreeMap<String, BTreeMap<String, String>>;

/// Makes a [`Cloud`] from the provider's configuration. Reaches nothing yet.
pub trait Connector: Send + Sync {
    fn connect(&self, settings: &Connection) -> std::sync::Arc<dyn Cloud>;
}

/// The `aws` block of the provider, as far as it is set. Where nothing is, the SDK's default chain decides.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Connection {
    pub region: Option<String>,
    pub profile: Option<String>,
    pub shared_config_files: Vec<String>,
    pub shared_credentials_files: Vec<String>,
    pub access_key: Option<String>,
    pub secret_key: Option<Secret>,
    pub token: Option<Secret>,
    pub assume_role: Option<AssumeRole>,
    /// For every service that has none of its own.
    pub endpoint: Option<String>,
    /// By service: `autoscaling`, `ec2`, `elbv2`, `route53`, `sts`, `ssm`, `servicequotas`.
    pub endpoints: BTreeMap<String, String>,
    pub retry_mode: Option<String>,
    pub max_attempts: Option<u32>,
    pub requests_per_second: Option<u32>,
    pub use_dual_stack_endpoint: Option<bool>,
    pub use_fips_endpoint: Option<bool>,
}

/// A role to assume before the first call.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AssumeRole {
    pub role_arn: String,
    pub external_id: Option<Secret>,
    pub session_name: Option<String>,
    pub duration_seconds: Option<u32>,
}

/// What a listing asks for: kinds, and names where a kind is listed by name. `fresh` passes over what an earlier call found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub kinds: BTreeSet<Kind>,
    /// For kinds that are listed by name: load balancer and target group names; for listeners the load balancer's name; for
    /// records `<zone id> <name> <type>`.
    pub names: BTreeSet<(Kind, String)>,
    pub fresh: bool,
}

/// A declared object with what its references stand for. Settings that cannot be resolved yet are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    pub key: ObjectKey,
    pub settings: BTreeMap<String, String>,
    /// The same for every attempt of one run to make this object.
    pub token: String,
}

impl Resolved {
    /// A setting by its key, `None` where it is not set.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(String::as_str)
    }

    /// Whether a boolean setting is `true`.
    pub fn is(&self, key: &str) -> bool {
        self.get(key) == Some("true")
    }

    /// What follows a first word: `all("subnet")` of `subnet subnet-1` gives `("subnet-1", value)`.
    pub fn all<'a>(&'a self, word: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let rest = move |key: &'a String| key.strip_prefix(word)?.strip_prefix(' ');
        self.settings.iter().filter_map(move |(key, value)| Some((rest(key)?, value.as_str())))
    }

    /// The tags to set, key and value; the tag that identifies the object is among them.
    pub fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all("tag")
    }
}

/// Who the credentials belong to, by `sts:GetCallerIdentity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub account_id: String,
    pub arn: String,
    pub user_id: String,
}

/// An availability zone as `ec2:DescribeAvailabilityZones` returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    pub name: String,
    pub id: String,
    pub available: bool,
}

/// Which image is looked for: by the parameter that names it, or by owner, name and architecture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageQuery {
    pub ids: BTreeSet<String>,
    pub owners: BTreeSet<String>,
    /// With `*` and `?`.
    pub name: Option<String>,
    /// `x86_64` or `arm64`.
    pub architecture: Option<String>,
    /// A public parameter of the parameter store that holds the id, instead of all others.
    pub parameter: Option<String>,
}

/// A machine image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub id: String,
    pub name: String,
    pub architecture: String,
    /// RFC 3339.
    pub created_at: String,
    pub owner: String,
    pub root_device: String,
}

/// What an instance type has, by `ec2:DescribeInstanceTypes` and `…Offerings`. Memory is in MiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceType {
    pub name: String,
    pub architectures: Vec<String>,
    pub vcpus: u64,
    pub memory_mib: u64,
    pub interfaces: u64,
    pub ipv4_addresses_per_interface: u64,
    pub ipv6_addresses_per_interface: u64,
    pub zones: Vec<String>,
}

/// Something that Kubernetes made: a load balancer, a target group, a security group, an interface. Or `GuardDuty`: an endpoint, a
/// security group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leftover {
    /// `load_balancer`, `classic_load_balancer`, `target_group`, `vpc_endpoint`, `security_group`, `network_interface`.
    pub kind: String,
    pub id: String,
    pub name: String,
}

/// `load balancer k8s-web (arn:…)`.
impl fmt::Display for Leftover {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind.replace('_', " "), named(&self.name, &self.id))
    }
}

/// A name with the id behind it, where it says more.
fn named(name: &str, id: &str) -> String {
    if name.is_empty() || name == id { id.to_owned() } else { format!("{name} ({id})") }
}

/// What stands in a VPC or is attached to it. While it does, AWS does not delete the VPC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occupant {
    /// In AWS' words: `instance`, `network interface`, `VPC peering connection`…
    pub kind: &'static str,
    /// The cloud's; of a classic load balancer its name. The same as in [`Found`] and [`Leftover`].
    pub id: String,
    /// What AWS or whoever made it says of it; may be empty.
    pub description: String,
    pub stay: Stay,
}

impl fmt::Display for Occupant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind, self.id)?;
        if self.description.is_empty() { Ok(()) } else { write!(formatter, " ({})", self.description) }
    }
}

/// How long something stays in a VPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stay {
    /// It is being deleted, or what it is a part of is gone: it goes by itself.
    Leaving,
    /// A service of AWS made it, and removes it some minutes after what it is for.
    Managed,
    /// Until somebody deletes it.
    Remains,
}

/// A volume that was made for a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Volume {
    pub id: String,
    /// Of the claim that it was made for; empty where no tag says it.
    pub name: String,
    /// Attached to an instance.
    pub is_in_use: bool,
}

/// `pvc-1 (vol-1)`.
impl fmt::Display for Volume {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&named(&self.name, &self.id))
    }
}

/// A quota of the account, and how much of it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// What it limits, in the words of the kinds: `vpc`, `elastic_ip`, `nat_gateway_per_zone`…
    pub subject: String,
    pub name: String,
    pub limit: u64,
    pub used: u64,
}

/// What a call came to when it did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudError {
    /// `ec2:CreateSubnet`, as IAM names it.
    pub operation: String,
    pub class: ErrorClass,
    /// The cloud's own code; empty where no answer came.
    pub code: String,
    pub message: String,
}

/// What a failed call means for the caller: whether it may be repeated, and whether it may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Something still depends on it: wait, and try again.
    Dependency,
    /// It is not there (any more, or not to be seen yet).
    NotFound,
    /// An object with this name exists already.
    Exists,
    /// No answer came, or one that leaves open whether it happened.
    Ambiguous,
    /// Refused for being too fast, after all attempts.
    Throttled,
    /// Not allowed, or no credentials.
    Denied,
    /// Asking again will not help.
    Refused,
}

impl fmt::Display for CloudError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.as_str(), self.class) {
            ("", _) => write!(formatter, "{}: {}", self.operation, self.message)?,
            (code, _) => write!(formatter, "{}: {code}: {}", self.operation, self.message)?,
        }
        Ok(())
    }
}

impl std::error::Error for CloudError {}
