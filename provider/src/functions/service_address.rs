//! `service_address(cidr, offset)`: the address of a well-known service, such as that of the API server (1) or the cluster DNS (10).

use crate::network::{address_at, parse_cidr};
use protocol::{Function, FunctionError, Parameter};
use schema::{AttributePath, Type, Value};

pub struct ServiceAddress;

impl Function for ServiceAddress {
    fn name(&self) -> &'static str {
        "service_address"
    }

    fn summary(&self) -> &'static str {
        "The address at an offset in a service CIDR"
    }

    fn description(&self) -> &'static str {
        "Returns the address at `offset` from the network address of `service_cidr`, in either family. Kubernetes assigns offset 1 to \
         the API server; this provider assigns offset 10 to the cluster DNS."
    }

    fn parameters(&self) -> Vec<Parameter> {
        vec![
            Parameter {
                name: "service_cidr",
                description: "A CIDR, such as `10.96.0.0/16` or `fd00:96::/112`.",
                value_type: Type::String,
            },
            Parameter { name: "offset", description: "A whole number, 0 or greater.", value_type: Type::Number },
        ]
    }

    fn result(&self) -> Type {
        Type::String
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let [cidr, offset] = arguments.as_slice() else {
            return Err(FunctionError { text: "service_address takes a CIDR and an offset".into(), argument: None });
        };
        let text = cidr.as_str().unwrap_or_default();
        let network = parse_cidr(text, &AttributePath::root()).map_err(|diagnostic| FunctionError {
            // Engines end it with a full stop.
            text: format!("{}. {}", diagnostic.summary, diagnostic.detail.trim_end_matches('.')),
            argument: Some(0),
        })?;
        let offset = offset.as_i64().and_then(|offset| u128::try_from(offset).ok()).ok_or_else(|| FunctionError {
            text: "the offset must be a whole number, 0 or greater, such as 10".into(),
            argument: Some(1),
        })?;
        let address = address_at(&network, offset).ok_or_else(|| FunctionError {
            text: format!("{network} has no address at offset {offset}: it is too small"),
            argument: Some(1),
        })?;
        Ok(address.to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cidr: &str, offset: i64, expect: Result<&str, Option<i64>>) {
        let actual = ServiceAddress.call(vec![cidr.into(), offset.into()]);
        assert_eq!(actual.map_err(|error| error.argument), expect.map(Value::from));
    }

    #[test]
    fn offsets_count_in_both_families_and_errors_name_their_argument() {
        check("10.96.0.0/16", 10, Ok("10.96.0.10"));
        check("fd00:96::/112", 1, Ok("fd00:96::1"));
        check("10.96.0.0", 1, Err(Some(0)));
        let error = ServiceAddress.call(vec!["10.96.0.1/16".into(), 1.into()]).unwrap_err();
        assert_eq!(error.text, "10.96.0.1/16 has host bits set. The network of this prefix length is 10.96.0.0/16");
        check("10.96.0.0/30", 4, Err(Some(1)));
        check("10.96.0.0/16", -1, Err(Some(1)));
    }
}
