//! The provider block: its schema, its typed form, and what every resource shares while the plugin runs.

use crate::aws::{self, Aws};
use crate::ports::World;
use crate::progress::Progress;
use crate::resources::attributes::is_http_url;
use crate::resources::on_cloud::holder::Held;
use crate::ssh::{self, Ssh};
use crate::tokens::Tokens;
use crate::turns::Turns;
use cloud::{Cloud, Connection};
use schema::{Attribute, Diagnostic, Diagnostics, Field, Schema, Value, ValueAt, decode};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

pub const DEFAULT_PARALLEL_HOSTS: usize = 20;

/// What the user declares in `provider "k8s"`. Unknown values are carried: what needs none of them still plans.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Configuration {
    pub ssh: Field<Ssh>,
    pub aws: Field<Aws>,
    pub preflight: Field<bool>,
    pub mirror: Field<String>,
    pub progress_file: Field<String>,
    pub max_parallel_hosts: Field<u64>,
}

/// Shared by all resources of one provider block. The engine configures it once, before anything is planned.
#[derive(Clone)]
pub struct Shared {
    configuration: Arc<RwLock<Configuration>>,
    /// Made at the first use, and the same for all resources: what one has asked, the others need not.
    cloud: Arc<RwLock<Option<Arc<dyn Cloud>>>>,
    pub world: Arc<dyn World>,
    pub tokens: Arc<Tokens>,
    pub turns: Arc<Turns>,
    pub held: Arc<Held>,
}

impl Shared {
    pub fn new(world: Arc<dyn World>) -> Self {
        let tokens = Arc::new(Tokens::of_run(world.random()));
        Shared {
            configuration: Arc::default(),
            cloud: Arc::default(),
            world,
            tokens,
            turns: Arc::default(),
            held: Arc::default(),
        }
    }

    pub fn configure(&self, value: &Value) -> Result<(), Diagnostic> {
        let configuration: Configuration = decode(value)?;
        self.held.forget();
        if let Ok(mut current) = self.configuration.write() {
            *current = configuration;
        }
        if let Ok(mut cloud) = self.cloud.write() {
            *cloud = None;
        }
        Ok(())
    }

    /// Reaches nothing by itself. Fails while a setting that it needs is not known yet.
    pub fn cloud(&self) -> Result<Arc<dyn Cloud>, Diagnostic> {
        if let Some(cloud) = self.cloud.read().ok().and_then(|cloud| cloud.clone()) {
            return Ok(cloud);
        }
        let connection = self.configuration().connection()?;
        let made = self.world.cloud(&connection);
        let Ok(mut cloud) = self.cloud.write() else { return Ok(made) };
        Ok(cloud.get_or_insert(made).clone())
    }

    pub fn configuration(&self) -> Configuration {
        self.configuration.read().map(|current| current.clone()).unwrap_or_default()
    }
}

impl Configuration {
    /// Fails while a setting that it needs is not known yet.
    fn connection(&self) -> Result<Connection, Diagnostic> {
        match &self.aws {
            Field::Unknown => Err(aws::not_known("aws")),
            Field::Null => Aws::default().connection(),
            Field::Known(aws) => aws.connection(),
        }
    }

    /// The region that the provider block names. Null: the environment or a profile does.
    pub fn region(&self) -> Field<String> {
        self.of_aws(|aws| &aws.region)
    }

    pub fn prices(&self) -> Field<String> {
        self.of_aws(|aws| &aws.prices)
    }

    /// Tags for every object. Unknown as a whole, or value by value.
    pub fn default_tags(&self) -> Field<BTreeMap<String, Field<String>>> {
        self.of_aws(|aws| &aws.default_tags)
    }

    fn of_aws<T: Clone>(&self, setting: fn(&Aws) -> &Field<T>) -> Field<T> {
        self.aws.as_ref().and_then(|aws| setting(aws).clone())
    }

    pub fn progress(&self, subject: impl Into<String>) -> Progress {
        Progress::new(self.progress_file.known().map(PathBuf::from)).of(subject)
    }

