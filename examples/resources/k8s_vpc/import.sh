# By the name, which the tags of its objects carry, or by the id of the VPC.
terraform import k8s_vpc.main demo
terraform import k8s_vpc.main vpc-0123456789abcdef0
