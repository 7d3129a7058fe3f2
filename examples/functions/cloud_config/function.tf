# The AWS cloud controller manager of a dual-stack cluster whose IPv6 addresses come first.
output "cloud_conf" {
  value = provider::k8s::cloud_config("1.36.3", {
    region                  = "us-east-1"
    cluster_id              = "demo"
    node_ip_families        = ["ipv6", "ipv4"]
    nlb_security_group_mode = "Managed"
  })
}
