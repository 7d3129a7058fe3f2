//! Provider functions: pure helpers for modules. One file per function.

mod aws_iam_policy;
mod service_address;

use protocol::Function;

pub fn all() -> Vec<Box<dyn Function>> {
    vec![Box::new(aws_iam_policy::AwsIamPolicy), Box::new(service_address::ServiceAddress)]
}
