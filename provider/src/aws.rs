//! The `aws` block of the provider: how AWS is reached. Where nothing is set, the SDK's default chain decides.

use crate::resources::attributes::is_http_url;
use crate::resources::on_cloud::tags;
use cloud::{AssumeRole, Connection};
use credentials::{Secret, Url};
use schema::{Attribute, Diagnostic, Diagnostics, Field, Nesting, Type, Value, ValueAt};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Services that can have an endpoint of their own.
pub const SERVICES: [&str; 7] = ["autoscaling", "ec2", "elbv2", "route53", "servicequotas", "ssm", "sts"];

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Aws {
    pub region: Field<String>,
    pub profile: Field<String>,
    pub shared_config_files: Field<Vec<Field<String>>>,
    pub shared_credentials_files: Field<Vec<Field<String>>>,
    pub access_key: Field<String>,
    pub secret_key: Field<Secret>,
    pub token: Field<Secret>,
    pub assume_role: Field<AssumeRoleConfig>,
    pub endpoint: Field<String>,
    pub endpoints: Field<BTreeMap<String, Field<String>>>,
    pub default_tags: Field<BTreeMap<String, Field<String>>>,
    pub retry_mode: Field<String>,
    pub max_attempts: Field<u32>,
    pub requests_per_second: Field<u32>,
    pub use_dual_stack_endpoint: Field<bool>,
    pub use_fips_endpoint: Field<bool>,
    pub prices: Field<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct AssumeRoleConfig {
    pub role_arn: Field<String>,
    pub external_id: Field<Secret>,
    pub session_name: Field<String>,
    pub duration_seconds: Field<u32>,
}

pub fn attribute() -> Attribute {
    let text = |name, description: &'static str| Attribute::string(name).optional().describe(description);
    Attribute::nested(
        "aws",
        Nesting::Single,
        vec![
            text("region", "Region.").defaults_to("what the SDK's default chain finds: `AWS_REGION`, then the profile"),
            text("profile", "Profile in the shared configuration files."),
            Attribute::list("shared_config_files", Type::String).optional().describe("Paths of shared configuration files.").defaults_to("`~/.aws/config`"),
            Attribute::list("shared_credentials_files", Type::String).optional().describe("Paths of shared credentials files.").defaults_to("`~/.aws/credentials`"),
            text("access_key", "Access key id; needs `secret_key`. Prefer a profile, a role or the environment."),
            Attribute::string("secret_key").optional().sensitive().describe("Secret access key."),
            Attribute::string("token").optional().sensitive().describe("Session token of the access key."),
            assume_role_attribute(),
            text("endpoint", "Endpoint URL for every service without one in `endpoints`, such as an emulator's."),
            Attribute::map("endpoints", Type::String)
                .optional()
                .null_means_absent()
                .describe("Endpoint URLs by service: `autoscaling`, `ec2`, `elbv2`, `route53`, `servicequotas`, `ssm`, `sts`."),
            Attribute::map("default_tags", Type::String).optional().null_means_absent().describe("Tags of every object. A resource's own `tags` win."),
            text("retry_mode", "How a call that failed or was throttled is retried.").defaults_to("`adaptive`")
                .validator(schema::one_of(&["standard", "adaptive"])),
            Attribute::number("max_attempts")
                .optional()
                .validator(schema::between(1, 100))
                .describe("Maximum number of attempts for each call.")
                .defaults_to("`10`"),
            Attribute::number("requests_per_second")
                .optional()
                .validator(schema::between(1, 1000))
                .describe("Maximum number of requests a second, of all resources of this provider together.")
                .defaults_to("`20`"),
            Attribute::string("prices").optional().describe(
                "Your own prices for the attribute `cost`, in TOML, such as `file(\"prices.toml\")`: groups `[[prices]]` with `region`, `unit` \
                 (`hour`, `GB-month`) and `usd = { nat_gateway = \"0.045\" }`. They win over those that the provider knows, which are those of `us-east-1` (of common \
                 instance types), of public IPv4 addresses in every region, and of NAT gateways in `us-east-2`.",
            ),
            Attribute::bool("use_dual_stack_endpoint").optional().describe("Whether to reach AWS over its dual-stack endpoints."),
            Attribute::bool("use_fips_endpoint").optional().describe("Whether to reach AWS over its FIPS endpoints."),
        ],
    )
    .optional()
    .describe(
        "How AWS is reached. Only resources on AWS need it, and nothing is reached before the first of them is read or applied. Values \
         may be unknown: whatever does not need them is still planned.",
    )
}

fn assume_role_attribute() -> Attribute {
    Attribute::nested(
        "assume_role",
        Nesting::Single,
        vec![
            Attribute::string("role_arn").required().describe("ARN of the role."),
            Attribute::string("external_id")
                .optional()
                .sensitive()
                .describe("External id that the role's trust policy requires."),
            Attribute::string("session_name")
                .optional()
                .describe("Name of the session in CloudTrail.")
                .defaults_to("`terraform-provider-k8s`"),
            Attribute::number("duration_seconds")
                .optional()
                .validator(schema::between(900, 43_200))
                .describe("How long the role's credentials are valid."),
        ],
    )
    .optional()
    .describe("Role to assume with the credentials from the other settings.")
}

/// Of the block `aws`.
pub fn validate(aws: &ValueAt<'_>, found: &mut Diagnostics) {
    validate_credentials(aws, found);
    let region = aws.get("region");
    if let Some(text) = region.as_str().filter(|text| !is_region(text)) {
        let detail = "A region is named like us-east-1 or eu-central-1; us-east-1a would be a zone.";
        found.push(region.error(format!("{text:?} is not a region"), detail));
    }
    let role = aws.get("assume_role").get("role_arn");
    if let Some(text) = role.as_str().filter(|text| !(text.starts_with("arn:aws") && text.contains(":role/"))) {
        let detail = "It reads like arn:aws:iam::123456789012:role/terraform.";
        found.push(role.error(format!("{text:?} is not the ARN of a role"), detail));
    }
    validate_endpoint(&aws.get("endpoint"), found);
    for (service, url) in aws.get("endpoints").entries() {
        if SERVICES.contains(&service) {
            validate_endpoint(&url, found);
        } else {
            let detail = format!("One of {}.", SERVICES.join(", "));
            found.push(url.error(format!("{service:?} is not a service that this provider uses"), detail));
        }
    }
    tags::validate(&aws.get("default_tags"), &Value::Null, found);
}

fn validate_credentials(aws: &ValueAt<'_>, found: &mut Diagnostics) {
    let is_given = |name: &str| !aws.get(name).value().is_null();
    if is_given("access_key") != is_given("secret_key") {
        let missing = if is_given("access_key") { "secret_key" } else { "access_key" };
        let detail = "Give access_key and secret_key together, or neither and a profile or the environment.";
        found.push(aws.get(missing).error(format!("{missing} is missing"), detail));
    }
    if is_given("token") && !is_given("access_key") {
        let detail = "A session token belongs to the access key and the secret key that came with it.";
        found.push(aws.get("token").error("token without access_key", detail));
    }
}

fn validate_endpoint(url: &ValueAt<'_>, found: &mut Diagnostics) {
    if let Some(text) = url.as_str().filter(|text| !is_http_url(text)) {
        let detail = "Give the URL of an endpoint, such as https://ec2.us-east-1.api.aws.";
        found.push(url.error(format!("{:?} is not an HTTP URL", Url::new(text)), detail));
    }
}

fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let words = &parts[..parts.len() - 1];
    parts.len() >= 3
        && parts.last().is_some_and(|number| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()))
        && words.iter().all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()))
}

