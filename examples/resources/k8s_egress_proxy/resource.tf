resource "k8s_egress_proxy" "main" {
  name            = "demo-proxy"
  cluster_name    = "demo"
  subnet_id       = k8s_vpc.main.public_subnet_ids[0]
  vpc_id          = k8s_vpc.main.vpc_id
  ssh_cidrs       = ["198.51.100.0/24"]
  image           = "debian-12"
  public_key      = file("~/.ssh/id_ed25519.pub")
  elastic_ip      = true
  client_cidrs    = ["10.0.0.0/16"]
  allowed_domains = ["registry.k8s.io", ".pkg.dev", "dl.k8s.io"]

  # The private address under a name that is kept when the instance is replaced.
  dns = { zone_id = "Z0123456789ABCDEFGHIJ", name = "proxy.demo.internal" }

  no_proxy = {
    service_cidrs = ["10.96.0.0/16"]
    pod_cidrs     = ["172.18.0.0/16"]
    vpc_cidrs     = ["10.0.0.0/16"]
    endpoints     = k8s_vpc.main.endpoint_services
    region        = k8s_vpc.main.region
    api_endpoint  = "https://api.demo.internal:6443"
  }
}
