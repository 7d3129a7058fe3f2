//! What is attached to a VPC from outside: gateways, connections to other networks.

use super::{name, occupant};
use crate::clients::Clients;
use crate::error::failed;
use crate::queries::leftovers::filter;
use aws_sdk_ec2::types::{
    AttachmentStatus, TransitGatewayAttachmentState, TransitGatewayVpcAttachment, VpcPeeringConnection,
    VpcPeeringConnectionStateReasonCode, VpnGateway,
};
use cloud::{CloudError, Occupant, Stay};

pub(super) async fn occupants(clients: &Clients, vpc_id: &str) -> Result<Vec<Occupant>, CloudError> {
    let (internet, egress_only, vpn, transit, peering) = futures::try_join!(
        internet_gateways(clients, vpc_id),
        egress_only_gateways(clients, vpc_id),
        vpn_gateways(clients, vpc_id),
        transit_gateways(clients, vpc_id),
        peering(clients, vpc_id),
    )?;
    Ok([internet, egress_only, vpn, transit, peering].concat())
}

async fn internet_gateways(clients: &Clients, vpc_id: &str) -> Result<Vec<Occupant>, CloudError> {
    let call = clients.ec2.describe_internet_gateways().filters(filter("attachment.vpc-id", vpc_id));
    let all = call.into_paginator().items().send().try_collect().await;
    let all = all.map_err(|error| failed("ec2:DescribeInternetGateways", error))?;
    let shown = all.iter().map(|one| occupant("internet gateway", one.internet_gateway_id(), name(one.tags()), Stay::Remains));
    Ok(shown.collect())
}

/// They have no filter by VPC.
async fn egress_only_gateways(clients: &Clients, vpc_id: &str) -> Result<Vec<Occupant>, CloudError> {
    let pages = clients.ec2.describe_egress_only_internet_gateways().into_paginator().items().send();
    let all = pages.try_collect().await.map_err(|error| failed("ec2:DescribeEgressOnlyInternetGateways", error))?;
    let here = all.iter().filter(|one| one.attachments().iter().any(|to| to.vpc_id() == Some(vpc_id)));
    let shown = |one: &aws_sdk_ec2::types::EgressOnlyInternetGateway| {
        occupant("egress-only internet gateway", one.egress_only_internet_gateway_id(), name(one.tags()), Stay::Remains)
    };
    Ok(here.map(shown).collect())
}

async fn vpn_gateways(clients: &Clients, vpc_id: &str) -> Result<Vec<Occupant>, CloudError> {
    let answer = clients.ec2.describe_vpn_gateways().filters(filter("attachment.vpc-id", vpc_id)).send().await;
    let answer = answer.map_err(|error| failed("ec2:DescribeVpnGateways", error))?;
    Ok(answer.vpn_gateways().iter().filter_map(|gateway| of_vpn_gateway(gateway, vpc_id)).collect())
}

fn of_vpn_gateway(gateway: &VpnGateway, vpc_id: &str) -> Option<Occupant> {
    let here = gateway.vpc_attachments().iter().find(|one| one.vpc_id() == Some(vpc_id))?;
    let stay = match here.state() {
        Some(AttachmentStatus::Detached) => return None,
        Some(AttachmentStatus::Detaching) => Stay::Leaving,
        _ => Stay::Remains,
    };
    Some(occupant("virtual private gateway", gateway.vpn_gateway_id(), name(gateway.tags()), stay))
}

async fn transit_gateways(clients: &Clients, vpc_id: &str) -> Result<Vec<Occupant>, CloudError> {
    let call = clients.ec2.describe_transit_gateway_vpc_attachments().filters(filter("vpc-id", vpc_id));
    let all = call.into_paginator().items().send().try_collect().await;
    let all = all.map_err(|error| failed("ec2:DescribeTransitGatewayVpcAttachments", error))?;
    Ok(all.iter().filter_map(of_transit_gateway).collect())
}

