resource "k8s_pki" "main" {
  cluster_name  = "demo"
  endpoints     = ["api.demo.internal", "192.0.2.100"]
  service_cidrs = ["10.96.0.0/16", "fd00:96::/112"]
  hosts = {
    "cp-1" = { address = "192.0.2.11", secondary_address = "2001:db8::11" }
    "cp-2" = { address = "192.0.2.12", secondary_address = "2001:db8::12" }
    "cp-3" = { address = "192.0.2.13", secondary_address = "2001:db8::13" }
  }

  additional_certificates = {
    "monitoring" = {
      authority   = "cluster-ca"
      common_name = "monitoring"
      usages      = ["client_auth"]
    }
  }
}
