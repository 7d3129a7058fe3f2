//! A cloud in memory: objects with settings, made and deleted as AWS does it: create sets what only a new object can have, some
//! kinds are not ready at once and not gone at once, nothing goes while something uses it, and a lost answer leaves the object there.

use super::FakeWorld;
use super::faults::Extent;
use ::cloud::*;
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};

/// All objects by id, with those that have no id but a name under that.
#[derive(Clone, Default)]
pub struct CloudMemory {
    pub objects: BTreeMap<String, Found>,
    pub leftovers: BTreeSet<Leftover>,
    /// What stands in every VPC besides objects.
    pub occupants: BTreeSet<Occupant>,
    /// With the tag of every cluster.
    pub volumes: BTreeSet<Volume>,
    /// IAM actions that a dry run is refused.
    pub denied: BTreeSet<String>,
    /// Instances end before they run, and say this.
    pub end_at_launch: Option<String>,
    next: usize,
}

impl CloudMemory {
    /// One line per setting, without ids: objects are named by their tag.
    pub fn lines(&self) -> BTreeMap<String, String> {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for (id, found) in &self.objects {
            let mut name = found.tag(OBJECT_TAG).map_or_else(|| id.clone(), str::to_owned);
            while !taken.insert(name.clone()) {
                name.push_str(" again");
            }
            names.insert(id.clone(), name.replace(' ', ":"));
        }
        let named =
            |text: &str| text.split(' ').map(|word| names.get(word).map_or(word, String::as_str)).collect::<Vec<_>>().join(" ");
        let mut lines = BTreeMap::new();
        for (id, found) in self.objects.iter().filter(|(_, found)| found.readiness != Readiness::Leaving) {
            lines.insert(format!("cloud: {}", names[id]), String::new());
            for (key, value) in &found.settings {
                lines.insert(format!("cloud: {} {}", names[id], named(key)), named(value));
            }
        }
        lines
    }

