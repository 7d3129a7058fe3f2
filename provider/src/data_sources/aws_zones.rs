//! `k8s_aws_zones`: the availability zones of the provider's region.

use crate::configuration::Shared;
use crate::resources::on_cloud::failed;
use async_trait::async_trait;
use protocol::{Call, DataSource};
use schema::{Attribute, Diagnostics, Nesting, Schema, Type, Value};

pub struct ZonesSource {
    shared: Shared,
}

impl ZonesSource {
    pub fn new(shared: &Shared) -> Self {
        ZonesSource { shared: shared.clone() }
    }
}

#[async_trait]
impl DataSource for ZonesSource {
    fn name(&self) -> &'static str {
        "k8s_aws_zones"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "The availability zones of the provider's region that this account can use, without Local Zones and Wavelength \
             Zones.",
        )
        .attribute(Attribute::list("names", Type::String).computed().describe("Names of the zones that are available, sorted."))
        .attribute(
            Attribute::nested(
                "zones",
                Nesting::List,
                vec![
                    Attribute::string("name").computed().describe("Name in this account, such as `eu-central-1a`."),
                    Attribute::string("id").computed().describe("Id, which is the same in all accounts, such as `euc1-az2`."),
                    Attribute::bool("available")
                        .computed()
                        .describe("False while AWS reports the zone as impaired or unavailable."),
                ],
            )
            .computed()
            .describe("All zones, sorted by name."),
        )
    }

    fn validate(&self, _config: &Value) -> Diagnostics {
        Diagnostics::default()
    }

    async fn read(&self, _call: &Call, config: Value) -> Result<Value, Diagnostics> {
        let cloud = self.shared.cloud()?;
        let zones = cloud.zones().await.map_err(|error| failed("cannot list the availability zones", &error))?;
        let mut state = config;
        state.set("names", zones.iter().filter(|zone| zone.available).map(|zone| Value::from(zone.name.as_str())).collect());
        let shown = zones.into_iter().map(|zone| {
            Value::object([("name", zone.name.into()), ("id", zone.id.into()), ("available", zone.available.into())])
        });
        state.set("zones", shown.collect());
        Ok(state)
    }
}
