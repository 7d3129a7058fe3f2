//! What a failed call came to: classes by the service's code, the status and whether an answer came at all.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::types::UnsuccessfulItem;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use cloud::{CloudError, ErrorClass};
use std::error::Error;

/// The code of errors for which no credentials were found.
pub(crate) const NO_CREDENTIALS: &str = "NoCredentials";

/// The code of answers that lack what they have to hold.
pub(crate) const INCOMPLETE: &str = "IncompleteAnswer";

/// What is added to an error for which AWS has no capacity or addresses.
const OTHER_CAPACITY: &str = "(another instance type, zone or subnet may have room)";

/// `operation` as IAM names it: `ec2:CreateSubnet`.
pub(crate) fn failed<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> CloudError
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let metadata = error.as_service_error().map(ProvideErrorMetadata::meta);
    let mut code = metadata.and_then(|metadata| metadata.code()).unwrap_or_default().to_owned();
    let status = error.raw_response().map(|response| response.status().as_u16());
    if metadata.is_some() && code.is_empty() {
        code = format!("Status{}", status.unwrap_or_default());
    }
    let class = match &error {
        SdkError::ServiceError(_) => class_of(&code, status.unwrap_or_default()),
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) | SdkError::DispatchFailure(_) if !lacks_credentials(&error) => {
            ErrorClass::Ambiguous
        }
        _ if lacks_credentials(&error) => {
            NO_CREDENTIALS.clone_into(&mut code);
            ErrorClass::Denied
        }
        _ => ErrorClass::Refused,
    };
    let message = match metadata.and_then(|metadata| metadata.message()) {
        Some(message) if is_out_of_capacity(&code) => format!("{message} {OTHER_CAPACITY}"),
        Some(message) => message.to_owned(),
        None if metadata.is_some() => "the answer has no message".to_owned(),
        None => causes(&error),
    };
    CloudError { operation: operation.to_owned(), class, code, message }
}

/// An answer without what it has to hold.
pub(crate) fn incomplete(operation: &'static str, missing: &str) -> CloudError {
    let message = format!("the answer has no {missing}");
    let code = INCOMPLETE.to_owned();
    CloudError { operation: operation.to_owned(), class: ErrorClass::Ambiguous, code, message }
}

/// Calls on several objects succeed even where they did not: what they say of each counts.
pub(crate) fn unsuccessful(operation: &'static str, items: &[UnsuccessfulItem]) -> Result<(), CloudError> {
    let Some(error) = items.iter().find_map(UnsuccessfulItem::error) else { return Ok(()) };
    let (code, message) = (error.code().unwrap_or_default(), error.message().unwrap_or_default());
    let class = class_of(code, 400);
    Err(CloudError { operation: operation.to_owned(), class, code: code.to_owned(), message: message.to_owned() })
}

/// A setting that cannot be meant: the graph's error, not the cloud's.
pub(crate) fn unusable(operation: &'static str, message: impl Into<String>) -> CloudError {
    CloudError { operation: operation.to_owned(), class: ErrorClass::Refused, code: String::new(), message: message.into() }
}

/// For calls that are repeated: what they wanted is there, or gone, already.
pub(crate) fn unless(result: Result<(), CloudError>, is_done: impl Fn(&CloudError) -> bool) -> Result<(), CloudError> {
    match result {
        Err(error) if is_done(&error) => Ok(()),
        result => result,
    }
}

pub(crate) fn is_not_found(error: &CloudError) -> bool {
    error.class == ErrorClass::NotFound
}

pub(crate) fn is_there(error: &CloudError) -> bool {
    error.class == ErrorClass::Exists
}

/// AWS has none left: it may within hours, which nobody waits for.
pub(crate) fn is_out_of_capacity(code: &str) -> bool {
    code.starts_with("Insufficient")
}

/// Refused before anything happened: safe to repeat for every call.
pub(crate) fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        "RequestLimitExceeded"
            | "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "TooManyRequestsException"
            | "PriorRequestNotComplete"
            | "EC2ThrottledException"
            | "BandwidthLimitExceeded"
            | "SlowDown"
    )
}

