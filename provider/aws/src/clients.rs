//! The clients of the services, and what a call is given along that must not be repeated.

use crate::error::{is_out_of_capacity, is_throttling};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;

pub(crate) struct Clients {
    /// Attachments of target groups; the groups themselves are somebody else's.
    pub autoscaling: aws_sdk_autoscaling::Client,
    pub ec2: aws_sdk_ec2::Client,
    /// Classic load balancers, which Kubernetes makes and nobody else.
    pub elb: aws_sdk_elasticloadbalancing::Client,
    pub elbv2: aws_sdk_elasticloadbalancingv2::Client,
    pub route53: aws_sdk_route53::Client,
    pub sts: aws_sdk_sts::Client,
    pub ssm: aws_sdk_ssm::Client,
    pub quotas: aws_sdk_servicequotas::Client,
    pub region: String,
}

/// For calls of EC2 that make something and have no client token: after an answer that leaves open whether it happened, they
/// must not be repeated. `.customize().config_override(once::<CreateVpcError>())`.
pub(crate) fn once<E>() -> aws_sdk_ec2::config::Builder
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    aws_sdk_ec2::config::Config::builder().retry_classifier(OnlyWhenThrottled::<E>::default())
}

/// Has the last word about whether a call is repeated: only when it was refused for haste, which is before anything happened.
pub(crate) struct OnlyWhenThrottled<E>(PhantomData<fn() -> E>);

impl<E> Default for OnlyWhenThrottled<E> {
    fn default() -> Self {
        OnlyWhenThrottled(PhantomData)
    }
}

impl<E> fmt::Debug for OnlyWhenThrottled<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OnlyWhenThrottled")
    }
}

impl<E: Error + ProvideErrorMetadata + Send + Sync + 'static> ClassifyRetry for OnlyWhenThrottled<E> {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        if !matches!(context.output_or_error(), Some(Err(_))) {
            return RetryAction::NoActionIndicated;
        }
        match code::<E>(context) {
            Some(code) if is_throttling(code) => RetryAction::throttling_error(),
            _ => RetryAction::RetryForbidden,
        }
    }

    fn name(&self) -> &'static str {
        "only when throttled"
    }

    /// The classifiers of the SDK come before; what they found is overruled.
    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

/// For calls whose client token makes them safe to repeat: that AWS has no capacity comes as a server error, which is no hiccup.
pub(crate) fn unless_out_of_capacity<E>() -> aws_sdk_ec2::config::Builder
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    aws_sdk_ec2::config::Config::builder().retry_classifier(Capacity::<E>(PhantomData))
}

struct Capacity<E>(PhantomData<fn() -> E>);

impl<E> fmt::Debug for Capacity<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Capacity")
    }
}

impl<E: Error + ProvideErrorMetadata + Send + Sync + 'static> ClassifyRetry for Capacity<E> {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match code::<E>(context) {
            Some(code) if is_out_of_capacity(code) => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "capacity"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

fn code<E: Error + ProvideErrorMetadata + Send + Sync + 'static>(context: &InterceptorContext) -> Option<&str> {
    let error = context.output_or_error()?.err()?;
    error.as_operation_error()?.downcast_ref::<E>()?.code()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_runtime_api::client::interceptors::context::{Error as AnyError, Input};
    use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::error::ErrorMetadata;

    #[track_caller]
    fn check(error: OrchestratorError<AnyError>, expect: &RetryAction) {
        let mut context = InterceptorContext::new(Input::doesnt_matter());
        context.set_output_or_error(Err(error));
        assert_eq!(&OnlyWhenThrottled::<ErrorMetadata>::default().classify_retry(&context), expect);
    }

    fn answer(code: &str) -> OrchestratorError<AnyError> {
        OrchestratorError::operation(AnyError::erase(ErrorMetadata::builder().code(code).build()))
    }

    #[test]
    fn capacity_is_not_asked_for_again() {
        let classify = |code: &str| {
            let mut context = InterceptorContext::new(Input::doesnt_matter());
            context.set_output_or_error(Err(answer(code)));
            Capacity::<ErrorMetadata>(PhantomData).classify_retry(&context)
        };
        assert_eq!(classify("InsufficientInstanceCapacity"), RetryAction::RetryForbidden);
        assert_eq!(classify("InternalError"), RetryAction::NoActionIndicated);
    }

    #[test]
    fn what_may_have_happened_is_not_repeated() {
        check(answer("RequestLimitExceeded"), &RetryAction::throttling_error());
        check(answer("InternalError"), &RetryAction::RetryForbidden);
        check(answer("ServiceUnavailable"), &RetryAction::RetryForbidden);
        check(OrchestratorError::connector(ConnectorError::io("reset".into())), &RetryAction::RetryForbidden);
        check(OrchestratorError::timeout("late".into()), &RetryAction::RetryForbidden);
    }
}
