//! `k8s_pki`: the isolated certificate authorities of a cluster, their leaf certificates, service account keys and the key
//! that encrypts secrets at rest. Issuing itself is crate `pki`; what is issued when is decided here, at plan.

mod bundle_object;
pub(crate) mod config;
mod outputs;
mod refusal;
mod renewal;
mod validate;

pub use bundle_object::{Given, value_type};

use crate::configuration::Shared;
use crate::hosts;
use crate::network;
use crate::resources::attributes;
use crate::spelling;
use async_trait::async_trait;
use bundle_object::issued;
use config::{Config, Wanted};
use pki::Undecided;
use protocol::{
    ApplyRequest, ApplyResponse, Call, DeleteResponse, IdentityAttribute, PlanRequest, PlanResponse, ReadResponse, Resource,
};
use refusal::Loss;
use schema::{Attribute, Diagnostic, Diagnostics, Nesting, Schema, Type, Value, ValueAt, decode};
use std::collections::BTreeSet;
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
             names each of them. One whose names or usages change keeps its private key; a renewal brings a new one.\n\n\
             Authorities, the service account key and the encryption key are created once, and no running cluster can take others. A change \
             that would reissue them in place, such as one of `key_algorithm`, is an error at plan. A replacement (another `cluster_name`, or \
             `-replace`) creates all of them again: it is refused by the plan of a `k8s_hardway_cluster` that refers to this pki, unless the \
             same plan replaces that cluster because its name or its networks change. A plan without that cluster (another state, `-target`) \
             does not notice. Plans warn of another `cluster_name` and of a destroy; of `-replace`, a provider learns nothing. `prevent_destroy` refuses all three.",
        )
        .version(2)
        .attribute(attributes::id())
        .attribute(
            Attribute::string("cluster_name")
                .required()
                .requires_replace()
                .describe("Name of the cluster. It is part of the subject of every authority, so that the authorities of two clusters can be distinguished."),
        )
        .attribute(Attribute::string("cluster_domain").canonical(spelling::of_network).default("cluster.local".into()).describe("DNS domain of services."))
        .attribute(
            Attribute::list("endpoints", Type::String).canonical(spelling::of_network)
                .required()
                .describe("Names and addresses under which clients reach the API servers: the load balancer's name and its virtual addresses."),
        )
        .attribute(Attribute::list("service_cidrs", Type::String).required().canonical(spelling::of_network).describe("Service CIDRs, one per family. The first address of each belongs to the API server."))
        .attribute(hosts::attribute("Control-plane hosts by name. Their names and addresses go into the certificates of etcd, API server and controller manager."))
        .attribute(
            Attribute::string("key_algorithm")
                .optional_computed()
                .default("ECDSA-P256".into())
                .validator(schema::one_of(&KEY_ALGORITHMS))
                .describe("Algorithm of every private key. It cannot be changed while the pki exists: that would reissue authorities under a running cluster."),
        )
        .attribute(hours("authority_validity_hours", 87_600, "How long an authority is valid (87600 hours are ten years). Authorities are issued once: a plan warns of their end from 180 days before, and never replaces them."))
        .attribute(hours("certificate_validity_hours", 8_760, "How long a leaf certificate is valid (8760 hours are one year). It never outlives its authority. A change holds for certificates that are issued from then on, and reissues none."))
        .attribute(hours("renew_before_hours", 720, "A certificate that expires within this time is due for renewal (720 hours are 30 days), but never in the first half of its life: more than half of `certificate_validity_hours` has no effect. A refresh finds what is due, and the plan after it renews that; a plan with `-refresh=false` finds nothing."))
        .attribute(additional_certificates())
        .attribute(Attribute::of("bundle", value_type()).computed().never_null().sensitive().describe("All of these, in the form of `k8s_hardway_cluster.pki`. Private keys are in PEM (PKCS #8), under the name of their certificate: `bundle.private_keys[\"admin\"]`. The first of `encryption_keys`, in the order of their names, encrypts."))
        .attribute(Attribute::map("certificates", Type::String).computed().never_null().describe("Certificates in PEM by name, such as `cluster-ca`, `admin` or `apiserver/cp-1`."))
        .attribute(renewal::attribute())
        .attribute(Attribute::map("fingerprints", Type::String).computed().never_null().describe("SHA-256 fingerprint of each certificate."))
        .attribute(Attribute::map("expires_at", Type::String).computed().never_null().describe("When each certificate expires, in RFC 3339."))
    }

    /// Version 0 had every private key a second time, in `private_keys`. Until version 1, what is due was the plan's to find.
    fn upgrade(&self, _version: i64, mut state: serde_json::Value) -> Result<serde_json::Value, Diagnostics> {
        if let Some(attributes) = state.as_object_mut() {
            attributes.remove("private_keys");
            attributes.entry(renewal::DUE).or_insert_with(|| serde_json::json!({}));
        }
        Ok(state)
    }

    fn identity(&self) -> Vec<IdentityAttribute> {
        vec![IdentityAttribute { name: "cluster_name", description: "Name of the cluster." }]
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let (config, mut found) = (ValueAt::of(config), Diagnostics::default());
        hosts::require_one(&config.get("hosts"), &mut found);
        hosts::validate(&config.get("hosts"), &mut found);
        validate::validate_names(&config, &mut found);
        let services = config.get("service_cidrs");
        let networks = network::validate_cidrs(&services, &mut found);
        network::validate_services(&networks, services.path(), &mut found);
        validate::validate_hours(&config, &mut found);
        validate::validate_additional(&config.get("additional_certificates"), &mut found);
        found
    }

    async fn plan(&self, _call: &Call, request: PlanRequest) -> PlanResponse {
        self.plan_issue(&request).unwrap_or_else(|diagnostic| PlanResponse {
            planned: request.proposed,
            diagnostics: diagnostic.into(),
            ..PlanResponse::default()
        })
    }

    async fn read(&self, _call: &Call, prior: Value) -> ReadResponse {
        // Everything that exists is in the state. What is due is looked at here, so that no plan depends on when it is made.
        renewal::refreshed(&prior, self.shared.world.now()).map_or_else(
            |diagnostic| ReadResponse { state: Some(prior.clone()), diagnostics: diagnostic.into() },
            |state| ReadResponse { state: Some(state), diagnostics: Diagnostics::default() },
        )
    }

    async fn apply(&self, _call: &Call, request: ApplyRequest) -> ApplyResponse {
        let left_behind = request.prior.clone();
        match self.issue(request) {
            Ok(state) => ApplyResponse { state: Some(state), diagnostics: Diagnostics::default() },
            Err(diagnostic) => ApplyResponse { state: left_behind, diagnostics: diagnostic.into() },
        }
    }

    async fn plan_destroy(&self, _call: &Call, prior: Value) -> Diagnostics {
        refusal::loss_warning(&prior, Loss::Destroyed).into()
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
        planned.set(renewal::DUE, Value::object([]));
        // Another name makes another object, of which nothing exists yet.
        let prior = request.prior.as_ref().filter(|prior| prior.get("cluster_name") == planned.get("cluster_name"));
        let exists = prior.is_some();
        let issued = issued(prior)?;
        let prior_config: Option<Config> = prior.map(decode).transpose()?;
        let running = prior_config.as_ref().and_then(Config::algorithm);
        let mut diagnostics = Diagnostics::default();
        diagnostics.extend(request.prior.as_ref().filter(|_| !exists).map(|prior| refusal::loss_warning(prior, Loss::Replaced)));
        let Some(Wanted { request: wanted, undecided }) = config.wanted(running) else {
            outputs::plan_without_names(&mut planned, &issued);
            return Ok(PlanResponse { planned, diagnostics, ..PlanResponse::default() });
        };
        let specs = pki::certificate_specs(&wanted).map_err(|error| validate::declared_wrong(&error))?;
        let now = self.shared.world.now();
        let (due, undecided) = (renewal::due(prior), undecided.names(&wanted));
        let plan = pki::plan_issue(&specs, &issued.known_certificates(), now, &due, &undecided);
        if let Some(prior_config) = &prior_config {
            refusal::refuse(&wanted.cluster_name, &issued, prior_config, &config, &plan)?;
        }
        let perhaps: BTreeSet<String> = undecided.into_iter().filter(|name| !plan.issue.contains_key(name)).collect();
        // For another subject it gets another key.
        let keys = perhaps.iter().filter(|name| !specs.contains_key(*name)).cloned().collect();
        let open = outputs::Open { sure: &plan.issue, certificates: &perhaps, keys: &keys };
        outputs::plan(&mut planned, &issued, &specs, &open).map_err(|error| unreadable(&error))?;
        if exists {
            let perhaps: Vec<&String> = perhaps.iter().filter(|name| issued.certificates.contains_key(*name)).collect();
            diagnostics.extend(refusal::reissue_warning(&plan, &perhaps));
            diagnostics.extend(refusal::ending_warning(&wanted.cluster_name, &plan.ending, now));
            let change = prior_config.map(|prior| renewal::Change { prior, wanted: &config });
            let certificates = issued.known_certificates();
            diagnostics.extend(change.into_iter().flat_map(|change| change.warnings(&specs, &certificates, &plan, now)));
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
        let specs = pki::certificate_specs(&wanted).map_err(|error| validate::declared_wrong(&error))?;
        let issued = issued(request.prior.as_ref())?;
        let now = self.shared.world.now();
        let known = issued.known_certificates();
        let due = renewal::due(request.prior.as_ref());
        let mut plan = pki::plan_issue(&specs, &known, now, &due, &BTreeSet::new());
        if let Some(prior) = &request.prior {
            refusal::refuse(&wanted.cluster_name, &issued, &decode(prior)?, &config, &plan)?;
        }
        // What was planned as kept is kept.
        let planned = request.planned.get("certificates");
        plan.issue.retain(|name, _| !known.contains_key(name) || planned.get(name).as_str().is_none());
        let credentials = pki::issue(&specs, &issued, &plan.issue, now).map_err(world)?;
        let mut state = request.planned;
        state.set("id", wanted.cluster_name.as_str().into());
        outputs::set(&mut state, &credentials).map_err(world)?;
        Ok(state)
    }
}

