//! Hosted zones of Route 53, and their records.

use super::Memory;
use crate::aws::api::Api;
use crate::aws::http::{Answer, Request};
use crate::aws::proxy::answers::Refusal;
use crate::aws::proxy::call::Call;
use crate::aws::xml::Element;

/// A caller reference is good for one zone. A zone that is made with a VPC is private, whether or not its configuration says so.
pub fn prepare(call: &Call, request: &mut Request, _: &Api, memory: &mut Memory) -> Option<Answer> {
    let mut body = Element::parse(call.parameter("Body")).ok()?;
    let reference = body.value("CallerReference");
    if memory.references.contains(reference) {
        let message = format!("A hosted zone has already been created with the specified caller reference: {reference}");
        return Some(Refusal { status: 409, code: "HostedZoneAlreadyExists", message }.answer(call));
    }
    if body.at("VPC").is_some() {
        let mut configuration =
            body.at("HostedZoneConfig").cloned().unwrap_or_else(|| Element::new("HostedZoneConfig", Vec::new()));
        configuration.set("PrivateZone", "true");
        body.replace(configuration);
        request.body = body.render().into_bytes();
    }
    None
}

pub fn remember(call: &Call, _: &mut Element, _: &Api, memory: &mut Memory) {
    if let Ok(body) = Element::parse(call.parameter("Body")) {
        memory.references.insert(body.value("CallerReference").to_string());
    }
}

/// What is there is refused, and what was deleted can be created again with the same values. moto looks into its journal of earlier
/// changes, and then for any record that follows.
pub fn create_records(call: &Call, request: &mut Request, api: &Api, _: &mut Memory) -> Option<Answer> {
    let path = call.parameter("Path").split('?').next()?.trim_end_matches('/');
    let records = api.ask_route53("GET", path, "").ok()?;
    let there: Vec<[String; 3]> = records.all("ResourceRecordSets/ResourceRecordSet").into_iter().map(id).collect();
    let mut body = Element::parse(call.parameter("Body")).ok()?;
    let changes = body.all_mut("ChangeBatch/Changes/Change").into_iter().filter(|change| change.value("Action") == "CREATE");
    for change in changes {
        let record = change.at("ResourceRecordSet").map(id)?;
        if there.contains(&record) {
            let [name, kind, _] = record;
            let message = format!("[Tried to create resource record set [name='{name}', type='{kind}'] but it already exists]");
            return Some(Refusal { status: 400, code: "InvalidChangeBatch", message }.answer(call));
        }
        change.set("Action", "UPSERT");
    }
    request.body = body.render().into_bytes();
    None
}

fn id(record: &Element) -> [String; 3] {
    let name = format!("{}.", record.value("Name").trim_end_matches('.').to_lowercase());
    [name, record.value("Type").into(), record.value("SetIdentifier").into()]
}
