resource "k8s_hardway_cluster" "main" {
  name               = "demo"
  kubernetes_version = "1.36.3"
  pki                = k8s_pki.main.bundle
  endpoint           = "https://api.demo.internal:6443"
  hosts              = k8s_pki.main.hosts

  network = {
    pod_cidrs     = ["172.18.0.0/16", "fd00:18::/56"]
    service_cidrs = k8s_pki.main.service_cidrs
  }

  api_server = {
    flags = { "max-requests-inflight" = "800" }
  }

  coredns = {
    zones = { "corp.example" = ["10.1.0.53"] }
  }
}