fn unreadable(error: &pki::PkiError) -> Diagnostic {
    Diagnostic::error("the state of this k8s_pki is damaged").detail(format!("{error}."))
}

fn additional_certificates() -> Attribute {
    Attribute::nested(
        "additional_certificates",
        Nesting::Map,
        vec![
            Attribute::string("authority")
                .required()
                .validator(schema::one_of(&AUTHORITIES))
                .describe("Authority that signs the certificate."),
            Attribute::string("common_name")
                .required()
                .describe("Common name of the subject; for a client of the API server, the user name."),
            Attribute::list("organizations", Type::String)
                .optional()
                .describe("Organizations of the subject; for a client of the API server, its groups."),
            Attribute::list("usages", Type::String)
                .required()
                .describe("Extended key usages: `client_auth`, `server_auth` or both."),
            Attribute::list("dns_names", Type::String)
                .optional()
                .canonical(spelling::of_network)
                .describe("DNS names in the certificate."),
            Attribute::list("addresses", Type::String)
                .optional()
                .canonical(spelling::of_network)
                .describe("IP addresses in the certificate."),
        ],
    )
    .optional()
    .describe("Your own certificates, signed by the authorities of this cluster.")
}

fn hours(name: &'static str, default: i64, describe: &'static str) -> Attribute {
    Attribute::number(name).optional_computed().default(default.into()).describe(describe)
}

fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}