    pub fn parallel_hosts(&self) -> usize {
        self.max_parallel_hosts.known().and_then(|limit| usize::try_from(*limit).ok()).unwrap_or(DEFAULT_PARALLEL_HOSTS).max(1)
    }
}

pub fn schema() -> Schema {
    Schema::new(
        "Builds Kubernetes the hard way on Linux hosts that are reached over SSH, with a dual-stack network on AWS around them.\n\n\
         Every certificate, etcd member, systemd unit and virtual address is declared, planned, applied, read back and destroyed.",
    )
    .attribute(ssh::attribute())
    .attribute(aws::attribute())
    .attribute(Attribute::bool("preflight").optional().describe(
        "Whether plans of resources on AWS check with AWS first: zones, instance types, quotas, overlaps, newer images, objects that exist \
         already, and, by dry runs, whether a VPC, an internet gateway, a security group, an Elastic IP and a key pair may be created. \
         Without it, a plan with `-refresh=false` makes no call.",
    ).defaults_to("`false`"))
    .attribute(mirror_attribute())
    .attribute(Attribute::string("progress_file").optional().describe(
        "Path of a file to which an apply appends a line for each phase, with the time it took. Follow it with `tail -f`.",
    ))
    .attribute(
        Attribute::number("max_parallel_hosts")
            .optional()
            .validator(schema::between(1, 1000))
            .describe("How many hosts are worked on at the same time where order does not matter.")
            .defaults_to("`20`"),
    )
}

pub fn mirror_attribute() -> Attribute {
    Attribute::string("mirror").optional().describe(
        "Base URL that replaces the origins of all downloads: a binary is fetched from `<mirror>/<origin host>/<path>`, and its digest \
         is looked up in `<mirror>/SHA256SUMS`. It stands in clear in plans and in the state \
         where a resource sets it: give a URL with a password in the provider block and by a sensitive variable, which the text of a plan does \
         not show and no state keeps.",
    )
}

/// Of the provider or of a resource.
pub fn validate_mirror(mirror: &ValueAt<'_>, found: &mut Diagnostics) {
    if mirror.as_str().is_some_and(|text| !is_http_url(text)) {
        let detail = "Give the base URL of the mirror, such as https://mirror.example.net/kubernetes.";
        found.push(mirror.error("mirror is not an HTTP URL", detail));
    }
}

pub fn validate(config: &Value) -> Diagnostics {
    let (config, mut found) = (ValueAt::of(config), Diagnostics::default());
    validate_mirror(&config.get("mirror"), &mut found);
    ssh::validate(&config.get("ssh"), &mut found);
    aws::validate(&config.get("aws"), &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mirror: Value, expect: &[(&str, &str)]) {
        let found = validate(&Value::object([("mirror", mirror)]));
        let said: Vec<(String, String)> =
            found.iter().map(|d| (d.path.as_ref().map(ToString::to_string).unwrap_or_default(), d.summary.clone())).collect();
        let expect: Vec<(String, String)> = expect.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
        assert_eq!(said, expect);
    }

    #[test]
    fn mirrors() {
        check("https://mirror.example.net/kubernetes".into(), &[]);
        check(Value::Unknown, &[]);
        check(Value::Null, &[]);
        check("mirror.example.net".into(), &[("mirror", "mirror is not an HTTP URL")]);
        check("ftp://mirror.example.net".into(), &[("mirror", "mirror is not an HTTP URL")]);
    }

    #[test]
    fn unknown_settings_are_carried_and_there_is_always_room_for_one_host() {
        let (world, _stops) = crate::fakes::FakeWorld::new();
        let shared = Shared::new(Arc::new(world));
        shared.configure(&Value::object([("mirror", Value::Unknown), ("max_parallel_hosts", 0.into())])).unwrap();
        assert!(shared.configuration().mirror.is_unknown());
        assert_eq!(shared.configuration().parallel_hosts(), 1);
    }
}
