//! What a request asks for, as the log shows it: service, action and parameters out of AWS's different protocols.

use super::faults::Fault;
use crate::aws::http::{Request, header};
use serde_json::Value;
use std::collections::BTreeMap;

pub type Parameters = BTreeMap<String, String>;

/// A call that the proxy has seen.
#[derive(Clone, Debug)]
pub struct Call {
    /// The first one after the log was cleared is 1.
    pub index: usize,
    /// As signatures name it: `ec2`, `elasticloadbalancing`, `route53`, `ssm`, …
    pub service: String,
    /// `CreateSubnet`. `<method> <path>` where a protocol has no actions and this file does not know the path.
    pub action: String,
    /// Decoded: `Filter.1.Name`. The query protocol's form, the first level of a JSON body; of REST protocols `Path` and `Body`.
    pub parameters: Parameters,
    /// It may change something at AWS. A dry run may not.
    pub is_mutating: bool,
    pub user_agent: String,
    /// `None`: under way, or the connection was ended without an answer.
    pub status: Option<u16>,
    /// The first answer to this client token was given again; the emulator was not asked.
    pub from_token: bool,
    /// What was done to it on purpose. A hook of `interrupt_at` leaves nothing here but a status of `None`.
    pub fault: Option<Fault>,
    pub(super) protocol: Protocol,
}

/// Protocols differ in how errors look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Ec2,
    Query,
    Json,
    Route53,
    S3,
}

const READING: [&str; 6] = ["Describe", "Get", "List", "Lookup", "Search", "AssumeRole"];

impl Call {
    pub(super) fn read(request: &Request) -> Call {
        let target = header(&request.headers, "x-amz-target");
        let service = service(request);
        let form = if target.is_empty() { form(request) } else { Parameters::new() };
        let (protocol, action, parameters) = match form.get("Action").cloned() {
            Some(action) if service == "ec2" => (Protocol::Ec2, action, form),
            Some(action) => (Protocol::Query, action, form),
            None if !target.is_empty() => (Protocol::Json, after_dot(target), json(&request.body)),
            None if service == "route53" => (Protocol::Route53, route53_action(request), rest(request)),
            None => (Protocol::S3, rest_action(request), rest(request)),
        };
        let is_dry_run = parameters.get("DryRun").is_some_and(|value| value == "true");
        Call {
            index: 0,
            is_mutating: !is_dry_run && !is_reading(&action),
            service,
            action,
            parameters,
            user_agent: header(&request.headers, "user-agent").to_string(),
            status: None,
            from_token: false,
            fault: None,
            protocol,
        }
    }

    /// A parameter; none is empty.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// The values of a list: `SubnetId` for `SubnetId.1`, `Subnets.member` for `Subnets.member.1`.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let is_item =
            |key: &str| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.') && rest[1..].parse::<u32>().is_ok());
        self.parameters.iter().filter(|(key, _)| is_item(key)).map(|(_, value)| value.as_str()).collect()
    }

    pub(super) fn is(&self, service: &str, action: &str) -> bool {
        self.service == service && self.action == action
    }
}

fn is_reading(action: &str) -> bool {
    READING.iter().any(|word| action.starts_with(word)) || action.starts_with("GET ") || action.starts_with("HEAD ")
}

/// Out of the scope of the signature: `Credential=<key>/<date>/<region>/<service>/aws4_request`.
fn service(request: &Request) -> String {
    let authorization = header(&request.headers, "authorization");
    let scope = authorization.split("Credential=").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_default();
    scope.split('/').nth(3).unwrap_or("unsigned").to_lowercase()
}

/// The body and the query of the query protocol.
fn form(request: &Request) -> Parameters {
    let query = request.target.split_once('?').map_or("", |(_, query)| query);
    let is_form = header(&request.headers, "content-type").starts_with("application/x-www-form-urlencoded");
    let body: &[u8] = if is_form { &request.body } else { &[] };
    let pairs = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(body));
    pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

pub(super) fn render_form(parameters: &Parameters) -> Vec<u8> {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish().into_bytes()
}

fn after_dot(target: &str) -> String {
    target.rsplit('.').next().unwrap_or(target).to_string()
}

fn json(body: &[u8]) -> Parameters {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

fn rest(request: &Request) -> Parameters {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    Parameters::from([("Path".into(), request.target.clone()), ("Body".into(), body)])
}

fn rest_action(request: &Request) -> String {
    format!("{} {}", request.method, path(request))
}

fn path(request: &Request) -> &str {
    request.target.split('?').next().unwrap_or_default().trim_end_matches('/')
}

fn route53_action(request: &Request) -> String {
    let parts: Vec<&str> = path(request).split('/').skip(2).collect();
    let action = match (request.method.as_str(), parts.as_slice()) {
        ("POST", ["hostedzone"]) => "CreateHostedZone",
        ("GET", ["hostedzone"]) => "ListHostedZones",
        ("GET", ["hostedzonesbyname"]) => "ListHostedZonesByName",
        ("GET", ["hostedzonesbyvpc"]) => "ListHostedZonesByVPC",
        ("GET", ["hostedzone", _]) => "GetHostedZone",
        ("DELETE", ["hostedzone", _]) => "DeleteHostedZone",
        ("POST", ["hostedzone", _]) => "UpdateHostedZoneComment",
        ("POST", ["hostedzone", _, "rrset"]) => "ChangeResourceRecordSets",
        ("GET", ["hostedzone", _, "rrset"]) => "ListResourceRecordSets",
        ("POST", ["hostedzone", _, "associatevpc"]) => "AssociateVPCWithHostedZone",
        ("POST", ["hostedzone", _, "disassociatevpc"]) => "DisassociateVPCFromHostedZone",
        ("GET", ["change", _]) => "GetChange",
        ("GET", ["tags", _, _]) => "ListTagsForResource",
        ("POST", ["tags", _]) => "ListTagsForResources",
        ("POST", ["tags", _, _]) => "ChangeTagsForResource",
        _ => return rest_action(request),
    };
    action.to_string()
}
