# A dual-stack network for a cluster on AWS: a VPC over two to four zones with public and private subnets, a NAT gateway per zone and
# an egress-only gateway, a bastion, and an internal load balancer for the API servers. Give your public key, and a hosted zone of
# Route 53 to have names for both:
#
#   terraform apply -var 'public_key=ssh-ed25519 AAAA…' -var 'admin_cidrs=["198.51.100.0/24"]' -var route53_zone_id=Z0123456789ABCDEFGHIJ
#
# Nodes are reached by `ssh -J <ssh_user>@<ssh_host>`. Put the control plane's addresses into `api_servers` once its hosts exist.

terraform {
  required_version = ">= 1.11"
  required_providers {
    k8s = { source = "k8s-hardway/k8s" }
  }
}

provider "k8s" {
  aws = {
    region   = var.region
    endpoint = var.aws_endpoint
  }
}

resource "k8s_vpc" "main" {
  name       = var.name
  cidr       = var.cidr
  ipv6       = { source = "amazon" }
  zones      = var.zones
  zone_count = var.zones == null ? var.zone_count : null
  nat        = { mode = var.nat_mode }

  security_groups = {
    admin_cidrs   = var.admin_cidrs
    network_addon = "calico-vxlan"
  }
}

resource "k8s_bastion" "main" {
  name               = "${var.name}-bastion"
  cluster_name       = var.name
  subnet_id          = k8s_vpc.main.public_subnet_ids[0]
  security_group_ids = [k8s_vpc.main.security_group_ids["bastion"]]
  image              = var.image
  public_key         = var.public_key
  elastic_ip         = true
  ipv6               = true
  dns                = var.route53_zone_id == null ? null : { zone_id = var.route53_zone_id, name = "bastion.${var.domain}" }
}

resource "k8s_lb_nlb" "api" {
  name               = "${var.name}-api"
  cluster_name       = var.name
  vpc_id             = k8s_vpc.main.vpc_id
  ip_address_type    = "dualstack"
  subnet_ids         = k8s_vpc.main.private_subnet_ids
  security_group_ids = [k8s_vpc.main.security_group_ids["load-balancer"]]

  listeners = {
    apiserver = {
      port         = 6443
      target       = { targets = var.api_servers }
      health_check = { protocol = "HTTPS", path = "/readyz", matcher = "200" }
    }
  }

  dns = var.route53_zone_id == null ? null : { zone_id = var.route53_zone_id, name = "api.${var.domain}" }
}
