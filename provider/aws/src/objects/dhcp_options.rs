//! Sets of DHCP options: nothing of them can change but their tags.

use super::{Objects, made, put, tags};
use crate::clients::{Clients, once};
use crate::error::{failed, incomplete, is_not_found, unless};
use async_trait::async_trait;
use aws_sdk_ec2::operation::create_dhcp_options::CreateDhcpOptionsError;
use aws_sdk_ec2::types::{DhcpOptions as Options, NewDhcpConfiguration, ResourceType};
use cloud::{Change, CloudError, Found, Kind, OBJECT_TAG, Resolved};
use std::collections::BTreeSet;

pub(crate) struct DhcpOptions;

/// Settings, and what DHCP calls them.
const OPTIONS: [(&str, &str); 3] =
    [("domain_name", "domain-name"), ("domain_name_servers", "domain-name-servers"), ("ntp_servers", "ntp-servers")];

#[async_trait]
impl Objects for DhcpOptions {
    async fn list(&self, clients: &Clients, _names: &BTreeSet<String>) -> Result<Vec<Found>, CloudError> {
        Ok(describe(clients).await?.iter().filter_map(read).collect())
    }

    async fn create(&self, clients: &Clients, object: &Resolved) -> Result<Found, CloudError> {
        let option = |(setting, name): &(&str, &str)| {
            // A domain name may hold spaces, but is one value; addresses are several.
            let values = object.get(setting)?.split(',').map(ToOwned::to_owned).collect();
            Some(NewDhcpConfiguration::builder().key(*name).set_values(Some(values)).build())
        };
        let call = clients
            .ec2
            .create_dhcp_options()
            .set_dhcp_configurations(Some(OPTIONS.iter().filter_map(option).collect()))
            .set_tag_specifications(tags::specification(ResourceType::DhcpOptions, object).map(|tags| vec![tags]));
        let call = call.customize().config_override(once::<CreateDhcpOptionsError>());
        let answer = call.send().await.map_err(|error| failed("ec2:CreateDhcpOptions", error))?;
        let found = answer.dhcp_options().and_then(read).ok_or_else(|| incomplete("ec2:CreateDhcpOptions", "DHCP options"))?;
        Ok(made(found, object, &OPTIONS.map(|(setting, _)| setting)))
    }

    async fn update(&self, clients: &Clients, found: &Found, changes: &[Change]) -> Result<(), CloudError> {
        tags::update(clients, found, changes).await
    }

    async fn delete(&self, clients: &Clients, found: &Found) -> Result<(), CloudError> {
        let answer = clients.ec2.delete_dhcp_options().dhcp_options_id(&found.id).send().await;
        unless(answer.map(|_| ()).map_err(|error| failed("ec2:DeleteDhcpOptions", error)), is_not_found)
    }
}

/// The sets with which a region serves VPCs that have none of their own: AWS made one, as its documentation says that it is, and
/// others of the same content, tagged or not, are as good. None that we made: it is declared.
pub(super) async fn defaults_of_region(clients: &Clients) -> Result<Vec<String>, CloudError> {
    let found = describe(clients).await?;
    let found = found.iter().filter_map(read).filter(|found| is_default(found, &clients.region));
    Ok(found.map(|found| found.id).collect())
}

fn is_default(found: &Found, region: &str) -> bool {
    let setting = |key: &str| found.settings.get(key).map(String::as_str);
    let has_domain = setting("domain_name")
        .is_some_and(|domain| domain == "ec2.internal" || domain.strip_suffix(".compute.internal") == Some(region));
    let count = found.settings.keys().filter(|key| !key.starts_with("tag ")).count();
    let is_ours = found.tag(OBJECT_TAG).is_some();
    has_domain && setting("domain_name_servers") == Some("AmazonProvidedDNS") && count == 2 && !is_ours
}

async fn describe(clients: &Clients) -> Result<Vec<Options>, CloudError> {
    let pages = clients.ec2.describe_dhcp_options().into_paginator().items().send();
    pages.try_collect().await.map_err(|error| failed("ec2:DescribeDhcpOptions", error))
}

fn read(options: &Options) -> Option<Found> {
    let mut found = Found::new(Kind::DhcpOptions, options.dhcp_options_id()?);
    for configuration in options.dhcp_configurations() {
        let values: Vec<&str> = configuration.values().iter().filter_map(|value| value.value()).collect();
        if let Some((setting, _)) = OPTIONS.iter().find(|(_, name)| configuration.key() == Some(name)) {
            put(&mut found, setting, Some(values.join(",")));
        }
    }
    tags::read(Some(options.tags()), &mut found.settings);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{AttributeValue, DhcpConfiguration};

    #[test]
    fn a_set_is_the_regions_by_its_content_whatever_its_tags() {
        let mut found = Found::new(Kind::DhcpOptions, "dopt-1");
        put(&mut found, "domain_name", Some("eu-central-1.compute.internal"));
        put(&mut found, "domain_name_servers", Some("AmazonProvidedDNS"));
        put(&mut found, "tag Name", Some("default"));
        assert!(is_default(&found, "eu-central-1"));
        assert!(!is_default(&found, "eu-west-1"));
        let mut ours = found.clone();
        put(&mut ours, &format!("tag {OBJECT_TAG}"), Some("k8s_vpc/demo dhcp_options/main"));
        assert!(!is_default(&ours, "eu-central-1"));
        put(&mut found, "ntp_servers", Some("169.254.169.123"));
        assert!(!is_default(&found, "eu-central-1"));
    }

    #[test]
    fn several_addresses_are_one_setting() {
        let values = ["10.0.0.2", "fd00:ec2::253"].map(|address| AttributeValue::builder().value(address).build());
        let servers = DhcpConfiguration::builder().key("domain-name-servers").set_values(Some(values.to_vec())).build();
        let other = DhcpConfiguration::builder().key("netbios-node-type").build();
        let options = Options::builder().dhcp_options_id("dopt-1").dhcp_configurations(servers).dhcp_configurations(other);
        let found = read(&options.build()).unwrap();
        assert_eq!(
            found.settings.into_iter().collect::<Vec<_>>(),
            [("domain_name_servers".to_owned(), "10.0.0.2,fd00:ec2::253".to_owned())]
        );
    }
}
