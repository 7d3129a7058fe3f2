//! `aws_iam_policies(resources…)`: the same as `aws_iam_policy`, in as many policies as fit into managed ones.

use super::aws_iam_policy::{AwsIamPolicy, of_uses};
use protocol::{Function, FunctionError, Parameter};
use schema::{Type, Value};

pub struct AwsIamPolicies;

impl Function for AwsIamPolicies {
    fn name(&self) -> &'static str {
        "aws_iam_policies"
    }

    fn summary(&self) -> &'static str {
        "The least IAM policies for resources on AWS"
    }

    fn description(&self) -> &'static str {
        "Returns what `aws_iam_policy` returns as a list of policies in JSON, as few as fit into the 6144 characters that a managed policy has \
         at most. Attach all of them to the role that applies."
    }

    fn parameters(&self) -> Vec<Parameter> {
        AwsIamPolicy.parameters()
    }

    fn variadic(&self) -> Option<Parameter> {
        AwsIamPolicy.variadic()
    }

    fn accepts_unknown(&self) -> bool {
        true
    }

    fn result(&self) -> Type {
        Type::list(Type::String)
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        of_uses(&arguments, |uses| Value::List(uses.least_policies().into_iter().map(Value::from).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_into_one_policy_is_one() {
        let resource = |key: &str| Value::object([("objects", Value::Map([(key.to_owned(), Value::object([]))].into()))]);
        let one = AwsIamPolicies.call(vec![resource("dns_record/A")]).map_err(|error| error.text);
        let policy = AwsIamPolicy.call(vec![resource("dns_record/A")]).map_err(|error| error.text);
        assert_eq!(one, policy.map(|policy| Value::List(vec![policy])));
        assert!(AwsIamPolicies.call(vec![Value::Unknown]).is_ok_and(|policies| policies.is_unknown()));
    }
}
