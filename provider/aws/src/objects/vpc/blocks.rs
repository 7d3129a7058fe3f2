//! Blocks of addresses of a VPC: the IPv6 one, whoever gave it, and further IPv4 ones.

use super::super::{below, put};
use super::IPV6_TAG;
use crate::clients::{Clients, once};
use crate::error::{failed, is_not_found, unless, unusable};
use crate::objects::tags;
use aws_sdk_ec2::operation::associate_vpc_cidr_block::AssociateVpcCidrBlockError;
use aws_sdk_ec2::operation::associate_vpc_cidr_block::builders::AssociateVpcCidrBlockFluentBuilder;
use aws_sdk_ec2::types::{Vpc, VpcCidrBlockState, VpcIpv6CidrBlockAssociation};
use cloud::{Change, CloudError, Found, Readiness, canonical_cidr};

/// Where a VPC's IPv6 block comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ipv6 {
    Amazon,
    Ipam { pool: String, length: i32 },
    Pool { pool: String, cidr: String },
}

impl Ipv6 {
    pub(super) fn parse(text: &str, operation: &'static str) -> Result<Self, CloudError> {
        let words: Vec<&str> = text.split(' ').collect();
        let parsed = match words.as_slice() {
            ["amazon"] => Some(Ipv6::Amazon),
            ["ipam", pool, length] => length.parse().ok().map(|length| Ipv6::Ipam { pool: (*pool).to_owned(), length }),
            ["pool", pool, cidr] => Some(Ipv6::Pool { pool: (*pool).to_owned(), cidr: (*cidr).to_owned() }),
            _ => None,
        };
        parsed.ok_or_else(|| unusable(operation, format!("\"{text}\" is not a source of an IPv6 block")))
    }
}

/// What is there already stays, so that a repetition brings no second block.
pub(super) async fn set_ipv6(clients: &Clients, id: &str, wanted: Option<&str>) -> Result<(), CloudError> {
    let Some(vpc) = describe(clients, id).await? else { return Ok(()) };
    let of_tag = tag(&vpc).unwrap_or_default();
    let mut is_there = false;
    for association in vpc.ipv6_cidr_block_association_set().iter().filter(|one| is_coming_or_there(one.ipv6_cidr_block_state()))
    {
        if !is_there && Some(source(association, of_tag).as_str()) == wanted {
            is_there = true;
        } else if let Some(association) = association.association_id() {
            disassociate(clients, association).await?;
        }
    }
    let Some(text) = wanted.filter(|_| !is_there) else { return Ok(()) };
    let call = clients.ec2.associate_vpc_cidr_block().vpc_id(id);
    match Ipv6::parse(text, "ec2:AssociateVpcCidrBlock")? {
        Ipv6::Amazon => associate(call.amazon_provided_ipv6_cidr_block(true)).await,
        Ipv6::Pool { pool, cidr } => associate(call.ipv6_pool(pool).ipv6_cidr_block(cidr)).await,
        Ipv6::Ipam { pool, length } => {
            // Before the block: without it, nobody could tell afterwards that the right one is there.
            let tag = Change { key: format!("tag {IPV6_TAG}"), from: None, to: Some(text.to_owned()) };
            tags::update(clients, &Found::new(cloud::Kind::Vpc, id), &[tag]).await?;
            associate(call.ipv6_ipam_pool_id(pool).ipv6_netmask_length(length)).await
        }
    }
}

pub(super) async fn set_secondary(clients: &Clients, id: &str, changes: &[Change]) -> Result<(), CloudError> {
    if below(changes, "secondary_cidr").next().is_none() {
        return Ok(());
    }
    let Some(vpc) = describe(clients, id).await? else { return Ok(()) };
    let blocks = vpc.cidr_block_association_set();
    for (cidr, change) in below(changes, "secondary_cidr") {
        let mut there =
            blocks.iter().filter(|block| block.cidr_block() == Some(cidr) && is_coming_or_there(block.cidr_block_state()));
        match (&change.to, there.next().and_then(|block| block.association_id())) {
            (Some(_), None) => associate(clients.ec2.associate_vpc_cidr_block().vpc_id(id).cidr_block(cidr)).await?,
            (None, Some(association)) => disassociate(clients, association).await?,
            _ => {}
        }
    }
    Ok(())
}

/// Shows what is there or coming; what depends on the latter has to wait.
pub(super) fn read(vpc: &Vpc, found: &mut Found) {
    let of_tag = tag(vpc).unwrap_or_default();
    let mut blocks = vpc.ipv6_cidr_block_association_set().iter();
    if let Some(block) = blocks.find(|block| is_coming_or_there(block.ipv6_cidr_block_state())) {
        put(found, "ipv6", Some(source(block, of_tag)));
        match block.ipv6_cidr_block().filter(|cidr| !cidr.is_empty() && !is_coming(block.ipv6_cidr_block_state())) {
            Some(cidr) => _ = found.outputs.insert("ipv6_cidr".to_owned(), canonical_cidr(cidr)),
            None => found.readiness = Readiness::Pending,
        }
    }
    let others = vpc.cidr_block_association_set().iter().filter(|block| block.cidr_block() != vpc.cidr_block());
    for block in others.filter(|block| is_coming_or_there(block.cidr_block_state())) {
        put(found, &format!("secondary_cidr {}", block.cidr_block().unwrap_or_default()), Some(""));
        if is_coming(block.cidr_block_state()) {
            found.readiness = Readiness::Pending;
        }
    }
}