/// The code decides; EC2 refuses for haste with status 503, which alone would leave open what happened.
fn class_of(code: &str, status: u16) -> ErrorClass {
    if is_throttling(code) || status == 429 {
        ErrorClass::Throttled
    } else if is_denial(code) {
        ErrorClass::Denied
    } else if is_out_of_capacity(code) {
        ErrorClass::Refused
    } else if code.contains("NotFound") || code.starts_with("NoSuch") {
        ErrorClass::NotFound
    } else if code.contains("Duplicate") || code.contains("AlreadyExists") || code.contains("AlreadyAssociated") {
        ErrorClass::Exists
    } else if code == "DependencyViolation" || code.ends_with("InUse") || is_too_early(code) {
        ErrorClass::Dependency
    } else if status >= 500 || code == "RequestTimeout" {
        ErrorClass::Ambiguous
    } else if status == 401 || status == 403 {
        ErrorClass::Denied
    } else {
        ErrorClass::Refused
    }
}

/// What the call is about is not in a state for it yet; an instance that is being made has no better code.
fn is_too_early(code: &str) -> bool {
    matches!(code, "IncorrectState" | "IncorrectInstanceState" | "InvalidInstanceID")
}

fn is_denial(code: &str) -> bool {
    let known = [
        "UnauthorizedOperation",
        "AuthFailure",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "MissingAuthenticationToken",
        "OptInRequired",
        "PendingVerification",
        "Blocked",
    ];
    known.contains(&code) || code.starts_with("AccessDenied") || code.starts_with("ExpiredToken")
}

/// Codes that say that the credentials themselves are wrong, not what they allow.
pub(crate) fn are_credentials_wrong(error: &CloudError) -> bool {
    error.class == ErrorClass::Denied && error.code != "UnauthorizedOperation" && !error.code.starts_with("AccessDenied")
}

fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|cause| cause.is::<CredentialsError>())
}

/// Only what the errors say for people: their debug texts hold requests.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in chain(error).map(ToString::to_string) {
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}

/// The error and what caused it.
pub(crate) fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| <dyn Error>::source(*error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ErrorClass::{Ambiguous, Denied, Dependency, Exists, NotFound, Refused, Throttled};
    use aws_sdk_ec2::config::http::HttpResponse;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    fn answer(code: &str, status: u16) -> CloudError {
        let metadata = ErrorMetadata::builder().code(code).message("no").build();
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        failed("ec2:CreateSubnet", SdkError::service_error(metadata, response))
    }

    #[track_caller]
    fn check(code: &str, status: u16, expect: ErrorClass) {
        assert_eq!(answer(code, status).class, expect, "{code} {status}");
    }

    #[test]
    fn answers_are_classed_by_their_code() {
        check("InvalidVpcID.NotFound", 400, NotFound);
        check("NatGatewayNotFound", 400, NotFound);
        check("NoSuchHostedZone", 404, NotFound);
        check("DependencyViolation", 400, Dependency);
        check("InvalidIPAddress.InUse", 400, Dependency);
        check("InvalidPermission.Duplicate", 400, Exists);
        check("RouteAlreadyExists", 400, Exists);
        check("Resource.AlreadyAssociated", 400, Exists);
        check("RequestLimitExceeded", 503, Throttled);
        check("UnauthorizedOperation", 403, Denied);
        check("ExpiredTokenException", 400, Denied);
        check("AuthFailure", 401, Denied);
        check("InternalError", 500, Ambiguous);
        check("InsufficientInstanceCapacity", 500, Refused);
        check("InsufficientAddressCapacity", 500, Refused);
        assert!(answer("InsufficientInstanceCapacity", 500).message.contains("another instance type"));
        check("ServiceUnavailable", 503, Ambiguous);
        check("", 502, Ambiguous);
        check("InvalidSubnet.Range", 400, Refused);
        check("VpcLimitExceeded", 400, Refused);
    }

    #[test]
    fn what_was_not_answered_is_open() {
        let dropped = ConnectorError::io("connection reset".into());
        let error = failed::<ErrorMetadata>("ec2:CreateSubnet", SdkError::dispatch_failure(dropped));
        assert_eq!((error.class, error.code.as_str()), (Ambiguous, ""));
        assert!(error.message.contains("connection reset"), "{}", error.message);
        let late = failed::<ErrorMetadata>("ec2:CreateSubnet", SdkError::timeout_error("30 s are over"));
        assert_eq!(late.class, Ambiguous);
    }

    #[test]
    fn no_credentials_are_no_answer_that_could_still_come() {
        let none = ConnectorError::other(Box::new(CredentialsError::not_loaded("nothing is set")), None);
        let error = failed::<ErrorMetadata>("ec2:DescribeVpcs", SdkError::dispatch_failure(none));
        assert_eq!((error.class, error.code.as_str()), (Denied, NO_CREDENTIALS));
    }
}
