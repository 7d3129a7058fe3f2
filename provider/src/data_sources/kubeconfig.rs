//! `k8s_kubeconfig`: a kubeconfig from a cluster and a client certificate of its pki. Reaches nothing.

use crate::kubeconfig::{Misfit, kubeconfig, misfit};
use crate::resources::on_hosts::hardway_cluster::join::{self, Join};
use async_trait::async_trait;
use credentials::Secret;
use protocol::{Call, DataSource};
use schema::{Attribute, AttributePath, Diagnostic, Diagnostics, Field, Schema, Value, ValueAt, decode};
use serde::Deserialize;

pub struct KubeconfigSource;

#[derive(Deserialize)]
struct Config {
    cluster: Join,
    client_certificate: String,
    client_key: Secret,
    user: Field<String>,
}

const DEFAULT_USER: &str = "admin";

#[async_trait]
impl DataSource for KubeconfigSource {
    fn name(&self) -> &'static str {
        "k8s_kubeconfig"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "A kubeconfig for a client certificate of the cluster's `k8s_pki`. It is computed from its arguments, without reaching the cluster.\n\n\
             Prefer the function `kubeconfig`, which gives the same text: it is known at plan, while engines read a data source only during \
             apply when a resource that it refers to changes. Take the data source where a tool does not call functions of providers, or \
             where the kubeconfig has to be sensitive and stand in the state whatever refers to it.",
        )
        .attribute(Attribute::of("cluster", Join::value_type()).required().describe("The `join` of a `k8s_hardway_cluster`."))
        .attribute(
            Attribute::string("client_certificate")
                .required()
                .describe("Certificate in PEM, signed by `cluster-ca`: `k8s_pki.main.certificates[\"admin\"]`."),
        )
        .attribute(
            Attribute::string("client_key")
                .required()
                .sensitive()
                .describe("Its private key in PEM: `k8s_pki.main.bundle.private_keys[\"admin\"]`."),
        )
        .attribute(Attribute::string("user").optional().describe(
            "Name of the user's entry in the kubeconfig. The API server takes the user from the certificate.",
        ).defaults_to("`admin`"))
        .attribute(Attribute::string("kubeconfig").computed().sensitive().describe("The kubeconfig in YAML."))
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        join::validate(&ValueAt::of(config).get("cluster"), &mut diagnostics);
        let text = |attribute: &str| config.get(attribute).as_str();
        let cluster_name = config.get("cluster").get("cluster_name").as_str();
        diagnostics.extend(misfit(cluster_name, text("client_certificate"), text("client_key")).map(refused));
        diagnostics
    }

    async fn read(&self, _call: &Call, config: Value) -> Result<Value, Diagnostics> {
        let typed: Config = decode(&config)?;
        let cluster_name = typed.cluster.cluster_name.known().map(String::as_str);
        if let Some(misfit) = misfit(cluster_name, Some(&typed.client_certificate), Some(typed.client_key.reveal())) {
            return Err(refused(misfit).into());
        }
        let user = typed.user.into_known().unwrap_or_else(|| DEFAULT_USER.into());
        let text = kubeconfig(&typed.cluster, &user, &typed.client_certificate, &typed.client_key).ok_or_else(|| {
            Diagnostic::error("cluster is not the join of a k8s_hardway_cluster").at(AttributePath::attribute("cluster"))
        })?;
        let mut state = config;
        state.set("kubeconfig", text.reveal().into());
        Ok(state)
    }
}

fn refused(misfit: Misfit) -> Diagnostic {
    Diagnostic::error(misfit.summary).detail(misfit.detail).at(AttributePath::attribute(misfit.argument))
}
