# 333 keys with their certificates in one resource: those of a cluster, and as many of the user's own.

terraform {
  required_providers {
    k8s = { source = "k8s-hardway/k8s" }
  }
}

resource "k8s_pki" "main" {
  cluster_name  = "bench"
  endpoints     = ["192.0.2.100"]
  service_cidrs = ["10.96.0.0/16", "fd00:96::/112"]
  hosts         = { for number in range(1, 4) : "cp-${number}" => { address = "192.0.2.${number}" } }
  additional_certificates = {
    for number in range(304) : "user-${number}" => {
      authority   = "cluster-ca"
      common_name = "user-${number}"
      usages      = ["client_auth"]
    }
  }
}

output "certificates" {
  value = length(k8s_pki.main.certificates)
}
