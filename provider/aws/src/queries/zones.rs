//! The region's availability zones.

use crate::clients::Clients;
use crate::error::failed;
use aws_sdk_ec2::types::{AvailabilityZone, AvailabilityZoneOptInStatus, AvailabilityZoneState, Filter};
use cloud::{CloudError, Zone};

const AVAILABILITY_ZONE: &str = "availability-zone";

/// The availability zones of the region, sorted by name.
pub(crate) async fn zones(clients: &Clients) -> Result<Vec<Zone>, CloudError> {
    let kind = Filter::builder().name("zone-type").values(AVAILABILITY_ZONE).build();
    let call = clients.ec2.describe_availability_zones().filters(kind);
    let answer = call.send().await.map_err(|error| failed("ec2:DescribeAvailabilityZones", error))?;
    let mut zones: Vec<Zone> = answer.availability_zones().iter().filter(|zone| is_open(zone)).filter_map(zone).collect();
    zones.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(zones)
}

fn is_open(zone: &AvailabilityZone) -> bool {
    zone.zone_type().is_none_or(|kind| kind == AVAILABILITY_ZONE)
        && zone.opt_in_status() != Some(&AvailabilityZoneOptInStatus::NotOptedIn)
}

fn zone(zone: &AvailabilityZone) -> Option<Zone> {
    let available = zone.state() == Some(&AvailabilityZoneState::Available);
    Some(Zone { name: zone.zone_name()?.to_owned(), id: zone.zone_id().unwrap_or_default().to_owned(), available })
}
