//! Asks AWS's APIs by plain HTTP, in the protocols that they have: the emulator itself, or the proxy before it. Nothing is signed;
//! the emulator reads no more of a signature than for which service it is.

use super::http::{Answer, Request, send};
use super::xml::Element;
use serde_json::Value;
use std::net::SocketAddr;

pub const REGION: &str = "us-east-1";

/// Which version of an API is meant: it stands in each request of the query protocol.
const VERSIONS: [(&str, &str); 5] = [
    ("autoscaling", "2011-01-01"),
    ("ec2", "2016-11-15"),
    ("elasticloadbalancing", "2015-12-01"),
    ("iam", "2010-05-08"),
    ("sts", "2011-06-15"),
];

#[derive(Clone, Copy, Debug)]
pub struct Api {
    pub address: SocketAddr,
}

/// Why a call did nothing, or why nobody knows what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `None`: the connection ended without an answer.
    pub status: Option<u16>,
    pub code: String,
    pub message: String,
}

impl Api {
    /// A call of the query protocol: `("ec2", &[("Action", "DescribeVpcs"), …])`. The root of the answer.
    pub fn ask(&self, service: &str, parameters: &[(&str, &str)]) -> Result<Element, Failure> {
        let request = Request {
            method: "POST".into(),
            target: "/".into(),
            headers: vec![header("content-type", "application/x-www-form-urlencoded; charset=utf-8"), authorization(service)],
            body: form(service, parameters).into_bytes(),
        };
        self.send(&request).and_then(|answer| xml(&answer))
    }

    /// The same, as text, for calls that must succeed.
    #[track_caller]
    pub fn call(&self, service: &str, parameters: &[(&str, &str)]) -> String {
        let answer = self.ask(service, parameters);
        answer.unwrap_or_else(|failure| panic!("{service} {parameters:?}: {failure:?}")).render()
    }

    /// A call of Route 53: `("GET", "/2013-04-01/hostedzone", "")`. The root of the answer.
    pub fn ask_route53(&self, method: &str, path: &str, body: &str) -> Result<Element, Failure> {
        let headers = vec![header("content-type", "application/xml"), authorization("route53")];
        let request = Request { method: method.into(), target: path.into(), headers, body: body.as_bytes().to_vec() };
        self.send(&request).and_then(|answer| xml(&answer))
    }

    /// The same, as text, for calls that must succeed.
    #[track_caller]
    pub fn route53(&self, method: &str, path: &str, body: &str) -> String {
        let answer = self.ask_route53(method, path, body);
        answer.unwrap_or_else(|failure| panic!("route53 {method} {path}: {failure:?}")).render()
    }

    /// A call of a JSON protocol: `("ssm", "AmazonSSM.GetParameter", …)`.
    pub fn ask_json(&self, service: &str, target: &str, body: &Value) -> Result<Value, Failure> {
        let kind = header("content-type", "application/x-amz-json-1.1");
        let headers = vec![kind, header("x-amz-target", target), authorization(service)];
        let request = Request { method: "POST".into(), target: "/".into(), headers, body: body.to_string().into_bytes() };
        let answer = self.send(&request)?;
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status < 300 {
            return Ok(value);
        }
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_string();
        Err(Failure { status: Some(answer.status), code: text("__type"), message: text("message") })
    }

    /// Everything of one kind: `("ec2", "DescribeSubnets", "subnetSet/item")`.
    #[track_caller]
    pub fn list(&self, service: &str, action: &str, path: &str) -> Vec<Element> {
        let answer = self.ask(service, &[("Action", action)]).unwrap_or_else(|failure| panic!("{action}: {failure:?}"));
        answer.all(path).into_iter().cloned().collect()
    }

    pub fn send(&self, request: &Request) -> Result<Answer, Failure> {
        let no_answer = |error: std::io::Error| Failure { status: None, code: String::new(), message: error.to_string() };
        send(self.address, request).map_err(no_answer)
    }
}

/// A request of the query protocol.
pub(super) fn form(service: &str, parameters: &[(&str, &str)]) -> String {
    let version = VERSIONS.iter().find(|(name, _)| *name == service).map_or("", |(_, version)| version);
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Version", version).extend_pairs(parameters);
    form.finish()
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.into(), value.into())
}

pub(super) fn authorization(service: &str) -> (String, String) {
    let scope = format!("Credential=test/20260101/{REGION}/{service}/aws4_request");
    header("authorization", &format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=x"))
}

/// The root of an answer, or the failure that it reports: `Error` stands at different depths.
fn xml(answer: &Answer) -> Result<Element, Failure> {
    let text = String::from_utf8_lossy(&answer.body);
    let failure = |code: &str, message: &str| Failure { status: Some(answer.status), code: code.into(), message: message.into() };
    let root = match Element::parse(&text) {
        Ok(root) => root,
        Err(_) if answer.body.is_empty() && answer.status < 300 => Element::default(),
        Err(error) => return Err(failure("", &format!("{error}: {text}"))),
    };
    if answer.status < 300 {
        return Ok(root);
    }
    let error = ["Error", "Errors/Error"].into_iter().find_map(|path| root.at(path)).unwrap_or(&root);
    Err(failure(error.value("Code"), error.value("Message")))
}
