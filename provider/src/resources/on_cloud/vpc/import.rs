//! Import: by the id of a VPC or the name of its cluster.

use super::decides::REST;
use super::{NAME, infer};
use crate::resources::on_cloud::failed;
use cloud::{Cloud, Found, Kind, OBJECT_TAG, Readiness, Wanted};
use schema::{Diagnostic, Value};
use std::collections::BTreeSet;

pub async fn import(cloud: &dyn Cloud, id: &str) -> Result<Value, Diagnostic> {
    let vpcs = find(cloud, [Kind::Vpc].into(), BTreeSet::new()).await?;
    let (vpc_id, name) = identify(&vpcs, id)?;
    let kinds = [Kind::Vpc, Kind::SecurityGroup].into_iter().chain(REST).collect();
    let found = find(cloud, kinds, [(Kind::Vpc, vpc_id)].into()).await?;
    infer::configuration(&name, &found, &cloud.region())
}

async fn find(cloud: &dyn Cloud, kinds: BTreeSet<Kind>, names: BTreeSet<(Kind, String)>) -> Result<Vec<Found>, Diagnostic> {
    let found = cloud.find(&Wanted { kinds, names, fresh: true }).await;
    found.map_err(|error| failed(format!("cannot import this {NAME}: what exists cannot be listed"), &error))
}

/// Id of the VPC and name of its cluster.
fn identify(vpcs: &[Found], id: &str) -> Result<(String, String), Diagnostic> {
    let named = |vpc: &Found| Some((vpc.id.clone(), owner_name(vpc)?));
    let is_it = |(vpc_id, name): &(String, String)| vpc_id == id || name == id;
    let mut there = vpcs.iter().filter(|vpc| vpc.readiness != Readiness::Leaving);
    match there.clone().filter_map(named).find(is_it) {
        Some(found) => Ok(found),
        None if there.any(|vpc| vpc.id == id) => Err(Diagnostic::error(format!("{id} was not created by {NAME}")).detail(format!(
            "Its tag {OBJECT_TAG} says which {NAME} a VPC belongs to; this one has none. Declare a {NAME} of its own, or give the ids of \
             this network to the resources that need them."
        ))),
        None => Err(Diagnostic::error(format!("there is no {NAME} {id:?} in this region"))
            .detail("Give the id of its VPC, such as vpc-0123456789abcdef0, or its name.")),
    }
}

/// `demo` of the tag `k8s_vpc/demo vpc/main`.
fn owner_name(vpc: &Found) -> Option<String> {
    let (owner, _) = vpc.tag(OBJECT_TAG)?.split_once(' ')?;
    Some(owner.strip_prefix(NAME)?.strip_prefix('/')?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vpc(id: &str, tag: Option<&str>) -> Found {
        let mut found = Found::new(Kind::Vpc, id);
        found.settings.extend(tag.map(|tag| (format!("tag {OBJECT_TAG}"), tag.to_owned())));
        found
    }

    #[track_caller]
    fn check(id: &str, expect: Result<(&str, &str), &str>) {
        let vpcs =
            [vpc("vpc-1", Some("k8s_vpc/demo vpc/main")), vpc("vpc-2", None), vpc("vpc-3", Some("k8s_bastion/x vpc/main"))];
        let said = identify(&vpcs, id).map_err(|error| error.summary);
        assert_eq!(said, expect.map(|(id, name)| (id.to_owned(), name.to_owned())).map_err(str::to_owned));
    }

    #[test]
    fn a_network_is_known_by_id_and_by_name() {
        check("vpc-1", Ok(("vpc-1", "demo")));
        check("demo", Ok(("vpc-1", "demo")));
        check("vpc-2", Err("vpc-2 was not created by k8s_vpc"));
        check("vpc-3", Err("vpc-3 was not created by k8s_vpc"));
        check("other", Err("there is no k8s_vpc \"other\" in this region"));
    }
}
