resource "k8s_bastion" "main" {
  name               = "demo-bastion"
  cluster_name       = "demo"
  subnet_id          = k8s_vpc.main.public_subnet_ids[0]
  security_group_ids = [k8s_vpc.main.security_group_ids["bastion"]]
  image              = "debian-12"
  public_key         = file("~/.ssh/id_ed25519.pub")
  elastic_ip         = true
  ipv6               = true
  dns                = { zone_id = "Z0123456789ABCDEFGHIJ", name = "bastion.demo.example.net" }
}
