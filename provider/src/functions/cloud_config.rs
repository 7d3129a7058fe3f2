//! `cloud_config(version, settings)`: the file that the AWS cloud controller manager reads.

use crate::resources::in_cluster::json::json;
use protocol::{Function, FunctionError, Parameter};
use render::cloud_controller::{Unfit, cloud_conf};
use schema::{Type, Value};

pub struct CloudConfig;

impl Function for CloudConfig {
    fn name(&self) -> &'static str {
        "cloud_config"
    }

    fn summary(&self) -> &'static str {
        "The configuration of the AWS cloud controller manager"
    }

    fn description(&self) -> &'static str {
        "Returns `cloud.conf`, as `--cloud-config` of the [AWS cloud controller manager](https://github.com/kubernetes/cloud-provider-aws) takes it. \
         That program takes no notice of a key that it does not know; here it is an error, and so are settings that have no effect without another.\n\n\
         In `[Global]`: `region`, `zone`, `vpc_id`, `subnet_id`, `route_table_id`, `role_arn`, `source_arn`, `cluster_id` (`KubernetesClusterID`: \
         the name of the cluster in the tags `kubernetes.io/cluster/<name>`), `legacy_cluster_tag` (`KubernetesClusterTag`), `node_ip_families` (a list of \
         `ipv4` and `ipv6`: the addresses that nodes get, in this order; only `ipv4` where it is not given), `disable_security_group_ingress`, \
         `elb_security_group`, `nlb_security_group_mode` (`Managed`, since 1.35), `health_probe_mode` (`Shared` or `ServiceNodePort`), `health_probe_port` and `health_probe_path` (with \
         `Shared`), `topology_instance_type_pattern` (a regular expression of Go, which is not checked: the controller ends where it is none). `service_overrides` is a list of objects with `service` (`EC2`, `Elastic Load Balancing`, `Elastic Load Balancing v2`, \
         `KMS`, `ec2imds`), `region`, `url`, `signing_region`, and perhaps `signing_name`.\n\n\
         With `region`, `vpc_id`, `subnet_id` and `cluster_id` the controller does not ask for the instance that it runs on, and may run elsewhere. Without them, its instance \
         has the cluster's tag, and an instance profile with which it may ask the metadata service."
    }

    fn parameters(&self) -> Vec<Parameter> {
        vec![
            Parameter {
                name: "version",
                description: "Version of the controller, or of Kubernetes, which have the same minor versions: `1.36.3` or `1.36`.",
                value_type: Type::String,
            },
            Parameter {
                name: "settings",
                description: "An object of settings. Those that are null are not given.",
                value_type: Type::Dynamic,
            },
        ]
    }

    fn result(&self) -> Type {
        Type::String
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let [version, settings] = arguments.as_slice() else {
            return Err(FunctionError { text: "cloud_config takes a version and settings".into(), argument: None });
        };
        let in_argument = |position| move |unfit: Unfit| FunctionError { text: unfit.to_string(), argument: Some(position) };
        let minor = cloud_conf::minor_of(version.as_str().unwrap_or_default()).map_err(in_argument(0))?;
        let settings = json(settings);
        let Some(settings) = settings.as_object() else {
            return Err(FunctionError {
                text: "settings are an object, such as { region = \"us-east-1\" }".into(),
                argument: Some(1),
            });
        };
        Ok(cloud_conf::render(minor, settings).map_err(in_argument(1))?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(version: &str, settings: Value, expect: Result<Value, Option<i64>>) {
        assert_eq!(CloudConfig.call(vec![version.into(), settings]).map_err(|error| error.argument), expect);
    }

    #[test]
    fn settings_become_the_text_and_errors_name_their_argument() {
        let text = "[Global]\nRegion = us-east-1\nNodeIPFamilies = ipv6\nNodeIPFamilies = ipv4\n";
        check(
            "1.36.3",
            Value::object([("region", "us-east-1".into()), ("node_ip_families", vec!["ipv6", "ipv4"].into())]),
            Ok(text.into()),
        );
        check("1.12", Value::object([]), Err(Some(0)));
        check("1.36", Value::object([("regoin", "us-east-1".into())]), Err(Some(1)));
        check("1.36", "region".into(), Err(Some(1)));
    }
}
