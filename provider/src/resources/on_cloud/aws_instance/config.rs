//! What the user declares of an instance, and the renderer's spec that it makes. Pure.

use cloud::Setting;
use ipnet::IpNet;
use render::aws::images::{self, CatalogueImage, Packages};
use render::aws::instance::{DescribedRule, Dns, DnsAddress, ElasticIp, FirstBoot, InstanceSpec, Key, Security, full_name};
use render::spec::Architecture;
use schema::{Diagnostic, Field};
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Deserialize)]
pub struct Config {
    pub name: Field<String>,
    pub cluster_name: Field<String>,
    pub subnet_id: Field<String>,
    pub vpc_id: Field<String>,
    pub security_group_ids: Field<Vec<Field<String>>>,
    pub ssh_cidrs: Field<Vec<Field<String>>>,
    pub exclusive_rules: Field<bool>,
    pub instance_type: Field<String>,
    pub architecture: Field<String>,
    pub image: Field<String>,
    pub image_id: Field<String>,
    pub public_key: Field<String>,
    pub key_name: Field<String>,
    pub authorized_keys: Field<Vec<Field<String>>>,
    pub elastic_ip: Field<bool>,
    pub elastic_ip_id: Field<String>,
    pub ipv6: Field<bool>,
    pub volume_gib: Field<u64>,
    pub dns: Field<DnsConfig>,
}

#[derive(Deserialize)]
pub struct DnsConfig {
    pub zone_id: Field<String>,
    pub name: Field<String>,
    pub address: Field<String>,
}

/// What one resource has that the other has not.
pub struct Role {
    pub description: &'static str,
    /// Of a security group of its own. `None` while one of them is not known.
    pub rules: Option<Vec<DescribedRule>>,
    pub user_data: FirstBoot,
    /// What the A record says where the configuration does not.
    pub address: DnsAddress,
}

impl Config {
    /// `None` while it is not known which objects there are.
    pub fn spec(&self, role: Role) -> Option<InstanceSpec> {
        let (name, cluster) = (self.name.known()?, self.cluster_name.known()?);
        let address = role.address;
        let security = match &self.vpc_id {
            Field::Null => Security::Groups(texts(&self.security_group_ids)),
            // One of the two is given; which, is not known.
            Field::Unknown if !self.security_group_ids.is_null() => return None,
            vpc => {
                let exclusive = (!self.exclusive_rules.is_unknown()).then(|| self.exclusive_rules.known() == Some(&true));
                Security::Own { vpc: text(vpc), rules: role.rules, exclusive, description: role.description }
            }
        };
        let key = match &self.key_name {
            Field::Null => Key::Public(self.public_key.known().cloned()),
            Field::Unknown if !self.public_key.is_null() => return None,
            name => Key::Name(text(name)),
        };
        let elastic_ip = match (&self.elastic_ip, &self.elastic_ip_id) {
            (Field::Unknown, _) => return None,
            (Field::Known(true), _) => ElasticIp::Own,
            (_, Field::Null) => ElasticIp::None,
            (_, id) => ElasticIp::Existing(text(id)),
        };
        let dns = match &self.dns {
            Field::Unknown => return None,
            Field::Null => None,
            Field::Known(dns) => Some(dns.spec(address)?),
        };
        Some(InstanceSpec {
            name: name.clone(),
            full_name: full_name(cluster, name),
            image: text(&self.image_id),
            instance_type: text(&self.instance_type),
            subnet: text(&self.subnet_id),
            security,
            key,
            elastic_ip,
            ipv6: self.has_ipv6()?,
            volume_gib: self.volume_gib.known().map_or(Setting::Unknown, |gib| (*gib).into()),
            dns,
            user_data: role.user_data,
        })
    }

    pub fn has_ipv6(&self) -> Option<bool> {
        (!self.ipv6.is_unknown()).then(|| self.ipv6.known() == Some(&true))
    }

    /// `None` while one of them is not known.
    pub fn ssh_networks(&self) -> Option<Vec<IpNet>> {
        networks(&self.ssh_cidrs)
    }

    /// `None` while one of them is not known. In whatever order they are given, they make the same instance.
    pub fn more_keys(&self) -> Option<Vec<String>> {
        let keys: BTreeSet<String> = texts(&self.authorized_keys)?.into_iter().map(|key| key.trim().to_owned()).collect();
        Some(keys.into_iter().collect())
    }

    /// The catalogue's entry. Unknown while the name is, null with an image of the user's own.
    pub fn catalogue_image(&self) -> Result<Field<CatalogueImage>, Diagnostic> {
        match &self.image {
            Field::Unknown => Ok(Field::Unknown),
            Field::Null => Ok(Field::Null),
            Field::Known(name) => images::find(name).map(Field::from).map_err(catalogue_error),
        }
    }

    /// What installs packages on it; `Unknown` while the image is.
    pub fn packages(&self) -> Result<Field<Packages>, Diagnostic> {
        Ok(self.catalogue_image()?.map(|image| image.packages))
    }

    /// As declared, or that of the instance type.
    pub fn architecture(&self) -> Option<Architecture> {
        match &self.architecture {
            Field::Unknown => None,
            Field::Known(text) => images::parse_architecture(text),
            Field::Null => images::architecture_of(self.instance_type.known()?),
        }
    }
}

impl DnsConfig {
    fn spec(&self, default: DnsAddress) -> Option<Dns> {
        let address = match &self.address {
            Field::Unknown => return None,
            Field::Null => default,
            Field::Known(text) if text == "private" => DnsAddress::Private,
            Field::Known(_) => DnsAddress::Public,
        };
        let zone_id = self.zone_id.known().map_or(Setting::Unknown, |id| id.trim_start_matches("/hostedzone/").into());
        let name = self.name.known().map_or(Setting::Unknown, |name| name.to_ascii_lowercase().into());
        Some(Dns { zone_id, name, address })
    }
}

pub fn catalogue_error(error: render::RenderError) -> Diagnostic {
    Diagnostic::error("provider bug: the catalogue of images cannot be read").detail(format!("{error}. Please report this."))
}

/// `None` while one of them is not known.
pub fn texts(list: &Field<Vec<Field<String>>>) -> Option<Vec<String>> {
    match list {
        Field::Unknown => None,
        Field::Null => Some(Vec::new()),
        Field::Known(items) => items.iter().map(|item| item.known().cloned()).collect(),
    }
}

/// `None` while one of them is not known. What is no CIDR was refused before.
pub fn networks(list: &Field<Vec<Field<String>>>) -> Option<Vec<IpNet>> {
    Some(texts(list)?.iter().filter_map(|text| text.parse().ok()).collect())
}

fn text(field: &Field<String>) -> Setting {
    field.known().map_or(Setting::Unknown, |text| text.as_str().into())
}
