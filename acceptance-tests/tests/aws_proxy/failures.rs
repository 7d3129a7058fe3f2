//! What goes wrong on purpose, the log, and what protects callers from it: tokens and dry runs.

use crate::topology::{IMAGE, Vpc, address};
use crate::{Aws, refused};
use acceptance_tests::aws::http::{Request, send};
use acceptance_tests::aws::{Call, Failure, Fault, Moment};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

const VPC: [(&str, &str); 1] = [("CidrBlock", "10.0.0.0/16")];

fn actions(calls: &[Call]) -> Vec<&str> {
    calls.iter().map(|call| call.action.as_str()).collect()
}

/// A call without an answer.
#[track_caller]
fn unanswered<T: std::fmt::Debug>(answer: Result<T, Failure>) {
    assert_eq!(answer.map_err(|failure| failure.status).unwrap_err(), None);
}

pub fn calls_are_logged_with_parameters_and_caller(aws: &mut Aws) {
    aws.reset();
    let scope = "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=x";
    let headers =
        [("authorization", scope), ("content-type", "application/x-www-form-urlencoded"), ("user-agent", "provider/1.0 (a+b)")];
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_string())).to_vec();
    let body = b"Action=DescribeVpcs&Version=2016-11-15&Filter.1.Name=tag%3AName&Filter.1.Value.1=a+b".to_vec();
    send(aws.proxy.api.address, &Request { method: "POST".into(), target: "/".into(), headers, body }).unwrap();
    refused(aws.try_ec2("DeleteVpc", &[("VpcId", "vpc-00000000")]), "InvalidVpcID.NotFound");
    let calls = aws.proxy.calls();
    let (first, second) = (&calls[0], &calls[1]);
    assert_eq!((first.index, first.service.as_str(), first.action.as_str()), (1, "ec2", "DescribeVpcs"));
    assert_eq!((first.parameter("Filter.1.Name"), first.list("Filter.1.Value")), ("tag:Name", vec!["a b"]));
    assert_eq!((first.is_mutating, first.status, first.user_agent.as_str()), (false, Some(200), "provider/1.0 (a+b)"));
    assert_eq!((second.index, second.is_mutating, second.status), (2, true, Some(400)));
    assert_eq!(actions(&aws.proxy.mutating_calls()), ["DeleteVpc"]);
    aws.proxy.clear_log();
    assert!(aws.proxy.calls().is_empty());
}

pub fn every_protocol_is_understood(aws: &mut Aws) {
    aws.reset();
    let api = aws.proxy.api;
    api.ask("sts", &[("Action", "GetCallerIdentity")]).unwrap();
    api.ask("iam", &[("Action", "CreateRole"), ("RoleName", "node"), ("AssumeRolePolicyDocument", "{}")]).unwrap();
    api.ask_json("ssm", "AmazonSSM.PutParameter", &json!({ "Name": "/a", "Value": "b", "Type": "String" })).unwrap();
    assert_eq!(api.ask_json("ssm", "AmazonSSM.GetParameter", &json!({ "Name": "/a" })).unwrap()["Parameter"]["Value"], "b");
    let zone = "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Name>a.example</Name>\
                <CallerReference>1</CallerReference></CreateHostedZoneRequest>";
    let made = api.ask_route53("POST", "/2013-04-01/hostedzone", zone).unwrap();
    let path = format!("/2013-04-01{}", made.value("HostedZone/Id"));
    api.ask_route53("GET", &format!("{path}/rrset?maxitems=5"), "").unwrap();
    api.ask_route53("DELETE", &path, "").unwrap();
    let seen: Vec<(String, String, bool)> =
        aws.proxy.calls().into_iter().map(|call| (call.service, call.action, call.is_mutating)).collect();
    let expected = [
        ("sts", "GetCallerIdentity", false),
        ("iam", "CreateRole", true),
        ("ssm", "PutParameter", true),
        ("ssm", "GetParameter", false),
        ("route53", "CreateHostedZone", true),
        ("route53", "ListResourceRecordSets", false),
        ("route53", "DeleteHostedZone", true),
    ];
    assert_eq!(seen, expected.map(|(service, action, is_mutating)| (service.into(), action.into(), is_mutating)));
}

/// As SDKs may send them, over a connection that is kept.
pub fn bodies_in_chunks_are_understood(aws: &mut Aws) {
    aws.reset();
    let mut connection = TcpStream::connect(aws.proxy.api.address).unwrap();
    let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ntransfer-encoding: chunked\r\n\
                authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/ec2/aws4_request\r\n";
    let chunks = "8\r\nAction=C\r\n24\r\nreateVpc&CidrBlock=10.0.0.0%2F16&Ver\r\nf\r\nsion=2016-11-15\r\n0\r\n\r\n";
    write!(connection, "{head}\r\n{chunks}").unwrap();
    write!(connection, "{head}connection: close\r\n\r\n{chunks}").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
    assert_eq!(aws.vpcs(), 2);
}