impl Aws {
    /// Fails where something that is needed now is not known yet.
    pub fn connection(&self) -> Result<Connection, Diagnostic> {
        let assume_role = match known(&self.assume_role, "assume_role")? {
            None => None,
            Some(role) => Some(AssumeRole {
                role_arn: known(&role.role_arn, "assume_role.role_arn")?.unwrap_or_default(),
                external_id: known(&role.external_id, "assume_role.external_id")?,
                session_name: known(&role.session_name, "assume_role.session_name")?,
                duration_seconds: known(&role.duration_seconds, "assume_role.duration_seconds")?,
            }),
        };
        let endpoints = known(&self.endpoints, "endpoints")?.unwrap_or_default();
        Ok(Connection {
            region: known(&self.region, "region")?,
            profile: known(&self.profile, "profile")?,
            shared_config_files: texts(&self.shared_config_files, "shared_config_files")?,
            shared_credentials_files: texts(&self.shared_credentials_files, "shared_credentials_files")?,
            access_key: known(&self.access_key, "access_key")?,
            secret_key: known(&self.secret_key, "secret_key")?,
            token: known(&self.token, "token")?,
            assume_role,
            endpoint: known(&self.endpoint, "endpoint")?,
            endpoints: endpoints
                .into_iter()
                .map(|(service, url)| Ok((service, known(&url, "endpoints")?.unwrap_or_default())))
                .collect::<Result<_, Diagnostic>>()?,
            retry_mode: known(&self.retry_mode, "retry_mode")?,
            max_attempts: known(&self.max_attempts, "max_attempts")?,
            requests_per_second: known(&self.requests_per_second, "requests_per_second")?,
            use_dual_stack_endpoint: known(&self.use_dual_stack_endpoint, "use_dual_stack_endpoint")?,
            use_fips_endpoint: known(&self.use_fips_endpoint, "use_fips_endpoint")?,
        })
    }
}

