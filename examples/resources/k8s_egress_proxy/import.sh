# By cluster and name, or by the id of the instance.
terraform import k8s_egress_proxy.main demo/demo-proxy
terraform import k8s_egress_proxy.main i-0123456789abcdef0
