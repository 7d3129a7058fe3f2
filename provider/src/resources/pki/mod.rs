//! `k8s_pki`: the isolated certificate authorities of a cluster, their leaf certificates, service account keys and the key
//! that encrypts secrets at rest. Issuing itself is crate `pki`; what is issued when is decided here, at plan.

mod bundle_object;
mod config;
mod refusal;
mod validate;

pub use bundle_object::{BundleObject, Given, Parts};

use crate::configuration::Shared;
use crate::hosts;
use crate::network;
use crate::resources::attributes;
use async_trait::async_trait;
use bundle_object::issued;
use config::{Config, Wanted};
use pki::{Plan, Undecided};
use protocol::{
    ApplyRequest, ApplyResponse, Call, DeleteResponse, IdentityAttribute, PlanRequest, PlanResponse, ReadResponse, Resource,
};
use schema::{Attribute, AttributePath, Diagnostic, Diagnostics, Nesting, Schema, Type, Value, decode, encode};
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;

pub struct Pki {
    pub shared: Shared,
}

/// As crate `pki` writes them; a test holds both lists together.
const KEY_ALGORITHMS: [&str; 5] = ["ECDSA-P256", "ECDSA-P384", "RSA-2048", "RSA-3072", "RSA-4096"];
const AUTHORITIES: [&str; 7] =
    ["etcd-ca", "etcd-peer-ca", "apiserver-ca", "cluster-ca", "controller-manager-ca", "kubelet-client-ca", "front-proxy-ca"];

#[async_trait]
impl Resource for Pki {
    fn name(&self) -> &'static str {
        "k8s_pki"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "The public key infrastructure of one cluster: certificate authorities, leaf certificates and keys.\n\n\
             There are seven isolated authorities, every leaf certificate that the components need, the service account key pair and \
             the key that encrypts secrets at rest.\n\n\
             Leaf certificates are renewed in place, one by one, when their content changes or when they are about to expire. The plan \
             names each of them. Authorities, the service account key and the encryption key are created once: a change that would \
             replace one of them is an error at plan, because no running cluster can take it.",
        )
        .attribute(attributes::id())
        .attribute(
            Attribute::string("cluster_name")
                .required()
                .requires_replace()
                .describe("Name of the cluster. It is part of the subject of every authority, so that the authorities of two clusters can be distinguished."),
        )
        .attribute(Attribute::string("cluster_domain").optional_computed().default("cluster.local".into()).describe("DNS domain of services."))
        .attribute(
            Attribute::list("endpoints", Type::String)
                .required()
                .describe("Names and addresses under which clients reach the API servers: the load balancer's name and its virtual addresses."),
        )
        .attribute(Attribute::list("service_cidrs", Type::String).required().describe("Service CIDRs, one per family. The first address of each belongs to the API server."))
        .attribute(hosts::attribute("Control-plane hosts by name. Their names and addresses go into the certificates of etcd, API server and controller manager."))
        .attribute(
            Attribute::string("key_algorithm")
                .optional_computed()
                .default("ECDSA-P256".into())
                .validator(schema::one_of(&KEY_ALGORITHMS))
                .describe("Algorithm of every private key. It cannot be changed while the pki exists: that would reissue authorities under a running cluster."),
        )
        .attribute(hours("authority_validity_hours", 87_600, "How long an authority is valid (87600 hours are ten years). Authorities are issued once: a plan warns of their end from 180 days before, and never replaces them."))
        .attribute(hours("certificate_validity_hours", 8_760, "How long a leaf certificate is valid (8760 hours are one year). It never outlives its authority."))
        .attribute(hours("renew_before_hours", 720, "A certificate that expires within this time is renewed by the next apply (720 hours are 30 days)."))
        .attribute(
            Attribute::nested(
                "additional_certificates",
                Nesting::Map,
                vec![
                    Attribute::string("authority").required().validator(schema::one_of(&AUTHORITIES)).describe("Authority that signs the certificate."),
                    Attribute::string("common_name").required().describe("Common name of the subject; for a client of the API server, the user name."),
                    Attribute::list("organizations", Type::String).optional().describe("Organizations of the subject; for a client of the API server, its groups."),
                    Attribute::list("usages", Type::String).required().describe("Extended key usages: `client_auth`, `server_auth` or both."),
                    Attribute::list("dns_names", Type::String).optional().describe("DNS names in the certificate."),
                    Attribute::list("addresses", Type::String).optional().describe("IP addresses in the certificate."),
                ],
            )
            .optional()
            .null_means_absent()
            .describe("Your own certificates, signed by the authorities of this cluster."),
        )
        .attribute(Attribute::of("bundle", BundleObject::value_type()).computed().never_null().sensitive().describe("All of these, in the form of `k8s_hardway_cluster.pki`."))
        .attribute(Attribute::map("certificates", Type::String).computed().never_null().describe("Certificates in PEM by name, such as `cluster-ca`, `admin` or `apiserver/cp-1`."))
        .attribute(Attribute::map("private_keys", Type::String).computed().never_null().sensitive().describe("Private keys in PEM (PKCS #8) by the same names."))
        .attribute(Attribute::map("fingerprints", Type::String).computed().never_null().describe("SHA-256 fingerprint of each certificate."))
        .attribute(Attribute::map("expires_at", Type::String).computed().never_null().describe("When each certificate expires, in RFC 3339."))
    }

    fn identity(&self) -> Vec<IdentityAttribute> {
        vec![IdentityAttribute { name: "cluster_name", description: "Name of the cluster." }]
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut diagnostics = hosts::validate(config.get("hosts"));
        diagnostics.extend(attributes::validate_cluster_name(config.get("cluster_name"), "cluster_name"));
        let path = AttributePath::attribute("service_cidrs");
        let networks = network::validate_cidrs(config.get("service_cidrs"), &path, &mut diagnostics);
        network::validate_services(&networks, &path, &mut diagnostics);
        validate::validate_endpoints(config.get("endpoints"), &mut diagnostics);
        validate::validate_hours(config, &mut diagnostics);
        validate::validate_additional(config.get("additional_certificates"), &mut diagnostics);
        diagnostics
    }

    async fn plan(&self, _call: &Call, request: PlanRequest) -> PlanResponse {
        self.plan_issue(&request).unwrap_or_else(|diagnostic| PlanResponse {
            planned: request.proposed,
            diagnostics: diagnostic.into(),
            ..PlanResponse::default()
        })
    }

    async fn read(&self, _call: &Call, prior: Value) -> ReadResponse {
        // Everything that exists is in the state; expiry is a matter of the plan's clock.
        ReadResponse { state: Some(prior), diagnostics: Diagnostics::default() }
    }

    async fn apply(&self, _call: &Call, request: ApplyRequest) -> ApplyResponse {
        let left_behind = request.prior.clone();
        match self.issue(request) {
            Ok(state) => ApplyResponse { state: Some(state), diagnostics: Diagnostics::default() },
            Err(diagnostic) => ApplyResponse { state: left_behind, diagnostics: diagnostic.into() },
        }
    }

    async fn delete(&self, _call: &Call, _prior: Value) -> DeleteResponse {
        DeleteResponse::default()
    }

    async fn import(&self, _call: &Call, _id: &str) -> Result<Value, Diagnostics> {
        Err(Diagnostic::error("k8s_pki cannot be imported")
            .detail(
                "Private keys exist only in the state that created them. Create a new k8s_pki, or move the state of the old one.",
            )
            .into())
    }
}

