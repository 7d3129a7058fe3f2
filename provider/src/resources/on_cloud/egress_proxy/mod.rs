//! `k8s_egress_proxy`: an instance with Squid through which nodes of a private network reach what is on its allow list.

pub(crate) mod config;
mod validate;

use crate::resources::on_cloud::aws_instance::attributes::{Words, computed, declared};
use crate::resources::on_cloud::aws_instance::{self, Config, Imported};
use crate::resources::on_cloud::open::Decides;
use crate::resources::on_cloud::{CloudResource, Known, PlannedChange};
use crate::spelling;
use async_trait::async_trait;
use cloud::{Cloud, Graph, ObjectKey};
use config::ProxyConfig;
use render::aws::egress_proxy::{environment, url};
use render::aws::instance::{self, DnsAddress, InstanceSpec};
use schema::{Attribute, Diagnostic, Diagnostics, Nesting, Schema, Type, Value, ValueAt, decode, port};

pub struct EgressProxy;

const NAME: &str = "k8s_egress_proxy";
const DEFAULT_PORT: u16 = 3128;

#[async_trait]
impl CloudResource for EgressProxy {
    type Spec = InstanceSpec;

    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "An egress proxy: an instance with Squid through which nodes without a route to the internet reach only what is on the allow list.\n\n\
             Allowed ports are 80 and 443, and `CONNECT` only to 443. Nothing is cached, and client addresses are not forwarded. The metadata \
             service and link-local addresses cannot be reached through it. The instance is hardened like that of `k8s_bastion`.\n\n\
             A change of port, clients or allow list changes the user data, which EC2 reads only at the first boot: the instance is replaced, and \
             clients wait for some minutes. With `dns` its name stays the same; otherwise `proxy_environment` has a new address.\n\n\
             Import takes the instance's id or `<cluster_name>/<name>`. Allow lists, `no_proxy`, `authorized_keys` and `tags` cannot be read back \
             from AWS; the next apply records them.",
        )
        .attributes(declared(&Words {
            instance_type: "t4g.small",
            ssh_cidrs: "Networks from which SSH is allowed, of both families; only with `vpc_id`. By default there are none.",
            user_data: "More public keys that may log in.",
            address: "`private`",
        }))
        .attributes(proxy_attributes())
        .attributes(computed())
        .attribute(Attribute::map("proxy_environment", Type::String).computed().describe(
            "`HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, also in lower case, for services on nodes. Exceptions besides those of `no_proxy`: \
             the host itself, the metadata service in both families, `.svc` and the cluster's domain. Go (kubelet, containerd, kubectl), curl \
             since 7.86 and, for IPv4 only, Python's requests understand CIDRs among them; wget and Java do not, and need names or single \
             addresses in `no_proxy.extra`.",
        ))
    }

    fn validate(&self, config: &ValueAt<'_>, found: &mut Diagnostics) {
        validate::validate(config, found);
    }

    fn owner_name(&self, planned: &Value) -> Option<String> {
        aws_instance::owner_name(planned)
    }

    fn main_object(&self, planned: &Value) -> ObjectKey {
        aws_instance::main_object(planned)
    }

    fn spec(&self, planned: &Value) -> Result<Option<InstanceSpec>, Diagnostic> {
        let (config, proxy): (Config, ProxyConfig) = (decode(planned)?, decode(planned)?);
        config::spec(&config, &proxy)
    }

    fn graph(&self, spec: &InstanceSpec) -> Graph {
        instance::graph(spec)
    }

    fn decides(&self) -> &'static [Decides] {
        aws_instance::DECIDES
    }

    fn outputs(&self, _spec: Option<&InstanceSpec>, planned: &Value, known: &Known<'_>) -> Vec<(&'static str, Value)> {
        let mut outputs = aws_instance::outputs(planned, known, DnsAddress::Private);
        let private_ip = outputs.iter().find(|(name, _)| *name == "private_ip").map(|(_, value)| value.clone());
        outputs.push(("proxy_environment", proxy_environment(planned, private_ip.unwrap_or_default())));
        outputs
    }

    fn keep(&self, prior: Option<&Value>, planned: &mut Value) {
        aws_instance::keep(prior, planned);
    }

    async fn choose(&self, cloud: &dyn Cloud, planned: &mut Value) -> Result<(), Diagnostic> {
        aws_instance::choose(cloud, planned).await
    }

    async fn preflight(&self, cloud: &dyn Cloud, change: &PlannedChange<'_>) -> Diagnostics {
        aws_instance::preflight(cloud, change.planned).await
    }

    async fn import(&self, cloud: &dyn Cloud, id: &str) -> Result<Value, Diagnostics> {
        let imported = aws_instance::find(cloud, NAME, id).await?;
        with_clients(imported.values("private")?, &imported).map_err(Diagnostics::from)
    }
}

