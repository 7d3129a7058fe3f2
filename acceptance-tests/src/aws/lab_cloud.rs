//! The emulator in the network of the lab, where its hosts are instances. It is asked from there too: nothing of that network is reached from outside.

use super::api::REGION;
use super::xml::{Element, values};
use crate::command::run;
use crate::lab::Lab;
use crate::{eventually, source_folder};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Of the client, which every host reaches.
const ADDRESS: &str = "10.77.0.1";
const PORT: &str = "5000";
/// Longer than any test.
const SECONDS: u32 = 7200;
/// One of the images that the emulator knows.
const IMAGE: &str = "ami-12c6146b";

/// Waits until its standard input ends, and then ends the server.
const KEEPER: &str = r#""$@" >/dev/null 2>&1 & server=$!; cat > /dev/null; kill -9 $server; wait $server 2>/dev/null"#;

pub struct LabCloud {
    pub vpc: String,
    pub subnet: String,
    cluster: String,
    keeper: Child,
}

impl LabCloud {
    /// With a VPC and a subnet, in one zone, of the lab's network.
    pub fn start(lab: &Lab, cluster: &str, zone: &str) -> LabCloud {
        let program = run(Command::new(source_folder().join("lab/aws/build.sh")).stderr(Stdio::inherit())).success().stdout;
        let mut command = lab.command(SECONDS, "sh");
        command.args(["-c", KEEPER, "keeper", program.trim(), "-H", ADDRESS, "-p", PORT]).stdin(Stdio::piped());
        let keeper = command.spawn().unwrap_or_else(|error| panic!("cannot run sh: {error}"));
        let mut cloud = LabCloud { vpc: String::new(), subnet: String::new(), cluster: cluster.to_string(), keeper };
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

impl Drop for LabCloud {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
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
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Version", "2016-11-15").extend_pairs(parameters);
    let scope = format!("Credential=test/20260101/{REGION}/ec2/aws4_request");
    let authorization = format!("Authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0");
    let url = format!("http://{ADDRESS}:{PORT}/");
    let arguments = ["-sS", "--fail-with-body", "--max-time", "20", "-H", &authorization, "--data", &form.finish(), &url];
    let output = run(lab.command(30, "curl").args(arguments));
    let is_xml = Element::parse(&output.stdout).is_ok();
    if output.is_success() && is_xml { Ok(output.stdout) } else { Err(format!("{} {}", output.stdout, output.stderr)) }
}
