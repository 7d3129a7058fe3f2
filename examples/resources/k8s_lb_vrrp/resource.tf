resource "k8s_lb_vrrp" "api" {
  virtual_addresses = ["192.0.2.100/24", "2001:db8::100/64"]
  hosts = {
    "lb-1" = { address = "192.0.2.2", secondary_address = "2001:db8::2" }
    "lb-2" = { address = "192.0.2.3", secondary_address = "2001:db8::3" }
  }

  listeners = {
    apiserver = {
      port         = 6443
      backends     = ["192.0.2.11:6443", "192.0.2.12:6443", "192.0.2.13:6443"]
      health_check = { https_path = "/readyz" }
    }
  }
}
