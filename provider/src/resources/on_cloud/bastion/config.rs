//! What a bastion is beyond its instance: user data and the rules of a security group of its own. Pure.

use crate::resources::on_cloud::aws_instance::{Config, Role};
use render::aws::bastion;
use render::aws::instance::{DnsAddress, FirstBoot, InstanceSpec};
use schema::{Diagnostic, Field};

/// `None` while it is not known which objects there are.
pub fn spec(config: &Config) -> Result<Option<InstanceSpec>, Diagnostic> {
    let packages = config.packages()?;
    let user_data = match (config.more_keys(), &packages) {
        (None, _) | (_, Field::Unknown) => FirstBoot::Unknown,
        (Some(keys), packages) => FirstBoot::Known(bastion::user_data(&keys, packages.known().copied())),
    };
    let rules = config.ssh_networks().zip(config.has_ipv6()).map(|(networks, ipv6)| bastion::rules(&networks, ipv6));
    Ok(config.spec(Role { description: bastion::DESCRIPTION, rules, user_data, address: DnsAddress::Public }))
}
