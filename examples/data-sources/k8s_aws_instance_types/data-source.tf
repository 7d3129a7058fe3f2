data "k8s_aws_instance_types" "nodes" {
  names = ["m7g.large", "t4g.small"]
}

output "zones_with_both" {
  value = data.k8s_aws_instance_types.nodes.zones
}

output "addresses_of_a_node" {
  value = data.k8s_aws_instance_types.nodes.types["m7g.large"].ipv4_addresses_per_interface
}
