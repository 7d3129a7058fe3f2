//! Pieces of networks that scenarios are made of.

use crate::Aws;

pub const IMAGE: &str = "ami-03cf127a"; // one of those that moto knows after a reset

/// A dual-stack VPC, and how the text of its IPv6 block begins.
pub struct Vpc<'a> {
    aws: &'a Aws,
    pub id: String,
    ipv6: String,
}

impl Vpc<'_> {
    pub fn new(aws: &Aws) -> Vpc<'_> {
        let parameters = [("CidrBlock", "10.0.0.0/16"), ("AmazonProvidedIpv6CidrBlock", "true")];
        let made = aws.ec2("CreateVpc", &parameters);
        let id = made.value("vpc/vpcId").to_string();
        let described = aws.ec2("DescribeVpcs", &[("VpcId.1", &id)]);
        let block = described.value("vpcSet/item/ipv6CidrBlockAssociationSet/item/ipv6CidrBlock");
        let ipv6 = block.strip_suffix("00::/56").unwrap_or_else(|| panic!("{block} is no block of 256 subnets")).to_string();
        Vpc { aws, id, ipv6 }
    }

    pub fn ipv6(&self, number: u8) -> String {
        format!("{}{number:02x}::/64", self.ipv6)
    }

    pub fn subnet(&self, number: u8) -> String {
        let (cidr, ipv6) = (format!("10.0.{number}.0/24"), self.ipv6(number));
        let zone = ["us-east-1a", "us-east-1b"][usize::from(number) % 2];
        let parameters =
            [("VpcId", self.id.as_str()), ("CidrBlock", &cidr), ("Ipv6CidrBlock", &ipv6), ("AvailabilityZone", zone)];
        self.aws.ec2("CreateSubnet", &parameters).value("subnet/subnetId").to_string()
    }

    /// Attached.
    pub fn internet_gateway(&self) -> String {
        let id = self.aws.ec2("CreateInternetGateway", &[]).value("internetGateway/internetGatewayId").to_string();
        self.aws.ec2("AttachInternetGateway", &[("InternetGatewayId", &id), ("VpcId", &self.id)]);
        id
    }

    pub fn security_group(&self, name: &str) -> String {
        let parameters = [("GroupName", name), ("GroupDescription", name), ("VpcId", &self.id)];
        self.aws.ec2("CreateSecurityGroup", &parameters).value("groupId").to_string()
    }

    pub fn route_table(&self) -> String {
        self.aws.ec2("CreateRouteTable", &[("VpcId", &self.id)]).value("routeTable/routeTableId").to_string()
    }

    pub fn endpoint(&self, service: &str, kind: &str, rest: &[(&str, &str)]) -> String {
        let service = format!("com.amazonaws.us-east-1.{service}");
        let parameters = [("VpcId", self.id.as_str()), ("ServiceName", &service), ("VpcEndpointType", kind)];
        self.aws.ec2("CreateVpcEndpoint", &[&parameters, rest].concat()).value("vpcEndpoint/vpcEndpointId").to_string()
    }

    pub fn load_balancer(&self, name: &str, subnet: &str, rest: &[(&str, &str)]) -> String {
        let parameters = [("Name", name), ("Type", "network"), ("Scheme", "internal"), ("Subnets.member.1", subnet)];
        let answer = self.aws.elb("CreateLoadBalancer", &[&parameters, rest].concat());
        answer.value("CreateLoadBalancerResult/LoadBalancers/member/LoadBalancerArn").to_string()
    }
}

pub fn address(aws: &Aws) -> String {
    aws.ec2("AllocateAddress", &[("Domain", "vpc")]).value("allocationId").to_string()
}

pub fn nat_gateway(aws: &Aws, subnet: &str, address: &str) -> String {
    let parameters = [("SubnetId", subnet), ("AllocationId", address)];
    aws.ec2("CreateNatGateway", &parameters).value("natGateway/natGatewayId").to_string()
}

pub fn instance(aws: &Aws, rest: &[(&str, &str)]) -> String {
    let parameters = [("ImageId", IMAGE), ("InstanceType", "t3.micro"), ("MinCount", "1"), ("MaxCount", "1")];
    aws.ec2("RunInstances", &[&parameters, rest].concat()).value("instancesSet/item/instanceId").to_string()
}
