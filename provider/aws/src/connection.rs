//! From the provider's `aws` block to clients: region, credentials, endpoints, retries. What is not set is found where the AWS
//! CLI finds it.

use crate::clients::Clients;
use crate::error::{NO_CREDENTIALS, are_credentials_wrong, causes};
use crate::limits::{Bucket, REQUESTS_PER_SECOND, limited};
use crate::reach::Reach;
use crate::trace::Trace;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_config::{BehaviorVersion, SdkConfig, imds};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_http_client::tls;
use aws_types::region::Region;
use cloud::{CloudError, Connection, ErrorClass};
use credentials::Url;
use std::sync::Arc;
use std::time::Duration;

const MAX_ATTEMPTS: u32 = 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// Outside of EC2 nobody answers: to find that out must not take long.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);

/// Finds region and credentials, and makes the clients. Asks no service of AWS, but where the credentials come from: instance
/// metadata, SSO, or the service that the chosen profile names.
pub(crate) async fn connect(connection: &Connection) -> Result<Clients, CloudError> {
    let metadata =
        imds::Client::builder().connect_timeout(METADATA_TIMEOUT).read_timeout(METADATA_TIMEOUT).max_attempts(1).build();
    let region = region(connection, &metadata).await?;
    let https = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
    let https = aws_smithy_http_client::Builder::new().tls_provider(https).build_https();
    let per_second = connection.requests_per_second.unwrap_or(REQUESTS_PER_SECOND);
    let bucket = Arc::new(Bucket::new(per_second, connection.retry_mode.as_deref() != Some("standard")));
    let http_client = limited(https, Arc::clone(&bucket));
    let credentials = credentials(connection, &region, metadata).await?;
    credentials.provide_credentials().await.map_err(|error| denied(connection, &causes(&error)))?;
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT);
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region.clone())
        .http_client(http_client)
        .credentials_provider(credentials)
        .timeout_config(timeouts.build())
        .retry_config(retries(connection));
    if let Some(files) = files(connection) {
        loader = loader.profile_files(files);
    }
    if let Some(profile) = &connection.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(use_dual_stack) = connection.use_dual_stack_endpoint {
        loader = loader.use_dual_stack(use_dual_stack);
    }
    if let Some(use_fips) = connection.use_fips_endpoint {
        loader = loader.use_fips(use_fips);
    }
    let configuration = with_role(connection, loader.load().await).await;
    Ok(clients(connection, &configuration, &region, &Trace(bucket)))
}

/// What is known of the region without reading files or asking anybody.
pub(crate) fn region_at_hand(connection: &Connection) -> Option<String> {
    let of_environment = || ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| std::env::var(name).ok());
    connection.region.clone().or_else(of_environment).filter(|region| !region.is_empty())
}

/// Errors about credentials say where these came from.
pub(crate) fn explained(connection: &Connection, mut error: CloudError) -> CloudError {
    if are_credentials_wrong(&error) {
        error.message = format!("{} (the credentials come from {})", error.message.trim_end_matches('.'), source(connection));
    } else if error.class == ErrorClass::Ambiguous && error.code.is_empty() {
        let asked = match endpoint(connection, service_of(&error.operation)) {
            Some(endpoint) => format!("endpoint {}", Url::new(endpoint)),
            None => format!("region {}", region_at_hand(connection).unwrap_or_default()),
        };
        error.message = format!("{} (is the {} right, and can it be reached from here?)", error.message, asked.trim_end());
    }
    error
}

fn clients(connection: &Connection, configuration: &SdkConfig, region: &Region, trace: &Trace) -> Clients {
    macro_rules! client {
        ($service:ident, $name:literal) => {{
            let mut builder =
                $service::config::Builder::from(configuration).interceptor(trace.clone()).retry_classifier(Reach::default());
            if let Some(endpoint) = endpoint(connection, $name) {
                builder = builder.endpoint_url(endpoint);
            }
            $service::Client::from_conf(builder.build())
        }};
    }
    Clients {
        autoscaling: client!(aws_sdk_autoscaling, "autoscaling"),
        ec2: client!(aws_sdk_ec2, "ec2"),
        elb: client!(aws_sdk_elasticloadbalancing, "elbv2"),
        elbv2: client!(aws_sdk_elasticloadbalancingv2, "elbv2"),
        route53: client!(aws_sdk_route53, "route53"),
        sts: client!(aws_sdk_sts, "sts"),
        ssm: client!(aws_sdk_ssm, "ssm"),
        quotas: client!(aws_sdk_servicequotas, "servicequotas"),
        region: region.to_string(),
    }
}

/// Its own one, or the one for all; else the SDK takes what environment and profile have, or AWS' own.
fn endpoint<'a>(connection: &'a Connection, service: &str) -> Option<&'a str> {
    connection.endpoints.get(service).or(connection.endpoint.as_ref()).map(String::as_str)
}

