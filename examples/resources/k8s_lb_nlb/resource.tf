resource "k8s_lb_nlb" "api" {
  name               = "demo-api"
  cluster_name       = "demo"
  vpc_id             = "vpc-0a1b2c3d4e5f60718"
  ip_address_type    = "dualstack"
  subnet_ids         = ["subnet-0a1b2c3d4e5f60718", "subnet-0a1b2c3d4e5f60719"]
  security_group_ids = ["sg-0a1b2c3d4e5f60718"]

  listeners = {
    apiserver = {
      port         = 6443
      target       = { targets = ["10.0.1.4", "10.0.2.4"] }
      health_check = { protocol = "HTTPS", path = "/readyz", matcher = "200" }
    }
    dns = {
      port     = 53
      protocol = "TCP_UDP"
      target   = { address_family = "ipv6", targets = ["2001:db8:12:3400::35"] }
    }
    web = {
      port   = 443
      target = { type = "instance", port = 30443, autoscaling_group_names = ["demo-nodes"] }
    }
  }

  dns = { zone_id = "Z0123456789ABCDEFGHIJ", name = "api.demo.example.net" }
}
