# Shown by `terraform plan` before anything is there: give it to the role that applies.
output "iam_policy" {
  value = provider::k8s::aws_iam_policy(k8s_vpc.main, k8s_bastion.main, k8s_lb_nlb.api)
}
