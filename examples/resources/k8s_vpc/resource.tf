resource "k8s_vpc" "main" {
  name  = "demo"
  cidr  = "10.0.0.0/16"
  ipv6  = {}
  zones = ["us-east-1a", "us-east-1b", "us-east-1c"]

  # Without it there are the tiers `public` and `private`.
  subnets = {
    public  = { type = "public" }
    private = { type = "private" }
    data    = { type = "isolated", netmask = 26 }
  }

  nat = { mode = "single" }

  endpoints = {
    gateway   = ["s3"]
    interface = ["ec2", "sts", "ecr.api", "ecr.dkr"]
  }

  security_groups = {
    network_addon = "cilium"
    admin_cidrs   = ["192.0.2.0/24", "2001:db8:1::/48"]

    additional_rules = {
      "Prometheus node exporter" = { role = "node", ports = "9100", peer = "node" }
    }
  }

  tags = { team = "infrastructure" }
}

# Known at plan: { "private-1" = "10.0.0.0/20", "private-2" = "10.0.16.0/20", … }
output "subnet_cidrs" {
  value = k8s_vpc.main.subnet_cidrs
}