fn proxy_attributes() -> Vec<Attribute> {
    let cidrs = |name, describe: &'static str| {
        Attribute::list(name, Type::String).optional().canonical(spelling::of_network).describe(describe)
    };
    let no_proxy = vec![
        cidrs("service_cidrs", "Service CIDRs of the cluster."),
        cidrs("pod_cidrs", "Pod CIDRs of the cluster."),
        cidrs("vpc_cidrs", "CIDRs of the VPC, of both families."),
        cidrs(
            "endpoints",
            "Short names of the VPC's endpoints, such as `ec2`, `ecr.api`, `ecr.dkr`, `s3`, `sts`: their host names are exceptions.",
        ),
        Attribute::string("region").optional().describe("Region of these endpoints; required with `endpoints`."),
        Attribute::string("api_endpoint").optional().describe("URL or name of the API servers."),
        Attribute::string("cluster_domain")
            .optional()
            .canonical(spelling::of_network)
            .describe("DNS domain of services.")
            .defaults_to("`cluster.local`"),
        cidrs("extra", "More names, addresses and CIDRs. A leading dot means all names below."),
    ];
    vec![
        Attribute::number("port").default(Value::from(DEFAULT_PORT)).validator(port()).describe("Port of the proxy."),
        Attribute::list("client_cidrs", Type::String).required().canonical(spelling::of_network).describe("Networks that may use the proxy, of both families. They are allowed in Squid and, with `vpc_id`, in the security group."),
        Attribute::list("allowed_domains", Type::String).optional().canonical(spelling::of_network).describe(
            "Domains that may be reached, in the form of Squid's `dstdomain`: `registry.k8s.io` is only that name, `.pkg.dev` is that name and all \
             below it. A domain in which anyone can get a name (`.amazonaws.com` holds everyone's instances and buckets) lets data out: \
             prefer full names.",
        ),
        Attribute::list("allowed_cidrs", Type::String).optional().canonical(spelling::of_network).describe(
            "Networks that may be reached by address. Only `allowed_domains` decides on names; they are not resolved for this list.",
        ),
        Attribute::nested("no_proxy", Nesting::Single, no_proxy).optional().describe("What clients reach directly: the exceptions in `proxy_environment`."),
    ]
}

/// By name where the records hold the private address: the name is kept when the instance is replaced.
fn proxy_environment(planned: &Value, private_ip: Value) -> Value {
    let host = match aws_instance::dns_address(planned, DnsAddress::Private) {
        Some(DnsAddress::Private) => planned.get("dns").get("name").clone(),
        _ => private_ip,
    };
    let port = planned.get("port").as_i64().and_then(|port| u16::try_from(port).ok());
    let url = host.as_str().zip(port).map(|(host, port)| url(host, port));
    let no_proxy = decode::<ProxyConfig>(planned).ok().and_then(|proxy| proxy.no_proxy());
    // What is not there, because the instance is gone, is null; what will be there is unknown.
    let missing = if host.is_null() { Value::Null } else { Value::Unknown };
    let value = |name: &str, value: Option<String>| match value {
        Some(text) => text.into(),
        None if name.eq_ignore_ascii_case("NO_PROXY") => Value::Unknown,
        None => missing.clone(),
    };
    let variables = environment(url.as_deref(), no_proxy.as_deref()).into_iter();
    Value::Map(variables.map(|(name, text)| (name.clone(), value(&name, text))).collect())
}

/// Port and clients come from the security group, if it is the proxy's own.
fn with_clients(mut values: Value, imported: &Imported) -> Result<Value, Diagnostic> {
    let own = imported.ports().into_iter().find(|port| *port != 22);
    values.set("port", own.unwrap_or(DEFAULT_PORT).into());
    if let Some(port) = own {
        values.set("client_cidrs", imported.peers(port).into());
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(dns: Value) -> Value {
        let no_proxy = Value::object([("vpc_cidrs", vec!["10.0.0.0/16"].into())]);
        Value::object([("port", 3128.into()), ("dns", dns), ("no_proxy", no_proxy)])
    }

    fn dns(address: Value) -> Value {
        Value::object([("zone_id", "Z1".into()), ("name", "proxy.demo.internal".into()), ("address", address)])
    }

    #[track_caller]
    fn check(dns: Value, private_ip: Value, expect: Value) {
        let environment = proxy_environment(&planned(dns), private_ip);
        assert_eq!(environment.get("HTTPS_PROXY"), &expect);
        assert_eq!(environment.get("http_proxy"), &expect);
        assert!(environment.get("no_proxy").as_str().is_some_and(|text| text.ends_with(",10.0.0.0/16")));
    }

    #[test]
    fn clients_go_by_the_private_name_or_else_by_the_private_address() {
        check(Value::Null, "10.0.0.5".into(), "http://10.0.0.5:3128".into());
        check(Value::Null, Value::Unknown, Value::Unknown);
        check(dns(Value::Null), Value::Unknown, "http://proxy.demo.internal:3128".into());
        check(dns("public".into()), "10.0.0.5".into(), "http://10.0.0.5:3128".into());
    }
}