    fn create(&mut self, object: &Resolved) -> Result<Found, (ErrorClass, String)> {
        let kind = object.key.kind;
        self.next += 1;
        let id = match kind {
            Kind::DnsRecord => ["zone", "record_name", "type"].map(|key| object.get(key).unwrap_or_default()).join(" "),
            Kind::LoadBalancer => {
                format!("arn:loadbalancer/net/{}/{:04}", object.get("load_balancer_name").unwrap_or_default(), self.next)
            }
            Kind::TargetGroup => {
                format!("arn:targetgroup/{}/{:04}", object.get("target_group_name").unwrap_or_default(), self.next)
            }
            Kind::Listener => format!(
                "{}/{:04}",
                object.get("load_balancer").unwrap_or_default().replace("loadbalancer", "listener"),
                self.next
            ),
            _ => format!("{}-{:017x}", kind.id_prefix(), self.next),
        };
        if self.objects.contains_key(&id) {
            return Err((ErrorClass::Exists, format!("{id} is there already")));
        }
        for key in ["vpc", "subnet", "allocation", "load_balancer", "target_group"] {
            let refers = object.get(key).filter(|value| !value.is_empty());
            if let Some(missing) = refers.filter(|id| !self.objects.contains_key(*id) && !id.starts_with("external")) {
                return Err((ErrorClass::NotFound, format!("{missing} does not exist")));
            }
        }
        let mut found = Found::new(kind, id.clone());
        let at_once = |key: &str| kind.is_immutable(key) || key.starts_with("tag ") || !kind.has_tags();
        found.settings =
            object.settings.iter().filter(|(key, _)| at_once(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
        for output in kind.outputs() {
            found.outputs.insert(output.into(), format!("{output}-of-{}", object.key.name));
        }
        if kind.is_copied() {
            found.origin = Origin::Ours;
        }
        if kind == Kind::SecurityGroup {
            found.settings.insert("egress all all 0.0.0.0/0".into(), String::new());
        }
        found.health = (kind == Kind::TargetGroup).then_some(Health { healthy: 1, targets: 1 });
        if matches!(kind, Kind::NatGateway | Kind::Instance | Kind::LoadBalancer) {
            found.readiness = Readiness::Pending;
        }
        self.objects.insert(id, found.clone());
        self.derive();
        Ok(found)
    }

    /// Fills in what AWS derives from settings.
    fn derive(&mut self) {
        for found in self.objects.values_mut() {
            let block = found
                .settings
                .get("ipv6")
                .map(|_| "2001:db8:12:3400::/56".to_owned())
                .or(found.settings.get("ipv6_cidr").cloned());
            if let Some(block) = block {
                found.outputs.insert("ipv6_cidr".into(), block);
            } else {
                found.outputs.remove("ipv6_cidr");
            }
            register_instances(found);
        }
    }

    fn update(&mut self, id: &str, changes: &[Change]) -> Result<(), (ErrorClass, String)> {
        let Some(found) = self.objects.get_mut(id) else { return Err((ErrorClass::NotFound, format!("{id} does not exist"))) };
        for change in changes {
            assert!(!found.kind.is_immutable(&change.key), "{} of {id} cannot be changed", change.key);
            match &change.to {
                Some(to) => found.settings.insert(change.key.clone(), to.clone()),
                None => found.settings.remove(&change.key),
            };
        }
        self.derive();
        Ok(())
    }

    fn delete(&mut self, id: &str) -> Result<(), (ErrorClass, String)> {
        let Some(found) = self.objects.get_mut(id) else { return Ok(()) };
        // Rules are the group's own; so are associations and routes.
        found
            .settings
            .retain(|key, _| !matches!(key.split(' ').next(), Some("ingress" | "egress" | "subnet" | "route" | "instance")));
        let kind = found.kind;
        let uses = |other: &Found| {
            let words = |text: &str| text.split(' ').any(|word| word == id);
            // Routes may point nowhere, tables and addresses let go, and DHCP options do not hold a VPC.
            let holds = |key: &str| {
                !matches!(
                    (other.kind, key.split(' ').next()),
                    (Kind::RouteTable, Some("route" | "subnet")) | (Kind::ElasticIp, _)
                )
            };
            other.id != id
                && other
                    .settings
                    .iter()
                    .any(|(key, value)| holds(key) && !key.starts_with("tag ") && (words(key) || words(value)))
        };
        if let Some(user) = self.objects.values().find(|other| uses(other)) {
            return Err((ErrorClass::Dependency, format!("{id} is used by {}", user.id)));
        }
        if matches!(kind, Kind::NatGateway | Kind::Instance)
            && let Some(found) = self.objects.get_mut(id)
        {
            found.readiness = Readiness::Leaving;
        } else {
            self.objects.remove(id);
        }
        for other in self.objects.values_mut().filter(|other| matches!(other.kind, Kind::RouteTable | Kind::ElasticIp)) {
            other
                .settings
                .retain(|key, value| !key.split(' ').any(|word| word == id) && (other.kind == Kind::RouteTable || value != id));
        }
        Ok(())
    }

    /// What was on its way has arrived when it is looked at again.
    fn settle(&mut self, kinds: &BTreeSet<Kind>) {
        self.objects.retain(|_, found| !(kinds.contains(&found.kind) && found.readiness == Readiness::Leaving));
        self.objects
            .values_mut()
            .filter(|found| kinds.contains(&found.kind))
            .for_each(|found| found.readiness = Readiness::Ready);
    }
}

/// Each Auto Scaling group that is attached has one instance, which it registers itself.
fn register_instances(found: &mut Found) {
    let of = |found: &Found, word: &str| -> Vec<String> {
        found.settings.keys().filter_map(|key| key.strip_prefix(word)?.strip_prefix(' ')).map(str::to_owned).collect()
    };
    for instance in of(found, AUTOSCALING_INSTANCE) {
        found.settings.remove(&format!("{AUTOSCALING_INSTANCE} {instance}"));
        found.settings.remove(&format!("target {instance}"));
    }
    let port = found.settings.get("port").cloned().unwrap_or_default();
    for group in of(found, AUTOSCALING_GROUP) {
        found.settings.insert(format!("{AUTOSCALING_INSTANCE} i-of-{group}"), group.clone());
        found.settings.insert(format!("target i-of-{group}"), port.clone());
    }
}

pub(super) struct FakeCloud {
    pub world: FakeWorld,
}

impl FakeCloud {
    fn error(operation: &str, class: ErrorClass, message: impl Into<String>) -> CloudError {
        CloudError { operation: operation.into(), class, code: "Fake".into(), message: message.into() }
    }

    /// Whether it was done at all is left open where the call was cut off.
    async fn mutate<T>(
        &self,
        call: String,
        effect: impl FnOnce(&mut CloudMemory) -> Result<T, (ErrorClass, String)>,
    ) -> Result<T, CloudError> {
        let reached = std::sync::atomic::AtomicBool::new(false);
        // One call is one thing: half of it is all of it, and the answer is lost.
        let done = self.world.mutate(format!("cloud: {call}"), |memory, _: Extent| {
            reached.store(true, std::sync::atomic::Ordering::Relaxed);
            effect(&mut memory.cloud)
        });
        match done.await {
            None if self.world.is_dead() => Err(Self::error(&call, ErrorClass::Denied, "the provider is dead")),
            None if reached.into_inner() => Err(Self::error(&call, ErrorClass::Ambiguous, "no answer")),
            None => Err(Self::error(&call, ErrorClass::Refused, "no")),
            Some(done) => done.map_err(|(class, message)| Self::error(&call, class, message)),
        }
    }
}

#[async_trait]
impl Cloud for FakeCloud {
    fn region(&self) -> String {
        "us-east-1".into()
    }

    async fn find(&self, wanted: &Wanted) -> Result<Vec<Found>, CloudError> {
        if self.world.is_dead() {
            return Err(Self::error("find", ErrorClass::Denied, "the provider is dead"));
        }
        let named = |found: &Found| {
            let name = found.kind.listing_name(&found.id);
            !found.kind.is_listed_by_name() || name.is_some_and(|name| wanted.names.contains(&(found.kind, name.to_owned())))
        };
        Ok(self.world.change(|memory| {
            let all = memory.cloud.objects.values();
            let found = all.filter(|found| wanted.kinds.contains(&found.kind) && named(found)).cloned().collect();
            memory.cloud.settle(&wanted.kinds);
            if memory.cloud.end_at_launch.is_some() {
                memory.cloud.objects.retain(|_, found| found.kind != Kind::Instance);
            }
            found
        }))
    }

    async fn create(&self, object: &Resolved) -> Result<Found, CloudError> {
        self.mutate(format!("create {}", object.key), |cloud| cloud.create(object)).await
    }

    async fn update(&self, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        let call = format!("update {} {}", found.kind, found.tag("Name").unwrap_or(&found.id));
        self.mutate(call, |cloud| cloud.update(&found.id, changes)).await
    }

    async fn delete(&self, found: &Found) -> Result<(), CloudError> {
        let call = format!("delete {} {}", found.kind, found.tag("Name").unwrap_or(&found.id));
        self.mutate(call, |cloud| cloud.delete(&found.id)).await
    }

    async fn end_of(&self, found: &Found) -> Result<Option<String>, CloudError> {
        let memory = self.world.memory().cloud;
        Ok(memory.end_at_launch.filter(|_| !memory.objects.contains_key(&found.id)))
    }

    async fn identity(&self) -> Result<Identity, CloudError> {
        let arn = "arn:aws:iam::123456789012:user/fake".to_owned();
        Ok(Identity { account_id: "123456789012".into(), arn, user_id: "AIDA".into() })
    }

    async fn zones(&self) -> Result<Vec<Zone>, CloudError> {
        let zone = |letter: char| Zone { name: format!("us-east-1{letter}"), id: format!("use1-az-{letter}"), available: true };
        Ok("abcdef".chars().map(zone).collect())
    }

    async fn images(&self, query: &ImageQuery) -> Result<Vec<Image>, CloudError> {
        Ok(vec![Image {
            id: query.ids.first().cloned().unwrap_or_else(|| "ami-1".into()),
            name: "debian".into(),
            architecture: query.architecture.clone().unwrap_or_else(|| "x86_64".into()),
            created_at: "2026-11-01T00:00:00Z".into(),
            owner: "136693071363".into(),
            root_device: "/dev/xvda".into(),
        }])
    }

    async fn instance_types(&self, names: &BTreeSet<String>) -> Result<Vec<InstanceType>, CloudError> {
        let of = |name: &String| InstanceType {
            name: name.clone(),
            architectures: vec![if name.starts_with("t4g") { "arm64".into() } else { "x86_64".into() }],
            vcpus: 2,
            memory_mib: 512,
            interfaces: 2,
            ipv4_addresses_per_interface: 2,
            ipv6_addresses_per_interface: 2,
            zones: vec!["us-east-1a".into()],
        };
        Ok(names.iter().map(of).collect())
    }

    async fn leftovers(&self, _vpc_id: &str, _cluster: &str) -> Result<Vec<Leftover>, CloudError> {
        Ok(self.world.memory().cloud.leftovers.into_iter().collect())
    }

    async fn delete_leftover(&self, leftover: &Leftover) -> Result<(), CloudError> {
        self.mutate(format!("delete {} {}", leftover.kind, leftover.id), |cloud| {
            cloud.leftovers.remove(leftover);
            Ok(())
        })
        .await
    }

    /// Objects of the VPC are among them, whoever they belong to.
    async fn occupants(&self, vpc_id: &str) -> Result<Vec<Occupant>, CloudError> {
        let cloud = self.world.memory().cloud;
        // A target group names a VPC and does not hold it.
        let is_here =
            |found: &&Found| found.kind != Kind::TargetGroup && found.settings.get("vpc").is_some_and(|vpc| vpc == vpc_id);
        let of_object = |found: &Found| Occupant {
            kind: found.kind.as_str(),
            id: found.id.clone(),
            description: String::new(),
            stay: Stay::Remains,
        };
        Ok(cloud.objects.values().filter(is_here).map(of_object).chain(cloud.occupants.iter().cloned()).collect())
    }

    async fn volumes(&self, _cluster: &str) -> Result<Vec<Volume>, CloudError> {
        Ok(self.world.memory().cloud.volumes.into_iter().collect())
    }

    async fn delete_volume(&self, id: &str) -> Result<(), CloudError> {
        self.mutate(format!("delete volume {id}"), |cloud| {
            cloud.volumes.retain(|volume| volume.id != id);
            Ok(())
        })
        .await
    }

    async fn quotas(&self) -> Result<Vec<Quota>, CloudError> {
        Ok(Vec::new())
    }

    async fn denied(&self, actions: &Tried) -> Result<Vec<String>, CloudError> {
        Ok(self.world.memory().cloud.denied.into_iter().filter(|action| actions.contains_key(action)).collect())
    }
}
