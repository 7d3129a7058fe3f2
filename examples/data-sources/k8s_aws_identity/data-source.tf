data "k8s_aws_identity" "me" {}

output "account" {
  value = "${data.k8s_aws_identity.me.account_id} in ${data.k8s_aws_identity.me.region}"
}
