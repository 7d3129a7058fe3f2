# By the name or the ARN of the load balancer; with alias records also their hosted zone and name.
terraform import k8s_lb_nlb.api demo-api
terraform import k8s_lb_nlb.api demo-api,Z0123456789ABCDEFGHIJ,api.demo.example.net
