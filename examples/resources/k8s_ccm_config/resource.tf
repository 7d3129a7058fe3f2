# Control-plane hosts that are EC2 instances with an instance profile, in a VPC of this provider.
resource "k8s_ccm_config" "aws" {
  cluster = k8s_hardway_cluster.main.join # cloud_provider = "external"
  pki     = k8s_pki.main.bundle
  hosts   = local.control_plane

  cloud_config = {
    region                  = "us-east-1"
    nlb_security_group_mode = "Managed"
  }
  flags = { v = "3" }
}

# Created after the controller, which initialises the nodes.
resource "k8s_node_group" "nodes" {
  cluster = k8s_ccm_config.aws.join
  hosts   = local.nodes
}