/// One call of each protocol that would make something.
fn one_of_each(aws: &Aws) -> [Failure; 4] {
    let api = aws.proxy.api;
    [
        api.ask("ec2", &[("Action", "CreateVpc"), VPC[0]]).unwrap_err(),
        api.ask("elasticloadbalancing", &[("Action", "CreateLoadBalancer"), ("Name", "a")]).unwrap_err(),
        api.ask_route53("POST", "/2013-04-01/hostedzone", "<CreateHostedZoneRequest/>").unwrap_err(),
        api.ask_json("ssm", "AmazonSSM.PutParameter", &json!({ "Name": "a" })).unwrap_err(),
    ]
}

#[track_caller]
fn all_failed_with(aws: &Aws, expected: [(u16, &str); 4]) {
    let failures = one_of_each(aws);
    let seen = failures.each_ref().map(|failure| (failure.status.unwrap_or(0), failure.code.as_str()));
    assert_eq!(seen, expected, "{failures:?}");
    assert_eq!(aws.emulator.inventory(), Vec::<String>::new());
}

pub fn a_throttled_call_does_nothing_and_gets_the_error_of_its_protocol(aws: &mut Aws) {
    aws.reset();
    aws.proxy.fail_when(|_| true, Fault::Throttle);
    let errors = [(503, "RequestLimitExceeded"), (400, "Throttling"), (400, "Throttling"), (400, "ThrottlingException")];
    all_failed_with(aws, errors);
    assert!(aws.proxy.calls().iter().all(|call| call.fault == Some(Fault::Throttle)));
}

pub fn an_internal_error_does_nothing_and_has_the_shape_of_its_protocol(aws: &mut Aws) {
    aws.reset();
    aws.proxy.fail_when(|_| true, Fault::InternalError);
    let errors = [(500, "InternalError"), (500, "InternalFailure"), (500, "InternalFailure"), (500, "InternalServerError")];
    all_failed_with(aws, errors);
}

pub fn a_connection_that_ends_before_leaves_nothing_and_one_that_ends_after_leaves_the_object(aws: &mut Aws) {
    aws.reset();
    aws.proxy.fail_at(1, Fault::DropBefore);
    aws.proxy.fail_at(2, Fault::DropAfter);
    unanswered(aws.try_ec2("CreateVpc", &VPC));
    assert_eq!(aws.vpcs(), 0);
    unanswered(aws.try_ec2("CreateVpc", &VPC));
    assert_eq!(aws.vpcs(), 1);
    let seen: Vec<_> = aws.proxy.calls().into_iter().map(|call| (call.fault, call.status)).collect();
    assert_eq!(seen, [(Some(Fault::DropBefore), None), (Some(Fault::DropAfter), None)]);
}

pub fn a_delayed_call_is_done_in_the_end(aws: &mut Aws) {
    aws.reset();
    aws.proxy.fail_at(1, Fault::Delay(300));
    let began = Instant::now();
    aws.ec2("CreateVpc", &VPC);
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(aws.vpcs(), 1);
}

pub fn the_nth_mutating_call_fails_and_no_other(aws: &mut Aws) {
    aws.reset();
    aws.proxy.fail_at(2, Fault::Throttle);
    for failed in [false, true, false] {
        aws.ec2("DescribeVpcs", &[]); // does not count
        assert_eq!(aws.try_ec2("CreateVpc", &VPC).is_err(), failed);
    }
    aws.proxy.clear_log();
    aws.proxy.fail_at(1, Fault::Throttle);
    refused(aws.try_ec2("CreateVpc", &VPC), "RequestLimitExceeded");
    assert_eq!(aws.vpcs(), 2);
}

pub fn calls_fail_where_a_predicate_says_so(aws: &mut Aws) {
    aws.reset();
    let mut left = 1;
    let first_descriptions = move |call: &Call| {
        let fails = call.action == "DescribeVpcs" && left > 0;
        left -= i32::from(fails);
        fails
    };
    aws.proxy.fail_when(first_descriptions, Fault::InternalError);
    aws.ec2("CreateVpc", &VPC);
    refused(aws.try_ec2("DescribeVpcs", &[]), "InternalError");
    aws.ec2("DescribeVpcs", &[]);
    aws.proxy.fail_when(|call| call.action.starts_with("Delete"), Fault::DropBefore);
    unanswered(aws.try_ec2("DeleteVpc", &[("VpcId", "vpc-00000000")]));
    aws.proxy.no_faults();
    refused(aws.try_ec2("DeleteVpc", &[("VpcId", "vpc-00000000")]), "InvalidVpcID.NotFound");
}

pub fn the_same_seed_gives_the_same_faults_at_about_the_rate_asked_for(aws: &mut Aws) {
    let run = |seed: u64| -> Vec<Option<Fault>> {
        aws.reset();
        aws.proxy.fail_randomly(seed, &[(Fault::Throttle, 0.3), (Fault::InternalError, 0.05)]);
        for _ in 0..200 {
            let _ = aws.try_ec2("DescribeVpcs", &[]);
        }
        aws.proxy.calls().into_iter().map(|call| call.fault).collect()
    };
    let (first, second, other) = (run(7), run(7), run(8));
    let count = |fault: Fault| first.iter().filter(|seen| **seen == Some(fault)).count();
    assert!((40..=80).contains(&count(Fault::Throttle)), "{}", count(Fault::Throttle));
    assert!((2..=20).contains(&count(Fault::InternalError)), "{}", count(Fault::InternalError));
    assert_eq!(first, second);
    assert_ne!(first, other);
}