/// Amazon's own blocks and those of IPAM are recognised by the name of their pool; which one of IPAM it was, by our tag.
fn source(block: &VpcIpv6CidrBlockAssociation, of_tag: &str) -> String {
    match block.ipv6_pool() {
        None | Some("" | "Amazon") => "amazon".to_owned(),
        Some("IPAM Managed") if of_tag.starts_with("ipam ") => of_tag.to_owned(),
        Some("IPAM Managed") => "ipam".to_owned(),
        Some(pool) => format!("pool {pool} {}", canonical_cidr(block.ipv6_cidr_block().unwrap_or_default())),
    }
}

fn tag(vpc: &Vpc) -> Option<&str> {
    vpc.tags().iter().find(|tag| tag.key() == Some(IPV6_TAG))?.value()
}

fn is_coming(state: Option<&VpcCidrBlockState>) -> bool {
    state.and_then(|state| state.state()).is_some_and(|state| state.as_str() == "associating")
}

/// States that nobody knows yet count as being there.
fn is_coming_or_there(state: Option<&VpcCidrBlockState>) -> bool {
    let state = state.and_then(|state| state.state()).map(|state| state.as_str());
    !matches!(state, Some("disassociating" | "disassociated" | "failing" | "failed"))
}

async fn associate(call: AssociateVpcCidrBlockFluentBuilder) -> Result<(), CloudError> {
    let call = call.customize().config_override(once::<AssociateVpcCidrBlockError>());
    call.send().await.map(|_| ()).map_err(|error| failed("ec2:AssociateVpcCidrBlock", error))
}

async fn disassociate(clients: &Clients, association: &str) -> Result<(), CloudError> {
    let answer = clients.ec2.disassociate_vpc_cidr_block().association_id(association).send().await;
    unless(answer.map(|_| ()).map_err(|error| failed("ec2:DisassociateVpcCidrBlock", error)), is_not_found)
}

async fn describe(clients: &Clients, id: &str) -> Result<Option<Vpc>, CloudError> {
    let answer = clients.ec2.describe_vpcs().vpc_ids(id).send().await;
    let answer = answer.map_err(|error| failed("ec2:DescribeVpcs", error))?;
    Ok(answer.vpcs.unwrap_or_default().into_iter().next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{Tag, VpcCidrBlockAssociation, VpcCidrBlockStateCode as Code};
    use cloud::Kind;

    fn block(pool: Option<&str>, cidr: Option<&str>, state: Code) -> VpcIpv6CidrBlockAssociation {
        let state = VpcCidrBlockState::builder().state(state).build();
        let block = VpcIpv6CidrBlockAssociation::builder().set_ipv6_pool(pool.map(Into::into)).ipv6_cidr_block_state(state);
        block.set_ipv6_cidr_block(cidr.map(Into::into)).build()
    }

    #[track_caller]
    fn check(blocks: &[VpcIpv6CidrBlockAssociation], ipv6: Option<&str>, cidr: Option<&str>, readiness: &Readiness) {
        let tag = Tag::builder().key(IPV6_TAG).value("ipam ipam-pool-1 56").build();
        let vpc = Vpc::builder().tags(tag).set_ipv6_cidr_block_association_set(Some(blocks.to_vec())).build();
        let mut found = Found::new(Kind::Vpc, "vpc-1");
        read(&vpc, &mut found);
        assert_eq!(found.settings.get("ipv6").map(String::as_str), ipv6);
        assert_eq!(found.outputs.get("ipv6_cidr").map(String::as_str), cidr);
        assert_eq!(&found.readiness, readiness);
    }

    #[test]
    fn the_source_of_a_block_is_told_and_its_cidr_once_it_is_there() {
        let cidr = Some("2001:db8::/56");
        check(&[], None, None, &Readiness::Ready);
        check(&[block(Some("Amazon"), None, Code::Associating)], Some("amazon"), None, &Readiness::Pending);
        check(&[block(Some("Amazon"), cidr, Code::Associating)], Some("amazon"), None, &Readiness::Pending);
        check(&[block(Some("Amazon"), cidr, Code::Associated)], Some("amazon"), cidr, &Readiness::Ready);
        check(&[block(Some("IPAM Managed"), cidr, Code::Associated)], Some("ipam ipam-pool-1 56"), cidr, &Readiness::Ready);
        let own = Some("pool ipv6pool-ec2-1 2001:db8::/56");
        check(&[block(Some("ipv6pool-ec2-1"), cidr, Code::Associated)], own, cidr, &Readiness::Ready);
        check(&[block(Some("ipv6pool-ec2-1"), Some("2001:DB8:0::/56"), Code::Associated)], own, cidr, &Readiness::Ready);
        let gone = block(Some("Amazon"), cidr, Code::Disassociated);
        let new = block(None, Some("2001:db8:1::/56"), Code::Associated);
        check(&[gone, new], Some("amazon"), Some("2001:db8:1::/56"), &Readiness::Ready);
    }

    #[test]
    fn the_first_block_is_not_a_secondary_one() {
        let block = |cidr: &str| VpcCidrBlockAssociation::builder().cidr_block(cidr).build();
        let vpc = Vpc::builder().cidr_block("10.0.0.0/16");
        let vpc = vpc.cidr_block_association_set(block("10.0.0.0/16")).cidr_block_association_set(block("10.1.0.0/16"));
        let mut found = Found::new(Kind::Vpc, "vpc-1");
        read(&vpc.build(), &mut found);
        assert_eq!(found.settings.into_keys().collect::<Vec<_>>(), ["secondary_cidr 10.1.0.0/16"]);
    }

    #[test]
    fn sources_are_read() {
        let parse = |text| Ipv6::parse(text, "ec2:CreateVpc").ok();
        assert_eq!(parse("amazon"), Some(Ipv6::Amazon));
        assert_eq!(parse("ipam ipam-pool-1 56"), Some(Ipv6::Ipam { pool: "ipam-pool-1".into(), length: 56 }));
        assert_eq!(parse("ipam ipam-pool-1"), None);
    }
}
