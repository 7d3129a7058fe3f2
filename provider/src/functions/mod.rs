//! Provider functions: pure helpers for modules. One file per function.

mod aws_iam_policies;
mod aws_iam_policy;
mod cloud_config;
mod kubeconfig;
mod service_address;

use protocol::Function;

pub fn all() -> Vec<Box<dyn Function>> {
    vec![
        Box::new(aws_iam_policy::AwsIamPolicy),
        Box::new(aws_iam_policies::AwsIamPolicies),
        Box::new(cloud_config::CloudConfig),
        Box::new(kubeconfig::KubeconfigFunction),
        Box::new(service_address::ServiceAddress),
    ]
}
