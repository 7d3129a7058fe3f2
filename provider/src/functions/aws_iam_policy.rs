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
         Changes are allowed only on objects with the cluster's tag, and roles are passed on only by their ARN. The policy is known at plan, \
         before there are credentials. A `k8s_vpc` with `destroy_leftovers` or `destroy_volumes` adds what is needed to remove these. The \
         policy of a flow log's bucket is left to its owner: with the right to set it, AWS would overwrite it. Where the policy is longer \
         than the 6144 characters of a managed one, use `aws_iam_policies`. Without any resource, it allows only \
         `sts:GetCallerIdentity`, which AWS refuses to nobody."
    }

    fn parameters(&self) -> Vec<Parameter> {
        Vec::new()
    }

    fn variadic(&self) -> Option<Parameter> {
        let description = "Whole resources: `k8s_vpc`, `k8s_lb_nlb`, `k8s_bastion`, `k8s_egress_proxy`. A block with `count` or \
                           `for_each` is one argument, even if it has no instances: `k8s_bastion.main`.";
        Some(Parameter { name: "resources", description, value_type: Type::Dynamic })
    }

    fn accepts_unknown(&self) -> bool {
        true
    }

    fn result(&self) -> Type {
        Type::String
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        of_uses(&arguments, |uses| uses.least_policy().into())
    }
}

/// What is said of what the resources need; unknown while that is.
pub fn of_uses(arguments: &[Value], say: impl Fn(&Uses<'_>) -> Value) -> Result<Value, FunctionError> {
    let mut graphs: Vec<Graph> = Vec::new();
    let mut deletes_leftovers = false;
    let (mut vpc_ids, mut volumes_of): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for (position, argument) in (0..).zip(arguments) {
        let no_resource = || {
            let text = "this is not a resource on AWS: give whole ones, such as k8s_vpc.main".into();
            FunctionError { text, argument: Some(position) }
        };
        let Some(resources) = resources(argument).ok_or_else(no_resource)? else { return Ok(Value::Unknown) };
        for resource in resources {
            let objects = resource.get("objects");
            let (destroys, volumes, name) =
                (resource.get("destroy_leftovers"), resource.get("destroy_volumes"), resource.get("name"));
            if [objects, destroys, volumes].iter().any(|value| value.is_unknown()) {
                return Ok(Value::Unknown);
            }
            graphs.push(to_graph(objects));
            if destroys.as_bool() == Some(true) {
                deletes_leftovers = true;
                vpc_ids.extend(resource.get("vpc_id").as_str().map(str::to_owned));
            }
            if volumes.as_bool() == Some(true) {
                let Some(name) = name.as_str() else { return Ok(Value::Unknown) };
                volumes_of.push(name.to_owned());
            }
        }
    }
    let uses = vpc_ids.into_iter().fold(Uses::of(&graphs).with_leftovers(deletes_leftovers), Uses::in_vpc);
    let uses = volumes_of.into_iter().fold(uses, Uses::with_volumes);
    Ok(if uses.are_known() { say(&uses) } else { Value::Unknown })
}

/// One resource, or all of a block with `count` (a tuple) or `for_each` (an object), which may be none. `None` for anything else; the
/// inner one while it is not known which there are.
fn resources(argument: &Value) -> Option<Option<Vec<&Value>>> {
    let is_resource =
        |value: &Value| value.is_unknown() || value.get("objects").is_unknown() || value.get("objects").as_map().is_some();
    let all: Vec<&Value> = match argument {
        Value::Unknown | Value::Changing(_) => return Some(None),
        resource if is_resource(resource) => vec![resource],
        Value::List(items) => items.iter().collect(),
        Value::Map(entries) => entries.values().collect(),
        _ => return None,
    };
    if !all.iter().all(|value| is_resource(value)) {
        return None;
    }
    Some((!all.iter().any(|value| value.is_unknown())).then_some(all))
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
        check(&[with_leftovers], Ok(&["ec2:DeleteNetworkInterface"]));
        let mut with_volumes = vpc.clone();
        with_volumes.set("destroy_volumes", true.into());
        with_volumes.set("name", "demo".into());
        check(&[with_volumes], Ok(&["ec2:DeleteVolume", "aws:ResourceTag/kubernetes.io/cluster/demo"]));
        check(&[], Ok(&["sts:GetCallerIdentity"]));
        check(&[vpc, "vpc-1".into()], Err(Some(1)));
    }

    #[test]
    fn a_block_with_count_or_for_each_is_one_argument() {
        let all = vec![resource("vpc/main"), resource("dns_record/A")];
        let by_key = Value::object([("a", all[0].clone()), ("b", all[1].clone())]);
        for block in [Value::List(all), by_key] {
            check(&[block], Ok(&["ec2:CreateVpc", "hostedzone/Z1"]));
        }
        let nothing = AwsIamPolicy.call(Vec::new());
        for none in [Value::List(Vec::new()), Value::object([])] {
            assert_eq!(AwsIamPolicy.call(vec![none]).ok(), nothing.as_ref().ok().cloned());
        }
        check(&[vec!["vpc-1"].into()], Err(Some(0)));
    }

    #[test]
    fn what_decides_and_is_not_known_yet_waits() {
        let open = |objects: &[&str]| {
            let objects = objects.iter().map(|key| ((*key).to_owned(), Value::Unknown));
            vec![Value::object([("objects", Value::Map(objects.collect()))])]
        };
        // Which cluster's objects may be changed, or whether a role is passed on.
        for objects in [&["vpc/main"][..], &["flow_log/main"]] {
            assert!(AwsIamPolicy.call(open(objects)).is_ok_and(|policy| policy.is_unknown()), "{objects:?}");
        }
        assert!(AwsIamPolicy.call(open(&["dns_record/A"])).is_ok_and(|policy| !policy.is_unknown()));
    }

    #[test]
    fn what_is_not_known_yet_waits() {
        let unknown = Value::object([("objects", Value::Unknown)]);
        for argument in [Value::Unknown, unknown] {
            assert!(AwsIamPolicy.call(vec![resource("vpc/main"), argument]).is_ok_and(|policy| policy.is_unknown()));
        }
    }
}
