//! `k8s_bastion`: an instance through which nodes are reached by SSH.

mod config;
mod validate;

use crate::resources::on_cloud::aws_instance::attributes::{Words, computed, declared};
use crate::resources::on_cloud::aws_instance::{self, Config};
use crate::resources::on_cloud::open::Decides;
use crate::resources::on_cloud::{CloudResource, Known, PlannedChange};
use async_trait::async_trait;
use cloud::{Cloud, Graph, ObjectKey};
use render::aws::instance::{self, DnsAddress, InstanceSpec};
use schema::{Diagnostic, Diagnostics, Schema, Value, ValueAt, decode};

pub struct Bastion;

const NAME: &str = "k8s_bastion";

#[async_trait]
impl CloudResource for Bastion {
    type Spec = InstanceSpec;

    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "A bastion: an instance in a public subnet through which nodes are reached, with `ssh -J` or as `ssh.jump_host` of resources on hosts.\n\n\
             Set the jump host in `ssh` of each of these resources, as `ssh = { jump_host = { address = k8s_bastion.main.ssh_host, user = \
             k8s_bastion.main.ssh_user } }`; the rest comes from the provider block. The provider block itself cannot refer to a bastion that the same \
             provider creates: engines report a cycle.\n\n\
             SSH accepts only keys, nobody logs in as root, and agents are not forwarded. Security updates are installed automatically if the \
             image has apt; Amazon Linux gets its updates with a new image. The metadata service answers only to version 2 (IMDSv2), and only \
             this host. The root volume is encrypted.\n\n\
             Import takes the instance's id or `<cluster_name>/<name>`. `authorized_keys` and `tags` cannot be read back from AWS: the next apply \
             records them, and changes no object for it.",
        )
        .attributes(declared(&Words {
            instance_type: "t4g.nano",
            ssh_cidrs: "Networks from which SSH is allowed, of both families. Required with `vpc_id`, and not allowed without it.",
            user_data: "More public keys that may log in. They are part of the user data, which EC2 reads only at the first boot.",
            address: "`public`",
        }))
        .attributes(computed())
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
        let config: Config = decode(planned)?;
        config::spec(&config)
    }

    fn graph(&self, spec: &InstanceSpec) -> Graph {
        instance::graph(spec)
    }

    fn decides(&self) -> &'static [Decides] {
        aws_instance::DECIDES
    }

    fn outputs(&self, _spec: Option<&InstanceSpec>, planned: &Value, known: &Known<'_>) -> Vec<(&'static str, Value)> {
        aws_instance::outputs(planned, known, DnsAddress::Public)
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
        aws_instance::find(cloud, NAME, id).await?.values("public")
    }
}
