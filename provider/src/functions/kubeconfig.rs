//! `kubeconfig(cluster, user, client_certificate, client_key)`: as the data source of that name, and known at plan.

use crate::kubeconfig::{CERTIFICATE, kubeconfig, misfit};
use crate::resources::on_hosts::hardway_cluster::Join;
use credentials::Secret;
use protocol::{Function, FunctionError, Parameter};
use schema::{Type, Value, decode};

pub struct KubeconfigFunction;

impl Function for KubeconfigFunction {
    fn name(&self) -> &'static str {
        "kubeconfig"
    }

    fn summary(&self) -> &'static str {
        "A kubeconfig for a client certificate"
    }

    fn description(&self) -> &'static str {
        "Returns a kubeconfig in YAML for a client certificate of the cluster's `k8s_pki`, without reaching the cluster.\n\n\
         Prefer it to the data source `k8s_kubeconfig`, which gives the same text: the result is known at plan as soon as the arguments \
         are, so that what is built on it, such as another provider's configuration, stays in the plan. Engines read a data source only \
         during apply when a resource that it refers to changes.\n\n\
         The result is sensitive where the key is, and stands in no state unless an output or a resource stores it."
    }

    fn parameters(&self) -> Vec<Parameter> {
        let text = |name, description| Parameter { name, description, value_type: Type::String };
        vec![
            Parameter { name: "cluster", description: "The `join` of a `k8s_hardway_cluster`.", value_type: Join::value_type() },
            text("user", "Name of the user's entry in the kubeconfig. The API server takes the user from the certificate."),
            text("client_certificate", "Certificate in PEM, signed by `cluster-ca`: `k8s_pki.main.certificates[\"admin\"]`."),
            text("client_key", "Its private key in PEM: `k8s_pki.main.bundle.private_keys[\"admin\"]`."),
        ]
    }

    fn accepts_unknown(&self) -> bool {
        true
    }

    fn result(&self) -> Type {
        Type::String
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let [cluster, user, certificate, key] = arguments.as_slice() else {
            return Err(FunctionError {
                text: "kubeconfig takes a cluster, a user, a certificate and a key".into(),
                argument: None,
            });
        };
        if let Some(misfit) = misfit(cluster.get("cluster_name").as_str(), certificate.as_str(), key.as_str()) {
            let argument = Some(if misfit.argument == CERTIFICATE { 2 } else { 3 });
            return Err(FunctionError { text: format!("{}. {}", misfit.summary, misfit.detail), argument });
        }
        let (Some(user), Some(certificate), Some(key)) = (user.as_str(), certificate.as_str(), key.as_str()) else {
            return Ok(Value::Unknown);
        };
        if cluster.is_unknown() {
            return Ok(Value::Unknown);
        }
        let named = ["cluster_name", "endpoint", "apiserver_authority"];
        if let Some(part) = named.into_iter().find(|part| cluster.get(part).is_null()) {
            let text = format!("{part} is null, so this is not the join of a k8s_hardway_cluster");
            return Err(FunctionError { text, argument: Some(0) });
        }
        let join: Join = decode(cluster).map_err(|error| FunctionError { text: error.summary, argument: Some(0) })?;
        let text = kubeconfig(&join, user, certificate, &Secret::new(key));
        Ok(text.map_or(Value::Unknown, |text| text.reveal().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubeconfig::tests::pair;

    fn cluster(endpoint: Value) -> Value {
        Value::object([
            ("cluster_name", "demo".into()),
            ("endpoint", endpoint),
            ("apiserver_authority", "-----BEGIN CERTIFICATE-----\nz\n".into()),
            ("kube_proxy_kubeconfig_sha256", Value::Unknown),
        ])
    }

    fn call(cluster: Value, certificate: &str, key: Value) -> Result<Value, Option<i64>> {
        let arguments = vec![cluster, "ada".into(), certificate.into(), key];
        KubeconfigFunction.call(arguments).map_err(|error| error.argument)
    }

    #[test]
    fn it_is_known_when_the_parts_that_it_names_are() {
        let [certificate, key] = pair("admin");
        let key = || Value::from(key.as_str());
        let known = call(cluster("https://api.demo.internal:6443".into()), &certificate, key()).unwrap();
        let text = known.as_str().unwrap();
        assert!(text.contains("https://api.demo.internal:6443") && text.contains("ada"), "{text}");
        assert_eq!(call(cluster(Value::Unknown), &certificate, key()), Ok(Value::Unknown));
        assert_eq!(call(Value::Unknown, &certificate, key()), Ok(Value::Unknown));
        assert_eq!(call(cluster("https://a".into()), &certificate, Value::Unknown), Ok(Value::Unknown));
    }

    #[test]
    fn errors_name_their_argument() {
        let [certificate, key] = pair("admin");
        let url = || cluster("https://a".into());
        assert_eq!(call(cluster(Value::Null), &certificate, key.as_str().into()), Err(Some(0)));
        assert_eq!(call(url(), "x", key.as_str().into()), Err(Some(2)));
        assert_eq!(call(url(), &certificate, certificate.as_str().into()), Err(Some(3)));
        assert_eq!(call(url(), &certificate, pair("scheduler")[1].as_str().into()), Err(Some(3)));
        assert_eq!(call(url(), &pair("etcd-client")[0], key.as_str().into()), Err(Some(2)));
    }
}