pub fn a_hook_before_the_effect_sees_nothing_and_one_after_sees_all(aws: &mut Aws) {
    aws.reset();
    let (seen, saw) = channel();
    for (number, moment) in [(1, Moment::Before), (2, Moment::After)] {
        let (seen, emulator) = (seen.clone(), aws.emulator.api);
        let look = move || seen.send(emulator.list("ec2", "DescribeVpcs", "vpcSet/item").len() - 1).unwrap();
        aws.proxy.interrupt_at(number, moment, look);
    }
    unanswered(aws.try_ec2("CreateVpc", &VPC));
    unanswered(aws.try_ec2("CreateVpc", &VPC));
    assert_eq!(saw.try_iter().collect::<Vec<_>>(), [0, 1]);
    aws.ec2("CreateVpc", &VPC);
    assert_eq!(aws.vpcs(), 2);
}

pub fn a_dry_run_is_answered_and_does_nothing(aws: &mut Aws) {
    aws.reset();
    let failure = aws.try_ec2("CreateVpc", &[VPC[0], ("DryRun", "true")]).unwrap_err();
    assert_eq!((failure.status, failure.code.as_str()), (Some(412), "DryRunOperation"));
    assert_eq!(aws.vpcs(), 0);
    assert!(aws.proxy.mutating_calls().is_empty());
}

pub fn a_repeated_token_gets_the_first_answer(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let (subnet, address) = (vpc.subnet(1), address(aws));
    let nat = [("SubnetId", subnet.as_str()), ("AllocationId", &address), ("ClientToken", "nat")];
    let launch = [("ImageId", IMAGE), ("MinCount", "1"), ("MaxCount", "1"), ("SubnetId", &subnet), ("ClientToken", "run")];
    aws.proxy.clear_log();
    for (action, parameters) in [("CreateNatGateway", &nat[..]), ("RunInstances", &launch)] {
        let answers = [0; 3].map(|_| aws.ec2(action, parameters));
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{action}");
    }
    let from_token: Vec<bool> = aws.proxy.calls().into_iter().map(|call| call.from_token).collect();
    assert_eq!(from_token, [false, true, true, false, true, true]);
    let inventory = aws.emulator.inventory();
    let count = |kind: &str| inventory.iter().filter(|line| line.starts_with(kind)).count();
    assert_eq!((count("nat gateway"), count("instance")), (1, 1));
    let machine = aws.ec2("RunInstances", &launch);
    aws.ec2("TerminateInstances", &[("InstanceId.1", machine.value("instancesSet/item/instanceId"))]);
    refused(aws.try_ec2("RunInstances", &launch), "IdempotentInstanceTerminated");
}

pub fn a_token_with_other_parameters_is_refused(aws: &mut Aws) {
    aws.reset();
    let make = |name: &'static str| {
        let parameters = [("LaunchTemplateName", name), ("LaunchTemplateData.ImageId", IMAGE), ("ClientToken", "one")];
        aws.try_ec2("CreateLaunchTemplate", &parameters)
    };
    make("first").unwrap();
    refused(make("second"), "IdempotentParameterMismatch");
    make("first").unwrap();
    // A token is that of one action.
    let parameters = [("AvailabilityZone", "us-east-1a"), ("Size", "1"), ("ClientToken", "one")];
    aws.ec2("CreateVolume", &parameters);
}

pub fn the_token_of_a_call_that_failed_is_free(aws: &mut Aws) {
    aws.reset();
    let vpc = Vpc::new(aws);
    let (subnet, address) = (vpc.subnet(1), address(aws));
    let make = |subnet: &str| {
        aws.try_ec2("CreateNatGateway", &[("SubnetId", subnet), ("AllocationId", &address), ("ClientToken", "one")])
    };
    refused(make("subnet-00000000"), "InvalidSubnetID.NotFound");
    aws.proxy.fail_when(|call| call.action == "CreateNatGateway", Fault::Throttle);
    refused(make(&subnet), "RequestLimitExceeded");
    aws.proxy.no_faults();
    make(&subnet).unwrap();
}

pub fn one_token_from_two_callers_at_once_makes_one_object(aws: &mut Aws) {
    aws.reset();
    let (aws, parameters) = (&*aws, [("AvailabilityZone", "us-east-1a"), ("Size", "1"), ("ClientToken", "one")]);
    let ids: Vec<String> = std::thread::scope(|scope| {
        let make = || aws.ec2("CreateVolume", &parameters).value("volumeId").to_string();
        let callers = [0; 4].map(|_| scope.spawn(make));
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(aws.emulator.inventory().len(), 1);
    let answered = aws.proxy.calls().into_iter().filter(|call| !call.from_token).count();
    assert_eq!(answered, 1);
}
