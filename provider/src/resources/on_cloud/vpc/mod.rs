//! `k8s_vpc`: the network of a cluster on AWS.

mod attributes;
pub(crate) mod config;
mod decides;
mod import;
mod infer;
pub(super) mod leftovers;
mod outputs;
mod preflight;
#[cfg(test)]
mod tests;
mod validate;
pub(super) mod volumes;
mod zones;

use crate::resources::on_cloud::open::Decides;
use crate::resources::on_cloud::{CloudResource, Known, PlannedChange, failed};
use crate::wait::Waiter;
use async_trait::async_trait;
use cloud::{Cloud, Found, Graph, Kind, ObjectKey};
use render::aws::vpc::{self, VpcSpec};
use render::aws::vpc_cidrs::PlanError;
use schema::{AttributePath, Diagnostic, Diagnostics, Schema, Value, ValueAt};
use zones::NUMBERED_ZONES;

pub struct Vpc;

const NAME: &str = "k8s_vpc";
/// The plan of addresses, in the state: what a subnet has, it keeps.
const ADDRESSES: [&str; 2] = ["subnet_cidrs", "subnet_ipv6_indexes"];

#[async_trait]
impl CloudResource for Vpc {
    type Spec = VpcSpec;

    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> Schema {
        attributes::schema()
    }

    fn validate(&self, config: &ValueAt<'_>, found: &mut Diagnostics) {
        validate::validate(config, found);
    }

    fn owner_name(&self, planned: &Value) -> Option<String> {
        planned.get("name").as_str().map(str::to_owned)
    }

    fn main_object(&self, _planned: &Value) -> ObjectKey {
        vpc::key(Kind::Vpc, vpc::MAIN)
    }

    fn spec(&self, planned: &Value) -> Result<Option<VpcSpec>, Diagnostic> {
        spec(planned)
    }

    fn graph(&self, spec: &VpcSpec) -> Graph {
        vpc::graph(spec)
    }

    fn decides(&self) -> &'static [Decides] {
        decides::ROWS
    }

    fn record(&self, spec: Option<&VpcSpec>, planned: &mut Value) {
        record(spec, planned);
    }

    fn outputs(&self, spec: Option<&VpcSpec>, planned: &Value, known: &Known<'_>) -> Vec<(&'static str, Value)> {
        outputs::outputs(spec, planned, known)
    }

    fn keep(&self, prior: Option<&Value>, planned: &mut Value) {
        keep(prior, planned);
    }

    fn check_region(&self, planned: &Value, region: &str) -> Result<(), Diagnostic> {
        check_region(planned, region)
    }

    async fn choose(&self, cloud: &dyn Cloud, planned: &mut Value) -> Result<(), Diagnostic> {
        check_region(planned, &cloud.region())?;
        planned.set("region", cloud.region().into());
        if planned.get(NUMBERED_ZONES).is_wholly_known() {
            return Ok(());
        }
        let region = cloud.region();
        let zones = cloud.zones().await;
        let zones = zones.map_err(|error| failed(format!("cannot list the zones of {region}"), &error))?;
        let mut available: Vec<String> = zones.into_iter().filter(|zone| zone.available).map(|zone| zone.name).collect();
        available.sort();
        zones::choose(planned, &available).map_err(|missing| too_few_zones(&region, &available, missing))
    }

    async fn preflight(&self, cloud: &dyn Cloud, change: &PlannedChange<'_>) -> Diagnostics {
        preflight::preflight(cloud, change).await
    }

    async fn before_delete(
        &self,
        cloud: &dyn Cloud,
        state: &Value,
        going: &[(ObjectKey, Found)],
        waiter: Waiter<'_>,
    ) -> Result<Diagnostics, Diagnostic> {
        let main = self.main_object(state);
        let vpc = going.iter().find(|(key, _)| *key == main).map(|(_, found)| found.id.as_str());
        let (Some(vpc_id), Some(cluster)) = (vpc.or(state.get("vpc_id").as_str()), state.get("name").as_str()) else {
            return Ok(Diagnostics::default());
        };
        let (own, asks) =
            (going.iter().map(|(_, found)| found.id.as_str()).collect(), |name: &str| state.get(name).as_bool() == Some(true));
        let network = leftovers::Network { vpc_id, cluster, own: &own, destroys_leftovers: asks("destroy_leftovers") };
        leftovers::clear(cloud, &network, waiter).await?;
        Ok(volumes::clear(cloud, cluster, asks("destroy_volumes"), waiter).await?.into_iter().collect())
    }

    async fn import(&self, cloud: &dyn Cloud, id: &str) -> Result<Value, Diagnostics> {
        import::import(cloud, id).await.map_err(Diagnostics::from)
    }
}

/// With the plan of addresses; `None` while it is not known which objects there are.
fn spec(planned: &Value) -> Result<Option<VpcSpec>, Diagnostic> {
    let Some(mut spec) = config::spec(planned)? else { return Ok(None) };
    spec.plan_addresses().map_err(|error| no_room(&error))?;
    Ok(Some(spec))
}

/// Zones keep their numbers, subnets their addresses, the network its region.
fn keep(prior: Option<&Value>, planned: &mut Value) {
    let of_prior = |name: &str| prior.map(|prior| prior.get(name).clone()).filter(|value| !value.is_null());
    planned.set(NUMBERED_ZONES, zones::number(prior, planned));
    planned.set("region", of_prior("region").unwrap_or_else(|| zones::region(planned)));
    for name in ADDRESSES {
        planned.set(name, of_prior(name).unwrap_or_else(|| Value::object([])));
    }
}

/// For an error: one a line.
fn lines<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    all.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join("\n")
}

/// The plan of addresses.
fn record(spec: Option<&VpcSpec>, planned: &mut Value) {
    let addresses = |spec: &VpcSpec| {
        let cidrs = spec.subnet_cidrs.iter().map(|(name, cidr)| (name.clone(), cidr.to_string().into()));
        let indexes = spec.subnet_ipv6_indexes.iter().map(|(name, index)| (name.clone(), (*index).into()));
        [Value::Map(cidrs.collect()), Value::Map(indexes.collect())]
    };
    let addresses = spec.map_or([Value::Unknown, Value::Unknown], addresses);
    ADDRESSES.into_iter().zip(addresses).for_each(|(name, value)| planned.set(name, value));
}

fn check_region(planned: &Value, region: &str) -> Result<(), Diagnostic> {
    match planned.get("region").as_str().filter(|known| *known != region) {
        None => Ok(()),
        Some(known) => Err(Diagnostic::error(format!("the network is in {known}, but the provider works in {region}"))
            .detail(format!("Set aws.region of the provider to \"{known}\", or name zones of {region}."))
            .at(AttributePath::attribute("zones"))),
    }
}

fn too_few_zones(region: &str, available: &[String], missing: usize) -> Diagnostic {
    Diagnostic::error(format!("{region} has {missing} zones too few for zone_count"))
        .detail(format!("These are open to the account: {}. Lower zone_count.", available.join(", ")))
        .at(AttributePath::attribute("zone_count"))
}

fn no_room(error: &PlanError) -> Diagnostic {
    let (tier, attribute, way_out) = match error {
        PlanError::NoRoom { tier } => {
            (tier, "netmask", "Give a longer netmask, such as 26, a larger cidr, or another network in secondary_cidrs.")
        }
        PlanError::NotGiven { tier, .. } => (tier, "cidrs", "Add a CIDR for each zone, in the order of their numbers."),
    };
    Diagnostic::error(error.to_string())
        .detail(way_out)
        .at(AttributePath::attribute("subnets").key(tier.as_str()).then(attribute))
}
