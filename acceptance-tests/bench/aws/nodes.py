"""Nodes of a cluster at the emulator: instances as Kubernetes has them, which nothing under test has made."""

CLUSTER = "demo"
IMAGE = "ami-03cf127a"  # one of those that the emulator knows after a reset
TAGS = {"Name": f"{CLUSTER}-node", f"kubernetes.io/cluster/{CLUSTER}": "owned"}


def run(proxy, count):
    """Adds as many, spread over the private subnets, with the security group of nodes."""
    subnets = ids(proxy, "DescribeSubnets", "subnetSet/item/subnetId", "tag:kubernetes.io/role/internal-elb", "1")
    (group,) = ids(proxy, "DescribeSecurityGroups", "securityGroupInfo/item/groupId", "group-name", f"{CLUSTER}-node")
    for number, subnet in enumerate(subnets):
        share = (count + len(subnets) - 1 - number) // len(subnets)
        if share:
            proxy.ec2("RunInstances", launch(subnet, group, share))


def launch(subnet, group, count):
    parameters = {"ImageId": IMAGE, "InstanceType": "t3.large", "MinCount": count, "MaxCount": count,
                  "NetworkInterface.1.DeviceIndex": 0, "NetworkInterface.1.SubnetId": subnet,
                  "NetworkInterface.1.SecurityGroupId.1": group}
    for number, kind in enumerate(["instance", "volume", "network-interface"], 1):
        parameters[f"TagSpecification.{number}.ResourceType"] = kind
        for tag, (key, value) in enumerate(TAGS.items(), 1):
            parameters |= {f"TagSpecification.{number}.Tag.{tag}.Key": key, f"TagSpecification.{number}.Tag.{tag}.Value": value}
    return parameters


def terminate(proxy):
    found = ids(proxy, "DescribeInstances", "reservationSet/item/instancesSet/item/instanceId", "tag:Name", TAGS["Name"])
    proxy.ec2("TerminateInstances", {f"InstanceId.{number}": one for number, one in enumerate(found, 1)})


def ids(proxy, action, path, key, value):
    """Of what a filter finds."""
    answer = proxy.ec2(action, {"Filter.1.Name": key, "Filter.1.Value.1": value})
    return [one.text for one in answer.iterfind("/".join(f"{{*}}{name}" for name in path.split("/")))]
