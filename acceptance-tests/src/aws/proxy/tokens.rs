//! Client tokens: who repeats a call with the same token and the same parameters gets the first answer again. AWS documents it for
//! each action that has a token; a token whose call failed is free again. Tokens do not expire here, whatever becomes of the object.

use super::answers::{Refusal, refusal};
use super::call::{Call, Parameters};
use crate::aws::api::Api;
use crate::aws::http::Answer;
use crate::aws::{objects, xml};
use std::collections::HashMap;

/// What services call it.
const NAMES: [&str; 3] = ["ClientToken", "ClientRequestToken", "IdempotencyToken"];

#[derive(Default)]
pub struct Tokens(HashMap<Key, (Parameters, Answer)>);

#[derive(PartialEq, Eq, Hash)]
struct Key {
    service: String,
    action: String,
    token: String,
}

pub enum Known {
    No,
    Answered(Answer),
    Otherwise(Refusal),
}

impl Tokens {
    pub fn known(&self, call: &Call, api: &Api) -> Known {
        let Some((parameters, answer)) = key(call).and_then(|key| self.0.get(&key)) else { return Known::No };
        if *parameters == call.parameters && call.is("ec2", "RunInstances") && is_terminated(answer, api) {
            let message = "The request to launch an instance uses the client token of an instance that has been terminated.";
            return Known::Otherwise(refusal("IdempotentInstanceTerminated", message));
        }
        if *parameters == call.parameters {
            return Known::Answered(answer.clone());
        }
        let message = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).";
        Known::Otherwise(refusal("IdempotentParameterMismatch", message))
    }

    pub fn remember(&mut self, call: &Call, answer: &Answer) {
        if let Some(key) = key(call).filter(|_| answer.status < 300) {
            self.0.insert(key, (call.parameters.clone(), answer.clone()));
        }
    }
}

/// Of an answer to `RunInstances`.
fn is_terminated(answer: &Answer, api: &Api) -> bool {
    let ids = xml::values(&String::from_utf8_lossy(&answer.body), "instanceId");
    let instances = objects::instances(api);
    !ids.iter().all(|id| instances.iter().any(|instance| instance.value("instanceId") == id))
}

fn key(call: &Call) -> Option<Key> {
    let token = NAMES.into_iter().map(|name| call.parameter(name)).find(|token| !token.is_empty())?;
    Some(Key { service: call.service.clone(), action: call.action.clone(), token: token.into() })
}