fn of_transit_gateway(attachment: &TransitGatewayVpcAttachment) -> Option<Occupant> {
    use TransitGatewayAttachmentState::{Deleted, Deleting, Failed, Rejected};
    let stay = match attachment.state() {
        Some(Deleted | Failed | Rejected) => return None,
        Some(Deleting) => Stay::Leaving,
        _ => Stay::Remains,
    };
    let (id, gateway) = (attachment.transit_gateway_attachment_id(), attachment.transit_gateway_id());
    Some(occupant("transit gateway attachment", id, gateway, stay))
}

/// Whichever side asked for it.
async fn peering(clients: &Clients, vpc_id: &str) -> Result<Vec<Occupant>, CloudError> {
    let pages = clients.ec2.describe_vpc_peering_connections().into_paginator().items().send();
    let all = pages.try_collect().await.map_err(|error| failed("ec2:DescribeVpcPeeringConnections", error))?;
    Ok(all.iter().filter_map(|connection| of_peering(connection, vpc_id)).collect())
}

fn of_peering(connection: &VpcPeeringConnection, vpc_id: &str) -> Option<Occupant> {
    use VpcPeeringConnectionStateReasonCode::{Deleted, Deleting, Expired, Failed, Rejected};
    let sides = [connection.requester_vpc_info(), connection.accepter_vpc_info()];
    let vpcs: Vec<&str> = sides.into_iter().flatten().filter_map(|side| side.vpc_id()).collect();
    if !vpcs.contains(&vpc_id) {
        return None;
    }
    let stay = match connection.status().and_then(|status| status.code()) {
        Some(Deleted | Expired | Failed | Rejected) => return None,
        Some(Deleting) => Stay::Leaving,
        _ => Stay::Remains,
    };
    let other = vpcs.iter().find(|vpc| **vpc != vpc_id).map(|other| format!("with {other}"));
    Some(occupant("VPC peering connection", connection.vpc_peering_connection_id(), other.as_deref(), stay))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{VpcAttachment, VpcPeeringConnectionStateReason, VpcPeeringConnectionVpcInfo};

    #[test]
    fn a_peering_connection_counts_for_both_sides_while_it_lasts() {
        let side = |vpc: &str| VpcPeeringConnectionVpcInfo::builder().vpc_id(vpc).build();
        let connection = |code| {
            let status = VpcPeeringConnectionStateReason::builder().code(code).build();
            let connection = VpcPeeringConnection::builder().vpc_peering_connection_id("pcx-1").status(status);
            connection.requester_vpc_info(side("vpc-1")).accepter_vpc_info(side("vpc-2")).build()
        };
        let active = connection(VpcPeeringConnectionStateReasonCode::Active);
        assert_eq!(of_peering(&active, "vpc-1").map(|one| one.description).as_deref(), Some("with vpc-2"));
        assert_eq!(of_peering(&active, "vpc-2").map(|one| one.stay), Some(Stay::Remains));
        assert_eq!(of_peering(&active, "vpc-3"), None);
        assert_eq!(of_peering(&connection(VpcPeeringConnectionStateReasonCode::Deleted), "vpc-1"), None);
        let deleting = connection(VpcPeeringConnectionStateReasonCode::Deleting);
        assert_eq!(of_peering(&deleting, "vpc-1").map(|one| one.stay), Some(Stay::Leaving));
    }

    #[test]
    fn gateways_count_while_they_are_attached() {
        let vpn = |state| {
            let here = VpcAttachment::builder().vpc_id("vpc-1").state(state).build();
            of_vpn_gateway(&VpnGateway::builder().vpn_gateway_id("vgw-1").vpc_attachments(here).build(), "vpc-1")
        };
        assert_eq!(vpn(AttachmentStatus::Attached).map(|one| one.stay), Some(Stay::Remains));
        assert_eq!(vpn(AttachmentStatus::Detaching).map(|one| one.stay), Some(Stay::Leaving));
        assert_eq!(vpn(AttachmentStatus::Detached), None);
        let transit = |state| of_transit_gateway(&TransitGatewayVpcAttachment::builder().state(state).build());
        assert_eq!(transit(TransitGatewayAttachmentState::Available).map(|one| one.stay), Some(Stay::Remains));
        assert_eq!(transit(TransitGatewayAttachmentState::Deleted), None);
    }
}
