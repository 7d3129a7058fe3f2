# Shown by `terraform plan` before anything is there: each is a managed policy of the role that applies.
output "iam_policies" {
  value = provider::k8s::aws_iam_policies(k8s_vpc.main, k8s_bastion.main, k8s_lb_nlb.api)
}
