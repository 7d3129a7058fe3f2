//! What stands in a network that is to be destroyed and belongs to others.

use super::Examples;
use acceptance_tests::assert_same;
use acceptance_tests::aws::Account;

const NETWORK: &str = "resource \"k8s_vpc\" \"main\" {";

/// With one more line in the block of the network.
fn with_line(account: &Account, line: &str, run: impl FnOnce()) {
    let text = account.workspace.read("main.tf");
    account.workspace.write("main.tf", &text.replace(NETWORK, &format!("{NETWORK}\n  {line}")));
    run();
    account.workspace.write("main.tf", &text);
}

pub fn what_kubernetes_made_blocks_a_destroy_by_name_or_goes_with_it(Examples(accounts): &mut Examples) {
    let account = &accounts[1];
    account.apply();
    let vpc = account.workspace.attribute("k8s_vpc.main", "vpc_id");
    let group = [
        ("Action", "CreateSecurityGroup"),
        ("GroupName", "k8s-elb-a1b2"),
        ("GroupDescription", "made by a service"),
        ("VpcId", vpc.as_str().unwrap()),
        ("TagSpecification.1.ResourceType", "security-group"),
        ("TagSpecification.1.Tag.1.Key", "kubernetes.io/cluster/demo"),
        ("TagSpecification.1.Tag.1.Value", "owned"),
    ];
    account.emulator.call("ec2", &group);
    let refused = account.workspace.try_destroy(None);
    assert!(!refused.is_success() && refused.stderr.contains("k8s-elb-a1b2"), "{}", refused.stderr);
    with_line(account, "destroy_leftovers = true", || {
        account.apply();
        account.destroy();
    });
    assert_same(&account.inventory(), &[]);
}

/// Each is made by one call in the network, and unmade by another.
pub fn what_belongs_to_others_stops_a_destroy_while_all_is_there(Examples(accounts): &mut Examples) {
    let account = &accounts[1];
    account.apply();
    let api = account.proxy.api;
    let vpc = account.workspace.attribute("k8s_vpc.main", "vpc_id").as_str().unwrap().to_owned();
    let subnet = account.workspace.attribute("k8s_vpc.main", "subnet_ids")["private-1"].as_str().unwrap().to_owned();
    let make = |action: &str, parameters: &[(&str, &str)], path: &str| -> String {
        let answer = api.ask("ec2", &[&[("Action", action)], parameters].concat());
        let answer = answer.unwrap_or_else(|failure| panic!("{action}: {failure:?}"));
        answer.values(path).first().unwrap_or_else(|| panic!("{action}: no {path}")).to_string()
    };
    let interface = make(
        "CreateNetworkInterface",
        &[("SubnetId", &subnet), ("Description", "EFS mount target")],
        "networkInterface/networkInterfaceId",
    );
    let launch =
        [("ImageId", "ami-03cf127a"), ("InstanceType", "t3.micro"), ("MinCount", "1"), ("MaxCount", "1"), ("SubnetId", &subnet)];
    let instance = make("RunInstances", &launch, "instancesSet/item/instanceId");
    let other = make("CreateVpc", &[("CidrBlock", "10.99.0.0/16")], "vpc/vpcId");
    let peering = make(
        "CreateVpcPeeringConnection",
        &[("VpcId", &vpc), ("PeerVpcId", &other)],
        "vpcPeeringConnection/vpcPeeringConnectionId",
    );
    let gateway = make("CreateVpnGateway", &[("Type", "ipsec.1")], "vpnGateway/vpnGatewayId");
    make("AttachVpnGateway", &[("VpnGatewayId", &gateway), ("VpcId", &vpc)], "attachment/vpcId");
    let transit = make("CreateTransitGateway", &[], "transitGateway/transitGatewayId");
    let attach = [("TransitGatewayId", transit.as_str()), ("VpcId", &vpc), ("SubnetIds.1", &subnet)];
    let attachment = make("CreateTransitGatewayVpcAttachment", &attach, "transitGatewayVpcAttachment/transitGatewayAttachmentId");
    let endpoint = [
        ("VpcId", vpc.as_str()),
        ("ServiceName", "com.amazonaws.us-east-1.sqs"),
        ("VpcEndpointType", "Interface"),
        ("SubnetId.1", &subnet),
    ];
    let endpoint = make("CreateVpcEndpoint", &endpoint, "vpcEndpoint/vpcEndpointId");

    account.proxy.clear_log();
    let refused = account.workspace.try_destroy(None);
    let named = [&interface, &instance, &peering, &gateway, &attachment, &endpoint];
    let missing: Vec<_> = named.into_iter().filter(|id| !refused.stderr.contains(id.as_str())).collect();
    assert!(!refused.is_success() && missing.is_empty(), "not named: {missing:?}\n{}", refused.stderr);
    assert!(refused.stderr.contains("EFS mount target"), "{}", refused.stderr);
    let deleted: Vec<String> = account.proxy.mutating_calls().into_iter().map(|call| call.action).collect();
    let of_network = ["DeleteNatGateway", "DeleteRouteTable", "DeleteSubnet", "DeleteVpcEndpoints", "DetachInternetGateway"];
    assert!(!deleted.iter().any(|action| of_network.contains(&action.as_str())), "{deleted:?}");

    let unmake = |action: &str, parameters: &[(&str, &str)]| api.call("ec2", &[&[("Action", action)], parameters].concat());
    unmake("DeleteVpcEndpoints", &[("VpcEndpointId.1", &endpoint)]);
    unmake("DeleteTransitGatewayVpcAttachment", &[("TransitGatewayAttachmentId", &attachment)]);
    unmake("DeleteTransitGateway", &[("TransitGatewayId", &transit)]);
    unmake("DetachVpnGateway", &[("VpnGatewayId", &gateway), ("VpcId", &vpc)]);
    unmake("DeleteVpnGateway", &[("VpnGatewayId", &gateway)]);
    unmake("DeleteVpcPeeringConnection", &[("VpcPeeringConnectionId", &peering)]);
    unmake("DeleteVpc", &[("VpcId", &other)]);
    unmake("TerminateInstances", &[("InstanceId.1", &instance)]);
    unmake("DeleteNetworkInterface", &[("NetworkInterfaceId", &interface)]);
    account.destroy();
    assert_same(&account.inventory(), &[]);
}

pub fn volumes_of_the_cluster_s_name_stay_unless_the_user_says_otherwise(Examples(accounts): &mut Examples) {
    let account = &accounts[1];
    let volume = |zone: &str| {
        let parameters = [
            ("Action", "CreateVolume"),
            ("AvailabilityZone", zone),
            ("Size", "1"),
            ("TagSpecification.1.ResourceType", "volume"),
            ("TagSpecification.1.Tag.1.Key", "kubernetes.io/cluster/demo"),
            ("TagSpecification.1.Tag.1.Value", "owned"),
        ];
        account.emulator.api.ask("ec2", &parameters).unwrap().value("volumeId").to_owned()
    };
    let there = || {
        let all = account.emulator.api.list("ec2", "DescribeVolumes", "volumeSet/item");
        all.iter().map(|one| one.value("volumeId").to_owned()).collect::<Vec<_>>()
    };
    account.apply();
    let id = volume("us-east-1a");
    let destroyed = account.destroy();
    assert!(destroyed.stdout.contains(&id), "{}", destroyed.stdout);
    assert_eq!(there(), [id.as_str()]);

    with_line(account, "destroy_volumes = true", || {
        account.apply();
        account.destroy();
    });
    assert_eq!(there(), Vec::<String>::new());
    assert_same(&account.inventory(), &[]);
}