impl Pki {
    fn plan_issue(&self, request: &PlanRequest) -> Result<PlanResponse, Diagnostic> {
        let mut planned = request.proposed.clone();
        let config: Config = decode(&planned)?;
        planned.set("id", planned.get("cluster_name").clone());
        // Another name makes another object, of which nothing exists yet.
        let prior = request.prior.as_ref().filter(|prior| prior.get("cluster_name") == planned.get("cluster_name"));
        let exists = prior.is_some();
        let issued = issued(prior)?.bundle;
        let prior_config: Option<Config> = prior.map(decode).transpose()?;
        let kept = Kept { prior: prior.unwrap_or(&Value::Null), issued: &issued };
        let running = prior_config.as_ref().and_then(Config::algorithm);
        let Some(Wanted { request: wanted, undecided }) = config.wanted(running) else {
            // Which certificates there are depends on what is not known yet.
            kept.plan(&mut planned, None);
            return Ok(PlanResponse { planned, ..PlanResponse::default() });
        };
        let specs = pki::certificate_specs(&wanted).map_err(|error| declared_wrong(&error))?;
        let now = self.shared.world.now();
        let mut plan = pki::plan_issue(&specs, &issued.certificates, now, config.renew_before());
        if let Some(prior_config) = &prior_config {
            refusal::refuse(&issued, prior_config, &config, &plan)?;
        }
        let undecided = undecided.names(&wanted, &specs);
        plan.issue.retain(|name, _| !undecided.contains(name));
        let names = specs.keys().chain(&undecided).map(|name| (name.as_str(), !open(name, &plan, &undecided)));
        kept.plan(&mut planned, Some(names.collect()));
        let mut diagnostics = Diagnostics::default();
        if exists {
            let perhaps: Vec<&String> = undecided.iter().filter(|name| issued.certificates.contains_key(*name)).collect();
            diagnostics.extend(refusal::reissue_warning(&plan, &perhaps));
            diagnostics.extend(refusal::ending_warning(&wanted.cluster_name, &plan.ending, now));
        }
        Ok(PlanResponse { planned, diagnostics, ..PlanResponse::default() })
    }