/// The block's name of the service of an operation, which has IAM's.
fn service_of(operation: &str) -> &str {
    match operation.split_once(':') {
        Some(("elasticloadbalancing", _)) => "elbv2",
        Some((service, _)) => service,
        None => "",
    }
}

/// The bucket does what the SDK's adaptive mode would do.
fn retries(connection: &Connection) -> RetryConfig {
    RetryConfig::standard().with_max_attempts(connection.max_attempts.unwrap_or(MAX_ATTEMPTS).max(1))
}

async fn region(connection: &Connection, metadata: &imds::Client) -> Result<Region, CloudError> {
    let region = match region_at_hand(connection) {
        Some(region) => Some(Region::new(region)),
        None => {
            let mut profile = ProfileFileRegionProvider::builder();
            if let Some(files) = files(connection) {
                profile = profile.profile_files(files);
            }
            if let Some(name) = &connection.profile {
                profile = profile.profile_name(name);
            }
            let of_instance = ImdsRegionProvider::builder().imds_client(metadata.clone()).build();
            let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(profile.build());
            chain.or_else(of_instance).region().await
        }
    };
    let Some(region) = region else {
        let tried = "neither the provider's aws block, AWS_REGION, AWS_DEFAULT_REGION, the profile nor instance metadata has one";
        return Err(unusable("NoRegion", format!("{tried}: set region in the aws block, such as \"eu-central-1\"")));
    };
    if connection.endpoint.is_none() && !is_region(region.as_ref()) {
        let text =
            format!("\"{region}\" is not the name of a region, which is one like \"eu-central-1\", without a zone's letter");
        return Err(unusable("NoRegion", text));
    }
    Ok(region)
}

/// `us-gov-west-1`: words, then a number.
fn is_region(name: &str) -> bool {
    let words: Vec<&str> = name.split('-').collect();
    let [first, .., last] = words.as_slice() else { return false };
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    words.len() >= 3 && is_word(first) && !last.is_empty() && last.chars().all(|c| c.is_ascii_digit())
}

async fn credentials(
    connection: &Connection,
    region: &Region,
    metadata: imds::Client,
) -> Result<SharedCredentialsProvider, CloudError> {
    if let Some(access_key) = &connection.access_key {
        let Some(secret_key) = &connection.secret_key else {
            return Err(denied(connection, "access_key is set without secret_key"));
        };
        let token = connection.token.as_ref().map(|token| token.reveal().to_owned());
        let keys = Credentials::new(access_key, secret_key.reveal(), token, None, "aws block");
        return Ok(SharedCredentialsProvider::new(keys));
    }
    let configuration = ProviderConfig::without_region().with_region(Some(region.clone()));
    let mut profile = ProfileFileCredentialsProvider::builder().configure(&configuration);
    if let Some(files) = files(connection) {
        profile = profile.profile_files(files);
    }
    // A profile that is asked for by name comes before what happens to be in the environment.
    if let Some(name) = &connection.profile {
        return Ok(SharedCredentialsProvider::new(profile.profile_name(name).build()));
    }
    let web_identity = WebIdentityTokenCredentialsProvider::builder().configure(&configuration).build();
    let container = EcsCredentialsProvider::builder().configure(&configuration).build();
    let instance = ImdsCredentialsProvider::builder().configure(&configuration).imds_client(metadata).build();
    let chain = CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
        .or_else("Profile", profile.build())
        .or_else("WebIdentityToken", web_identity)
        .or_else("EcsContainer", container)
        .or_else("Ec2InstanceMetadata", instance);
    Ok(SharedCredentialsProvider::new(chain))
}

async fn with_role(connection: &Connection, configuration: SdkConfig) -> SdkConfig {
    let Some(role) = &connection.assume_role else { return configuration };
    let mut sts = configuration.clone().into_builder();
    sts.set_endpoint_url(endpoint(connection, "sts").map(ToOwned::to_owned).or(configuration.endpoint_url().map(Into::into)));
    let mut provider = AssumeRoleProvider::builder(&role.role_arn)
        .session_name(role.session_name.as_deref().unwrap_or("terraform-provider-k8s"))
        .configure(&sts.build());
    if let Some(id) = &role.external_id {
        provider = provider.external_id(id.reveal());
    }
    if let Some(seconds) = role.duration_seconds {
        provider = provider.session_length(Duration::from_secs(seconds.into()));
    }
    let credentials = SharedCredentialsProvider::new(provider.build().await);
    configuration.into_builder().credentials_provider(credentials).build()
}

