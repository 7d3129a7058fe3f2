//! Answers that the proxy gives itself: errors in the shape of each protocol, and trees as XML.

use super::call::{Call, Protocol};
use crate::aws::http::Answer;
use crate::aws::xml::{Element, escape};

const REQUEST: &str = "00000000-0000-0000-0000-000000000000";

/// Why AWS would not do it.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
}

pub fn refusal(code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { status: 400, code, message: message.into() }
}

impl Refusal {
    pub fn answer(&self, call: &Call) -> Answer {
        let (code, message) = (self.code, escape(&self.message));
        let kind = if self.status < 500 { "Sender" } else { "Receiver" };
        let error = format!("<Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error>");
        let body = match call.protocol {
            Protocol::Ec2 => format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
                 <RequestID>{REQUEST}</RequestID></Response>"
            ),
            Protocol::Query => format!("<ErrorResponse>{error}<RequestId>{REQUEST}</RequestId></ErrorResponse>"),
            Protocol::Route53 => format!(
                "<ErrorResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">{error}<RequestId>{REQUEST}</RequestId></ErrorResponse>"
            ),
            Protocol::S3 => {
                format!("<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{REQUEST}</RequestId></Error>")
            }
            Protocol::Json => return self.json(),
        };
        let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}").into_bytes();
        Answer { status: self.status, headers: vec![("content-type".into(), "text/xml".into())], body }
    }

    fn json(&self) -> Answer {
        let body = serde_json::json!({ "__type": self.code, "message": self.message });
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amzn-errortype", self.code)];
        let headers = headers.map(|(name, value)| (name.into(), value.into())).to_vec();
        Answer { status: self.status, headers, body: body.to_string().into_bytes() }
    }
}

/// As AWS answers whoever asks too often.
pub fn throttled(call: &Call) -> Answer {
    let (status, code) = match call.protocol {
        Protocol::Ec2 => (503, "RequestLimitExceeded"),
        Protocol::Query | Protocol::Route53 => (400, "Throttling"),
        Protocol::Json => (400, "ThrottlingException"),
        Protocol::S3 => (503, "SlowDown"),
    };
    let message = if status == 503 { "Request limit exceeded." } else { "Rate exceeded" };
    Refusal { status, code, message: message.into() }.answer(call)
}

pub fn internal_error(call: &Call) -> Answer {
    let code = match call.protocol {
        Protocol::Ec2 | Protocol::S3 => "InternalError",
        Protocol::Query | Protocol::Route53 => "InternalFailure",
        Protocol::Json => "InternalServerError",
    };
    Refusal { status: 500, code, message: "An internal error has occurred".into() }.answer(call)
}

pub fn xml(root: &Element) -> Answer {
    Answer { status: 200, headers: vec![("content-type".into(), "text/xml".into())], body: root.render().into_bytes() }
}
