//! `k8s_pki`: the isolated certificate authorities of a cluster, their leaf certificates, service account keys and the key
//! that encrypts secrets at rest. Issuing itself is crate `pki`; what is issued when is decided here, at plan.

mod bundle_object;
mod config;
mod validate;

pub use bundle_object::BundleObject;

use crate::configuration::Shared;
use crate::hosts;
use crate::network;
use crate::resources::attributes;
use async_trait::async_trait;
use bundle_object::issued;
use config::Config;
use pki::Reason;
use protocol::{
    ApplyRequest, ApplyResponse, Call, DeleteResponse, IdentityAttribute, PlanRequest, PlanResponse, ReadResponse, Resource,
};
use schema::{Attribute, AttributePath, Diagnostic, Diagnostics, Nesting, Schema, Type, Value, decode, encode};
use std::collections::BTreeMap;
use time::OffsetDateTime;

pub struct Pki {
    pub shared: Shared,
}

/// As crate `pki` writes them; a test holds both lists together.
const KEY_ALGORITHMS: [&str; 5] = ["ECDSA-P256", "ECDSA-P384", "RSA-2048", "RSA-3072", "RSA-4096"];
const AUTHORITIES: [&str; 7] =
    ["etcd-ca", "etcd-peer-ca", "apiserver-ca", "cluster-ca", "controller-manager-ca", "kubelet-client-ca", "front-proxy-ca"];

const COMPUTED: [&str; 5] = ["bundle", "certificates", "private_keys", "fingerprints", "expires_at"];

#[async_trait]
impl Resource for Pki {
    fn name(&self) -> &'static str {
        "k8s_pki"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "The public key infrastructure of one cluster: seven isolated certificate authorities, every leaf certificate that \
             its components need, the service account key pair and the key that encrypts secrets at rest. Certificates are \
             renewed in place, one by one, when what they say changes or when they are about to expire; the plan names each.",
        )
        .attribute(attributes::id())
        .attribute(
            Attribute::string("cluster_name")
                .required()
                .requires_replace()
                .describe("Name of the cluster. It stands in the subject of every authority, so that the authorities of two clusters are told apart."),
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
                .describe("Algorithm of every private key. A change reissues everything."),
        )
        .attribute(hours("authority_validity_hours", 87_600, "How long an authority is valid; ten years by default."))
        .attribute(hours("certificate_validity_hours", 8_760, "How long a leaf certificate is valid; one year by default. It never outlives its authority."))
        .attribute(hours("renew_before_hours", 720, "A certificate that expires within this time is renewed by the next plan; 30 days by default."))
        .attribute(
            Attribute::nested(
                "additional_certificates",
                Nesting::Map,
                vec![
                    Attribute::string("authority").required().validator(schema::one_of(&AUTHORITIES)).describe("The authority that signs it."),
                    Attribute::string("common_name").required().describe("Common name of the subject; for a client of the API server, the user name."),
                    Attribute::list("organizations", Type::String).optional().describe("Organizations of the subject; for a client of the API server, its groups."),
                    Attribute::list("usages", Type::String).required().describe("`client_auth`, `server_auth` or both."),
                    Attribute::list("dns_names", Type::String).optional().describe("DNS names."),
                    Attribute::list("addresses", Type::String).optional().describe("IP addresses."),
                ],
            )
            .optional()
            .null_means_absent()
            .describe("Certificates of your own, signed by the authorities of this cluster."),
        )
        .attribute(Attribute::of("bundle", BundleObject::value_type()).computed().never_null().sensitive().describe("Everything, in the form that `k8s_hardway_cluster.pki` takes."))
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
                "Private keys exist only in the state that made them. Create a new k8s_pki, or move the state of the old one.",
            )
            .into())
    }
}