    fn issue(&self, request: ApplyRequest) -> Result<Value, Diagnostic> {
        let config: Config = decode(&request.planned)?;
        let wanted = config.wanted(None).filter(|wanted| wanted.undecided == Undecided::default()).ok_or_else(|| {
            Diagnostic::error("provider bug: k8s_pki was applied with unknown values").detail("Please report this.")
        })?;
        let wanted = wanted.request;
        let world = |error: pki::PkiError| {
            Diagnostic::error(format!("cannot issue the certificates of {}", wanted.cluster_name))
                .detail(format!("{error}. Running apply again is safe."))
        };
        let specs = pki::certificate_specs(&wanted).map_err(|error| declared_wrong(&error))?;
        let issued = issued(request.prior.as_ref())?.bundle;
        let now = self.shared.world.now();
        let mut plan = pki::plan_issue(&specs, &issued.certificates, now, config.renew_before());
        if let Some(prior) = &request.prior {
            refusal::refuse(&issued, &decode(prior)?, &config, &plan)?;
        }
        // The plan's clock may have run before: what was planned as kept is kept, what was planned as unknown is issued.
        let planned = request.planned.get("certificates");
        let is_kept = |name: &String| {
            let planned = planned.get(name).as_str();
            planned.is_some() && planned == issued.certificates.get(name).map(String::as_str)
        };
        plan.issue.retain(|name, _| !is_kept(name));
        let credentials = pki::issue(&specs, &issued.into(), &plan.issue, now).map_err(world)?;
        state_of(request.planned, &wanted.cluster_name, credentials).map_err(world)
    }
}

fn state_of(mut state: Value, cluster_name: &str, credentials: pki::Credentials) -> Result<Value, pki::PkiError> {
    state.set("id", cluster_name.into());
    state.set("certificates", encode(&credentials.certificates));
    state.set("private_keys", encode(&credentials.private_keys));
    let each = credentials.certificates.iter();
    let fingerprints: BTreeMap<&String, String> =
        each.clone().map(|(name, pem)| Ok((name, pki::fingerprint(pem)?))).collect::<Result<_, _>>()?;
    state.set("fingerprints", encode(&fingerprints));
    let expiry: BTreeMap<&String, String> =
        each.map(|(name, pem)| Ok((name, rfc3339(pki::expiry(pem)?)))).collect::<Result<_, _>>()?;
    state.set("expires_at", encode(&expiry));
    state.set("bundle", encode(&BundleObject::new(cluster_name, credentials)));
    Ok(state)
}

/// Whether a certificate is issued, or may be: what it will say is not known.
fn open(name: &str, plan: &Plan, undecided: &BTreeSet<String>) -> bool {
    plan.issue.contains_key(name) || undecided.contains(name)
}

/// What exists, for a plan in which exactly that is unknown which is issued.
struct Kept<'a> {
    prior: &'a Value,
    issued: &'a BundleObject,
}

impl Kept<'_> {
    /// `certificates` says by name what is kept; `None` while it is not known which certificates there are.
    fn plan(&self, planned: &mut Value, certificates: Option<BTreeMap<&str, bool>>) {
        let map = |attribute: &str, more: Option<&str>| {
            let Some(certificates) = &certificates else { return Value::Unknown };
            let names = certificates.iter().map(|(name, kept)| (*name, *kept)).chain(more.map(|name| (name, true)));
            let value = |name: &str, kept: bool| match self.prior.get(attribute).get(name) {
                Value::String(text) if kept => Value::String(text.clone()),
                _ => Value::Unknown,
            };
            Value::Map(names.map(|(name, kept)| (name.to_string(), value(name, kept))).collect())
        };
        let maps = [
            ("certificates", map("certificates", None)),
            ("private_keys", map("private_keys", Some(pki::SERVICE_ACCOUNT))),
            ("fingerprints", map("fingerprints", None)),
            ("expires_at", map("expires_at", None)),
        ];
        let bundle = Value::object([
            ("cluster_name", planned.get("cluster_name").clone()),
            ("certificates", maps[0].1.clone()),
            ("private_keys", maps[1].1.clone()),
            ("public_keys", or_unknown(encode(&self.issued.public_keys), pki::SERVICE_ACCOUNT)),
            ("encryption_keys", or_unknown(encode(&self.issued.encryption_keys), pki::SECRETS_ENCRYPTION)),
        ]);
        planned.set("bundle", bundle);
        maps.into_iter().for_each(|(name, value)| planned.set(name, value));
    }
}

/// These keys are made once: known if there are any.
fn or_unknown(keys: Value, first: &str) -> Value {
    match keys.as_map() {
        Some(map) if !map.is_empty() => keys,
        _ => Value::object([(first, Value::Unknown)]),
    }
}

fn hours(name: &'static str, default: i64, describe: &'static str) -> Attribute {
    Attribute::number(name).optional_computed().default(default.into()).describe(describe)
}

fn declared_wrong(error: &pki::PkiError) -> Diagnostic {
    let diagnostic = Diagnostic::error("the certificates that this declares cannot be issued").detail(error.to_string());
    match error.attribute() {
        Some(attribute) => diagnostic.at(AttributePath::attribute(attribute)),
        None => diagnostic,
    }
}

fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}