/// `None`: those of the environment, or below the home directory.
fn files(connection: &Connection) -> Option<EnvConfigFiles> {
    let (config, credentials) = (&connection.shared_config_files, &connection.shared_credentials_files);
    if config.is_empty() && credentials.is_empty() {
        return None;
    }
    let mut files = EnvConfigFiles::builder()
        .include_default_config_file(config.is_empty())
        .include_default_credentials_file(credentials.is_empty());
    for path in config {
        files = files.with_file(EnvConfigFileKind::Config, path);
    }
    for path in credentials {
        files = files.with_file(EnvConfigFileKind::Credentials, path);
    }
    Some(files.build())
}

fn source(connection: &Connection) -> String {
    let source = match (&connection.access_key, &connection.profile) {
        (Some(_), _) => "the keys of the provider's aws block".to_owned(),
        (None, Some(profile)) => format!("profile \"{profile}\""),
        (None, None) => "the default chain (environment, shared config and credentials files, SSO, web identity, container, \
                         instance metadata)"
            .to_owned(),
    };
    match &connection.assume_role {
        Some(role) => format!("role {}, assumed with {source}", role.role_arn),
        None => source,
    }
}

fn denied(connection: &Connection, reason: &str) -> CloudError {
    let way_out = "set access_key and secret_key or profile in the provider's aws block, set AWS_ACCESS_KEY_ID and \
                   AWS_SECRET_ACCESS_KEY, or run aws sso login";
    let reason = reason.trim_end_matches('.');
    let message = format!("no credentials from {}: {reason}; {way_out}", source(connection));
    CloudError { class: ErrorClass::Denied, ..unusable(NO_CREDENTIALS, message) }
}

fn unusable(code: &str, message: String) -> CloudError {
    CloudError { operation: "aws configuration".to_owned(), class: ErrorClass::Refused, code: code.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cloud::AssumeRole;
    use credentials::Secret;

    #[test]
    fn a_zone_is_not_a_region() {
        for region in ["eu-central-1", "us-gov-west-1", "ap-southeast-12"] {
            assert!(is_region(region), "{region}");
        }
        for text in ["eu-central-1a", "frankfurt", "", "eu-1", "EU-central-1", "eu--"] {
            assert!(!is_region(text), "{text}");
        }
    }

    #[test]
    fn the_endpoint_of_a_service_wins_over_that_for_all() {
        let connection = Connection {
            endpoint: Some("http://all".into()),
            endpoints: [("sts".to_owned(), "http://sts".to_owned())].into(),
            ..Connection::default()
        };
        assert_eq!(endpoint(&connection, "sts"), Some("http://sts"));
        assert_eq!(endpoint(&connection, "ec2"), Some("http://all"));
    }

    #[test]
    fn an_error_without_an_answer_names_where_it_was_asked() {
        let ask = |operation: &str, connection: &Connection| {
            let error = CloudError { class: ErrorClass::Ambiguous, ..unusable("", "refused".into()) };
            explained(connection, CloudError { operation: operation.into(), ..error }).message
        };
        let endpoints = [("elbv2".to_owned(), "http://lb".to_owned())].into();
        let connection = Connection { region: Some("eu-central-1".into()), endpoints, ..Connection::default() };
        assert!(ask("elasticloadbalancing:DescribeLoadBalancers", &connection).contains("endpoint http://lb right"));
        assert!(ask("ec2:DescribeVpcs", &connection).contains("region eu-central-1 right"));
    }

    #[track_caller]
    fn check_source(connection: &Connection, expect: &str) {
        let text = source(connection);
        assert!(text.contains(expect), "{text}");
    }

    #[test]
    fn errors_name_where_credentials_come_from() {
        let mut connection = Connection::default();
        check_source(&connection, "default chain");
        connection.profile = Some("prod".into());
        check_source(&connection, "profile \"prod\"");
        connection.access_key = Some("AKIA".into());
        check_source(&connection, "keys of the provider's aws block");
        connection.assume_role = Some(AssumeRole { role_arn: "arn:aws:iam::1:role/x".into(), ..AssumeRole::default() });
        check_source(&connection, "role arn:aws:iam::1:role/x, assumed with the keys");
    }

    #[tokio::test]
    async fn a_key_without_its_secret_and_a_zone_for_a_region_are_said() {
        let mut connection = Connection { region: Some("eu-central-1a".into()), ..Connection::default() };
        let error = connect(&connection).await.map(|_| ()).unwrap_err();
        assert!(error.message.contains("without a zone's letter"), "{error}");
        connection.region = Some("eu-central-1".into());
        connection.access_key = Some("AKIA".into());
        let error = connect(&connection).await.map(|_| ()).unwrap_err();
        assert_eq!((error.class, error.code.as_str()), (ErrorClass::Denied, NO_CREDENTIALS));
        connection.secret_key = Some(Secret::new("secret"));
        assert_eq!(connect(&connection).await.map(|clients| clients.region).unwrap(), "eu-central-1");
    }
}