impl Pki {
    fn plan_issue(&self, request: &PlanRequest) -> Result<PlanResponse, Diagnostic> {
        let mut planned = request.proposed.clone();
        let mut diagnostics = Diagnostics::default();
        let config: Config = decode(&planned)?;
        planned.set("id", request.proposed.get("cluster_name").clone());
        let Some(wanted) = config.request() else {
            // Something that the certificates say is not known yet: so are they.
            COMPUTED.iter().for_each(|name| planned.set(name, Value::Unknown));
            return Ok(PlanResponse { planned, ..PlanResponse::default() });
        };
        let specs = pki::certificate_specs(&wanted).map_err(|error| declared_wrong(&error))?;
        let issued = issued(request.prior.as_ref())?;
        let reasons = pki::plan_issue(&specs, &issued.bundle.certificates, self.shared.world.now(), config.renew_before());
        let dropped = issued.bundle.certificates.keys().any(|name| !specs.contains_key(name));
        if reasons.is_empty() && !dropped && request.prior.is_some() {
            let prior = request.prior.as_ref().unwrap_or(&Value::Null);
            COMPUTED.iter().for_each(|name| planned.set(name, prior.get(name).clone()));
            return Ok(PlanResponse { planned, diagnostics, ..PlanResponse::default() });
        }
        planned.set("bundle", Value::Unknown);
        let prior = request.prior.clone().unwrap_or_default();
        for name in ["certificates", "private_keys", "fingerprints", "expires_at"] {
            let known = prior.get(name).as_map().cloned().unwrap_or_default();
            let kept = specs.keys().map(|key| {
                (key.clone(), known.get(key).filter(|_| !reasons.contains_key(key)).cloned().unwrap_or(Value::Unknown))
            });
            let mut map: BTreeMap<String, Value> = kept.collect();
            if name == "private_keys" {
                map.insert(pki::SERVICE_ACCOUNT.into(), known.get(pki::SERVICE_ACCOUNT).cloned().unwrap_or(Value::Unknown));
            }
            planned.set(name, Value::Map(map));
        }
        if request.prior.is_some() && !reasons.is_empty() {
            diagnostics.push(reissue_warning(&reasons));
        }
        Ok(PlanResponse { planned, diagnostics, ..PlanResponse::default() })
    }

    fn issue(&self, request: ApplyRequest) -> Result<Value, Diagnostic> {
        let config: Config = decode(&request.planned)?;
        let wanted = config.request().ok_or_else(|| {
            Diagnostic::error("provider bug: k8s_pki was applied with unknown values").detail("Please report this.")
        })?;
        let world = |error: pki::PkiError| {
            Diagnostic::error(format!("cannot issue the certificates of {}", wanted.cluster_name))
                .detail(format!("{error}. Running apply again is safe."))
        };
        let specs = pki::certificate_specs(&wanted).map_err(world)?;
        let issued = issued(request.prior.as_ref())?;
        let now = self.shared.world.now();
        let mut reasons = pki::plan_issue(&specs, &issued.bundle.certificates, now, config.renew_before());
        // The plan's clock may have run before: what was planned as kept is kept, what was planned as unknown is issued.
        let planned = request.planned.get("certificates");
        let is_kept = |name: &String| {
            let planned = planned.get(name).as_str();
            planned.is_some() && planned == issued.bundle.certificates.get(name).map(String::as_str)
        };
        reasons.retain(|name, _| !is_kept(name));
        let credentials = pki::issue(&specs, &issued.bundle.into(), &reasons, now).map_err(world)?;
        let mut state = request.planned;
        state.set("id", wanted.cluster_name.as_str().into());
        state.set("certificates", encode(&credentials.certificates));
        state.set("private_keys", encode(&credentials.private_keys));
        let fingerprints: BTreeMap<&String, String> = credentials
            .certificates
            .iter()
            .map(|(name, pem)| Ok((name, pki::fingerprint(pem)?)))
            .collect::<Result<_, _>>()
            .map_err(world)?;
        state.set("fingerprints", encode(&fingerprints));
        let expiry: BTreeMap<&String, String> = credentials
            .certificates
            .iter()
            .map(|(name, pem)| Ok((name, rfc3339(pki::expiry(pem)?))))
            .collect::<Result<_, _>>()
            .map_err(world)?;
        state.set("expires_at", encode(&expiry));
        state.set("bundle", encode(&BundleObject::new(&wanted.cluster_name, credentials)));
        Ok(state)
    }
}

fn hours(name: &'static str, default: i64, describe: &'static str) -> Attribute {
    Attribute::number(name).optional_computed().default(default.into()).describe(describe)
}

fn reissue_warning(reasons: &BTreeMap<String, Reason>) -> Diagnostic {
    let lines: Vec<String> = reasons.iter().map(|(name, reason)| format!("{name}: {reason}")).collect();
    Diagnostic::warning(format!("{} certificates will be reissued", reasons.len()))
        .detail(format!("{}\n\nComponents that read them restart one host at a time.", lines.join("\n")))
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
