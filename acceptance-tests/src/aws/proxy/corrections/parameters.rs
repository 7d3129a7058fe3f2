//! What is public knowledge at AWS and missing in the emulator: image parameters of Ubuntu's publisher, and service quotas.

use super::Memory;
use crate::aws::api::Api;
use crate::aws::http::{Answer, Request, send};
use crate::aws::proxy::call::Call;
use serde_json::{Value, json};

const UBUNTU: &str = "/aws/service/canonical/ubuntu/";
/// An image of Ubuntu that moto has: an old one, whatever release and architecture are asked for.
const IMAGE: &str = "ami-785db401";

/// Answers for names of Ubuntu; the emulator answers for the others of the same call.
pub fn give_image_of_ubuntu(call: &Call, request: &mut Request, api: &Api, _: &mut Memory) -> Option<Answer> {
    if call.action == "GetParameter" {
        let name = call.parameter("Name");
        return name.starts_with(UBUNTU).then(|| answer(&json!({ "Parameter": parameter(name) })));
    }
    let names: Vec<String> = serde_json::from_str(call.parameter("Names")).ok()?;
    let (ubuntu, others): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| name.starts_with(UBUNTU));
    if ubuntu.is_empty() {
        return None;
    }
    let mut whole = json!({ "Parameters": [], "InvalidParameters": [] });
    if !others.is_empty() {
        request.body = json!({ "Names": others }).to_string().into_bytes();
        let rest = send(api.address, request).unwrap_or_else(|error| panic!("the emulator does not answer: {error}"));
        whole = serde_json::from_slice(&rest.body).unwrap_or(whole);
    }
    let found = ubuntu.iter().map(|name| parameter(name));
    whole["Parameters"].as_array_mut()?.extend(found);
    Some(answer(&whole))
}

fn parameter(name: &str) -> Value {
    json!({ "Name": name, "Type": "String", "Value": IMAGE, "Version": 1, "DataType": "aws:ec2:image" })
}

fn answer(body: &Value) -> Answer {
    let headers = vec![("content-type".into(), "application/x-amz-json-1.1".into())];
    Answer { status: 200, headers, body: body.to_string().into_bytes() }
}

/// moto ends with status 500 where quotas in force are listed; nobody has raised any, so they are the default ones.
pub fn give_default_quotas(_: &Call, request: &mut Request, _: &Api, _: &mut Memory) -> Option<Answer> {
    for (_, value) in request.headers.iter_mut().filter(|(name, _)| name == "x-amz-target") {
        *value = value.replace("ListServiceQuotas", "ListAWSDefaultServiceQuotas");
    }
    None
}
