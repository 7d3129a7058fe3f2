//! Names the provider in each request, writes a line for each attempt at level trace (no headers, no bodies, no keys), and tells
//! the rate limit how it went.

use crate::error::is_throttling;
use crate::limits::Bucket;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use std::sync::Arc;
use std::time::Instant;

const USER_AGENT: &str = concat!("terraform-provider-k8s/", env!("CARGO_PKG_VERSION"));

#[derive(Clone, Debug)]
pub(crate) struct Trace(pub Arc<Bucket>);

#[derive(Debug)]
struct Started(Instant);

impl Storable for Started {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Trace {
    fn name(&self) -> &'static str {
        "trace"
    }

    fn read_before_attempt(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        configuration: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        configuration.interceptor_state().store_put(Started(Instant::now()));
        Ok(())
    }

    /// After the request was signed: the signature leaves this header out, and the SDK's own text is in it by now.
    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _configuration: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        let of_sdk = headers.get("user-agent").unwrap_or_default().to_owned();
        headers.try_insert("user-agent", format!("{USER_AGENT} {of_sdk}").trim_end().to_owned())?;
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        configuration: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let metadata = configuration.load::<Metadata>();
        let response = context.response();
        if let Some(response) = response {
            self.0.learn(is_throttled(response), Instant::now());
        }
        let header = |name: &str| response.and_then(|response| response.headers().get(name)).unwrap_or_default();
        tracing::trace!(
            service = metadata.map_or("", Metadata::service),
            operation = metadata.map_or("", Metadata::name),
            status = response.map(|response| response.status().as_u16()),
            milliseconds = configuration.load::<Started>().map(|started| started.0.elapsed().as_millis() as u64),
            attempt = configuration.load::<RequestAttempts>().map(RequestAttempts::attempts),
            request_id = [header("x-amzn-requestid"), header("x-amz-request-id")].concat(),
            "aws request"
        );
        Ok(())
    }
}

/// The code of an error stands in the body, whatever the service's protocol.
fn is_throttled(response: &HttpResponse) -> bool {
    let body = response.body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
    !response.status().is_success() && body.split(|c: char| !c.is_alphanumeric()).any(is_throttling)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::body::SdkBody;

    #[track_caller]
    fn check(status: u16, body: &'static str, expect: bool) {
        assert_eq!(is_throttled(&HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))), expect, "{status} {body}");
    }

    #[test]
    fn refusals_for_haste_are_told_from_others() {
        check(503, "<Error><Code>RequestLimitExceeded</Code></Error>", true);
        check(400, "{\"__type\":\"com.amazonaws.ssm#ThrottlingException\"}", true);
        check(503, "<Error><Code>ServiceUnavailable</Code></Error>", false);
        check(200, "<tag>Throttling</tag>", false);
    }
}
