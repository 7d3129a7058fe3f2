//! `aws_iam_policy(resources…)`: what the credentials need for these resources, as one policy.

use crate::resources::on_cloud::to_graph;
use cloud::{Graph, Uses};
use protocol::{Function, FunctionError, Parameter};
use schema::{Type, Value};

pub struct AwsIamPolicy;

impl Function for AwsIamPolicy {
    fn name(&self) -> &'static str {
        "aws_iam_policy"
    }

    fn summary(&self) -> &'static str {
        "The least IAM policy for resources on AWS"
    }

    fn description(&self) -> &'static str {
        "Returns, as JSON, the least IAM policy with which the given resources can be planned, created, updated and destroyed.\n\n\
         Where IAM supports it, changes are allowed only on objects with the cluster's tag. The policy is known at plan, before there are \
         credentials. A `k8s_vpc` with `destroy_leftovers` adds what is needed to remove leftovers of Kubernetes, whose tags IAM cannot \
         rely on."
    }

    fn parameters(&self) -> Vec<Parameter> {
        Vec::new()
    }

    fn variadic(&self) -> Option<Parameter> {
        let description = "Whole resources: `k8s_vpc`, `k8s_lb_nlb`, `k8s_bastion`, `k8s_egress_proxy`. Expand those with `count` or \
                           `for_each`: `k8s_bastion.main...`.";
        Some(Parameter { name: "resources", description, value_type: Type::Dynamic })
    }

    fn accepts_unknown(&self) -> bool {
        true
    }

    fn result(&self) -> Type {
        Type::String
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        if arguments.is_empty() {
            return Err(FunctionError { text: "there is no resource to give a policy for".into(), argument: None });
        }
        let mut graphs: Vec<Graph> = Vec::new();
        let mut deletes_leftovers = false;
        for (position, resource) in (0..).zip(&arguments) {
            if resource.is_unknown() || resource.get("objects").is_unknown() {
                return Ok(Value::Unknown);
            }
            if resource.get("objects").as_map().is_none() {
                let text = "this is not a resource on AWS: give whole ones, such as k8s_vpc.main".into();
                return Err(FunctionError { text, argument: Some(position) });
            }
            graphs.push(to_graph(resource.get("objects")));
            deletes_leftovers |= resource.get("destroy_leftovers").as_bool() == Some(true);
        }
        Ok(Uses::of(&graphs).with_leftovers(deletes_leftovers).least_policy().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(key: &str) -> Value {
        let settings = Value::object([("zone", "Z1".into()), ("tag Name", Value::Unknown)]);
        Value::object([("objects", Value::Map([(key.to_owned(), settings)].into()))])
    }

    #[track_caller]
    fn check(arguments: &[Value], expect: Result<&[&str], Option<i64>>) {
        let expect = expect.map(|texts| texts.to_vec());
        let actual = AwsIamPolicy.call(arguments.to_vec()).map_err(|error| error.argument);
        match (&actual, expect) {
            (Ok(policy), Ok(texts)) => {
                let policy = policy.as_str().unwrap_or_default();
                assert!(texts.iter().all(|text| policy.contains(text)), "{policy}");
            }
            (actual, expect) => assert_eq!(actual.as_ref().err(), expect.as_ref().err()),
        }
    }

    #[test]
    fn resources_come_to_one_policy_and_others_are_refused() {
        let vpc = resource("vpc/main");
        check(&[vpc.clone(), resource("dns_record/A")], Ok(&["ec2:CreateVpc", "hostedzone/Z1"]));
        let mut with_leftovers = vpc.clone();
        with_leftovers.set("destroy_leftovers", true.into());
        check(&[with_leftovers], Ok(&["ec2:DeleteVolume"]));
        check(&[], Err(None));
        check(&[vpc, "vpc-1".into()], Err(Some(1)));
    }

    #[test]
    fn what_is_not_known_yet_waits() {
        let unknown = Value::object([("objects", Value::Unknown)]);
        for argument in [Value::Unknown, unknown] {
            assert!(AwsIamPolicy.call(vec![resource("vpc/main"), argument]).is_ok_and(|policy| policy.is_unknown()));
        }
    }
}
