locals {
  # 10.96.0.10
  dns_address = provider::k8s::service_address("10.96.0.0/16", 10)
}
