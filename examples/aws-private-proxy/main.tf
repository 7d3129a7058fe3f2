# A private network for a cluster on AWS: nodes stand in two private subnets without any route to the Internet. AWS itself is reached
# through endpoints (ec2, sts, ecr.api, ecr.dkr and s3), everything else through an egress proxy with an allow list, which stands in a
# public subnet and is also where SSH to nodes and the API servers go through. The output `proxy_environment` is for what runs on nodes
# and has to reach the Internet: units of systemd, package managers, pods. Give your public key:
#
#   terraform apply -var 'public_key=ssh-ed25519 AAAA…' -var 'admin_cidrs=["198.51.100.0/24"]'
#
# DHCP options name a domain: without one, nodes do not join. With `private_zone_id` the proxy has a name that stays when a change of the
# allow list replaces its instance; without, the nodes' environment changes with its address.

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
  zones      = var.zones
  zone_count = var.zones == null ? 2 : null
  nat        = { mode = "none" }

  dhcp_options = {
    domain_name         = var.domain
    domain_name_servers = ["AmazonProvidedDNS"]
  }

  endpoints = {
    interface = ["ec2", "sts", "ecr.api", "ecr.dkr"]
    gateway   = ["s3"]
  }

  security_groups = { admin_cidrs = var.admin_cidrs }
}

resource "k8s_egress_proxy" "main" {
  name               = "${var.name}-proxy"
  cluster_name       = var.name
  subnet_id          = k8s_vpc.main.public_subnet_ids[0]
  security_group_ids = [for role in ["proxy", "bastion"] : k8s_vpc.main.security_group_ids[role]]
  image              = var.image
  public_key         = var.public_key
  elastic_ip         = true
  client_cidrs       = [var.cidr]
  allowed_domains    = var.allowed_domains
  dns                = var.private_zone_id == null ? null : { zone_id = var.private_zone_id, name = "proxy.${var.domain}" }

  no_proxy = {
    service_cidrs = var.service_cidrs
    pod_cidrs     = var.pod_cidrs
    vpc_cidrs     = [var.cidr]
    endpoints     = k8s_vpc.main.endpoint_services
    region        = var.region
    api_endpoint  = k8s_lb_nlb.api.endpoint
  }
}

resource "k8s_lb_nlb" "api" {
  name               = "${var.name}-api"
  cluster_name       = var.name
  vpc_id             = k8s_vpc.main.vpc_id
  subnet_ids         = k8s_vpc.main.private_subnet_ids
  security_group_ids = [k8s_vpc.main.security_group_ids["load-balancer"]]

  listeners = {
    apiserver = {
      port         = 6443
      target       = { targets = var.api_servers }
      health_check = { protocol = "HTTPS", path = "/readyz", matcher = "200" }
    }
  }

  dns = var.private_zone_id == null ? null : { zone_id = var.private_zone_id, name = "api.${var.domain}" }
}
