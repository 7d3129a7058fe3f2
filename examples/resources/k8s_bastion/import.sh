# By cluster and name, or by the id of the instance.
terraform import k8s_bastion.main demo/demo-bastion
terraform import k8s_bastion.main i-0123456789abcdef0
