# The network of examples/aws-dual-stack alone: an IPv6 block of Amazon, public and private subnets in each zone, a NAT gateway per
# zone, an egress-only gateway, the security groups of all roles.

terraform {
  required_version = ">= 1.11"
  required_providers {
    k8s = { source = "k8s-hardway/k8s" }
  }
}

variable "zones" {
  type = set(string)
}

provider "k8s" {
  aws = { region = "us-east-1" }
}

resource "k8s_vpc" "main" {
  name  = "demo"
  cidr  = "10.0.0.0/16"
  ipv6  = { source = "amazon" }
  zones = var.zones
  nat   = { mode = "per_zone" }

  security_groups = {
    admin_cidrs   = ["198.51.100.0/24", "2001:db8:77::/48"]
    network_addon = "calico-vxlan"
  }
}
