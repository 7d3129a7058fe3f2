# A highly available, dual-stack Kubernetes cluster on five Linux hosts: two load balancers that share a virtual address, and
# three hosts that are control plane and worker at once.

terraform {
  required_version = ">= 1.11"
  required_providers {
    k8s = { source = "k8s-hardway/k8s" }
  }
}

provider "k8s" {
  ssh           = { user = "root", private_key_file = var.private_key_file, known_hosts_file = var.known_hosts_file }
  mirror        = var.mirror
  progress_file = var.progress_file
}

locals {
  virtual_addresses = [for address in var.virtual_addresses : split("/", address)[0]]
  endpoint          = "https://${local.virtual_addresses[0]}:6443"
}

resource "k8s_pki" "main" {
  cluster_name  = "demo"
  endpoints     = concat(["api.demo.internal"], local.virtual_addresses)
  service_cidrs = ["10.96.0.0/16", "fd00:96::/112"]
  hosts         = var.control_plane
}

resource "k8s_lb_vrrp" "api" {
  hosts             = var.load_balancers
  virtual_addresses = var.virtual_addresses
  listeners = {
    apiserver = {
      port         = 6443
      backends     = [for host in var.control_plane : "${host.address}:6443"]
      health_check = { https_path = "/readyz" }
    }
    http = {
      port     = 80
      backends = [for host in var.control_plane : "${host.address}:30080"]
    }
  }
}

resource "k8s_hardway_cluster" "main" {
  name               = "demo"
  kubernetes_version = "1.36.3"
  pki                = k8s_pki.main.bundle
  endpoint           = local.endpoint
  hosts              = var.control_plane
  api_server         = { flags = var.api_server_flags }
  network = {
    pod_cidrs     = ["172.18.0.0/16", "fd00:18::/56"]
    service_cidrs = k8s_pki.main.service_cidrs
  }
  depends_on = [k8s_lb_vrrp.api]
}

resource "k8s_node_group" "nodes" {
  cluster          = k8s_hardway_cluster.main.join
  hosts            = merge(var.control_plane, var.workers)
  labels           = { "node.example/pool" = "general" }
  registry_mirrors = var.registry_mirrors
  kubelet_config   = var.kubelet_config
}
