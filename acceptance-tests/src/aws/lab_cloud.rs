//! The emulator in the network of the lab, where its hosts are instances. It is asked from there too: nothing of that network is reached from outside.

use super::api::{authorization, form};
use super::emulator::Server;
use super::xml::{Element, values};
use crate::command::run;
use crate::lab::Lab;
use crate::{eventually, lab};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

/// Of the client, which every host reaches.
const ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, 1), 5000));
/// Longer than any test.
const SECONDS: u32 = 7200;
/// One of the images that the emulator knows.
const IMAGE: &str = "ami-12c6146b";

pub struct LabCloud {
    pub vpc: String,
    pub subnet: String,
    cluster: String,
    _server: Server,
}

impl LabCloud {
    /// With a VPC and a subnet, in one zone, of the lab's network.
    pub fn start(lab: &Lab, cluster: &str, zone: &str) -> LabCloud {
        let server = Server::start(lab.command(SECONDS, "sh"), &ADDRESS, &lab::folder().join("aws-emulator.log"));
        let mut cloud = LabCloud { vpc: String::new(), subnet: String::new(), cluster: cluster.to_string(), _server: server };
        eventually("the emulator answers in the lab", Duration::from_secs(60), || ask(lab, &[("Action", "DescribeVpcs")]).ok());
        cloud.vpc = one(&call(lab, &[("Action", "CreateVpc"), ("CidrBlock", "10.77.0.0/24")]), "vpcId");
        let subnet =
            [("Action", "CreateSubnet"), ("VpcId", &cloud.vpc), ("CidrBlock", "10.77.0.0/24"), ("AvailabilityZone", zone)];
        cloud.subnet = one(&call(lab, &subnet), "subnetId");
        cloud
    }

    /// An instance with these addresses, the IPv4 one first, and the tag of the cluster. Its id.
    pub fn run_instance(&self, lab: &Lab, [primary, secondary]: &[String; 2]) -> String {
        let tag = format!("kubernetes.io/cluster/{}", self.cluster);
        let answer = call(
            lab,
            &[
                ("Action", "RunInstances"),
                ("ImageId", IMAGE),
                ("InstanceType", "m5.large"),
                ("MinCount", "1"),
                ("MaxCount", "1"),
                ("SubnetId", &self.subnet),
                ("PrivateIpAddress", primary),
                ("TagSpecification.1.ResourceType", "instance"),
                ("TagSpecification.1.Tag.1.Key", &tag),
                ("TagSpecification.1.Tag.1.Value", "owned"),
            ],
        );
        let interface = one(&answer, "networkInterfaceId");
        let assign =
            [("Action", "AssignIpv6Addresses"), ("NetworkInterfaceId", &interface), ("Ipv6Addresses.1", secondary.as_str())];
        call(lab, &assign);
        one(&answer, "instanceId")
    }

    pub fn terminate(&self, lab: &Lab, id: &str) {
        call(lab, &[("Action", "TerminateInstances"), ("InstanceId.1", id)]);
    }
}

/// The first element of this name.
#[track_caller]
fn one(answer: &str, name: &str) -> String {
    values(answer, name).into_iter().next().unwrap_or_else(|| panic!("there is no {name} in:\n{answer}"))
}

#[track_caller]
fn call(lab: &Lab, parameters: &[(&str, &str)]) -> String {
    ask(lab, parameters).unwrap_or_else(|error| panic!("{parameters:?}: {error}"))
}

fn ask(lab: &Lab, parameters: &[(&str, &str)]) -> Result<String, String> {
    let (name, value) = authorization("ec2");
    let (authorization, url) = (format!("{name}: {value}"), format!("http://{ADDRESS}/"));
    let body = form("ec2", parameters);
    let arguments = ["-sS", "--fail-with-body", "--max-time", "20", "-H", &authorization, "--data", &body, &url];
    let output = run(lab.command(30, "curl").args(arguments));
    let is_xml = Element::parse(&output.stdout).is_ok();
    if output.is_success() && is_xml { Ok(output.stdout) } else { Err(format!("{} {}", output.stdout, output.stderr)) }
}