fn texts(field: &Field<Vec<Field<String>>>, name: &str) -> Result<Vec<String>, Diagnostic> {
    let all = known(field, name)?.unwrap_or_default();
    Ok(all.iter().map(|text| known(text, name)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn known<T: Clone>(field: &Field<T>, name: &str) -> Result<Option<T>, Diagnostic> {
    match field {
        Field::Known(value) => Ok(Some(value.clone())),
        Field::Null => Ok(None),
        Field::Unknown => Err(not_known(&format!("aws.{name}"))),
    }
}

pub fn not_known(setting: &str) -> Diagnostic {
    Diagnostic::error(format!("{setting} of the provider is not known yet")).detail(
        "It comes from a resource that does not exist yet, and this resource is already there. Apply that resource first \
         (-target), or give the value directly.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<const N: usize>(config: [(&str, Value); N], expect: &[&str]) {
        let (config, mut found) = (Value::object([("aws", Value::object(config))]), Diagnostics::default());
        validate(&ValueAt::of(&config).get("aws"), &mut found);
        let paths: Vec<String> = found.iter().map(|d| d.path.as_ref().map(ToString::to_string).unwrap_or_default()).collect();
        assert_eq!(paths, expect, "{found}");
    }

    #[test]
    fn mistakes_are_found_before_any_call() {
        check([("region", "us-east-1".into()), ("access_key", "a".into()), ("secret_key", "b".into())], &[]);
        check([("region", "us-gov-west-1".into())], &[]);
        check([("region", Value::Unknown), ("secret_key", Value::Unknown), ("access_key", Value::Unknown)], &[]);
        check([("access_key", "a".into())], &["aws.secret_key"]);
        check([("secret_key", "a".into())], &["aws.access_key"]);
        check([("token", "a".into())], &["aws.token"]);
        check([("region", "us-east-1a".into())], &["aws.region"]);
        check([("region", "virginia".into())], &["aws.region"]);
        check([("endpoint", "localhost:5000".into())], &["aws.endpoint"]);
        check([("endpoint", "http://".into())], &["aws.endpoint"]);
        check([("endpoint", "http://localhost:5000\n".into())], &["aws.endpoint"]);
        check([("endpoints", Value::object([("s3", "http://x".into())]))], &["aws.endpoints[\"s3\"]"]);
        check([("endpoints", Value::object([("ec2", "x".into())]))], &["aws.endpoints[\"ec2\"]"]);
        let role = Value::object([("role_arn", "terraform".into())]);
        check([("assume_role", role)], &["aws.assume_role.role_arn"]);
    }

    #[test]
    fn what_is_unknown_is_refused_only_when_aws_is_reached() {
        let config: Aws = schema::decode(&Value::object([("region", "us-east-1".into()), ("profile", Value::Unknown)])).unwrap();
        assert_eq!(config.connection().err().unwrap().summary, "aws.profile of the provider is not known yet");
    }
}
