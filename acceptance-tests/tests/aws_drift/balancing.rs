//! Load balancers with their target groups and listeners.

use crate::row::{Row, row};

pub fn rows() -> Vec<Row> {
    vec![
        row(
            "load balancer: zones are kept apart",
            |aws| {
                aws.elb(
                    "ModifyLoadBalancerAttributes LoadBalancerArn=@load_balancer/demo-api \
                     Attributes.member.1.Key=load_balancing.cross_zone.enabled Attributes.member.1.Value=false",
                );
            },
            "load_balancer/demo-api",
            "cross_zone is false, should be true",
            &["ModifyLoadBalancerAttributes"],
        ),
        row(
            "load balancer: it is in another security group",
            |aws| {
                aws.elb("SetSecurityGroups LoadBalancerArn=@load_balancer/demo-api SecurityGroups.member.1=@security_group/node");
            },
            "load_balancer/demo-api",
            "security_group sg-… is missing",
            &["SetSecurityGroups"],
        )
        .also("load_balancer/demo-api", "security_group sg-… is not declared"),
        row(
            "load balancer: it speaks IPv4 alone",
            |aws| _ = aws.elb("SetIpAddressType LoadBalancerArn=@load_balancer/demo-api IpAddressType=ipv4"),
            "load_balancer/demo-api",
            "ip_address_type is ipv4, should be dualstack",
            &["SetIpAddressType"],
        ),
        row(
            "listener: another port",
            |aws| _ = aws.elb("ModifyListener ListenerArn=@listener/apiserver Port=443"),
            "listener/apiserver",
            "port is 443, should be 6443",
            &["ModifyListener"],
        ),
        row(
            "target group: another path of the health check",
            |aws| _ = aws.elb("ModifyTargetGroup TargetGroupArn=@target_group/apiserver HealthCheckPath=/livez"),
            "target_group/apiserver",
            "health_check_path is /livez, should be /readyz",
            &["ModifyTargetGroup"],
        ),
        row(
            "target group: another delay",
            |aws| {
                aws.elb(
                    "ModifyTargetGroupAttributes TargetGroupArn=@target_group/apiserver \
                     Attributes.member.1.Key=deregistration_delay.timeout_seconds Attributes.member.1.Value=0",
                );
            },
            "target_group/apiserver",
            "deregistration_delay_seconds is 0, should be 300",
            &["ModifyTargetGroupAttributes"],
        ),
        row(
            "target group: an API server is taken out",
            |aws| {
                aws.elb(
                    "DeregisterTargets TargetGroupArn=@target_group/apiserver Targets.member.1.Id=10.0.0.11 \
                     Targets.member.1.Port=6443",
                );
            },
            "target_group/apiserver",
            "target 10.0.0.11 is missing, should be 6443",
            &["RegisterTargets"],
        ),
        row(
            "target group: a foreign target",
            |aws| {
                aws.elb(
                    "RegisterTargets TargetGroupArn=@target_group/apiserver Targets.member.1.Id=10.0.0.99 Targets.member.1.Port=22",
                );
            },
            "target_group/apiserver",
            "target 10.0.0.99 (22) is not declared",
            &["DeregisterTargets"],
        ),
    ]
}

/// One target group in front of an Auto Scaling group.
pub fn rows_of_groups() -> Vec<Row> {
    vec![
        row(
            "target group: its Auto Scaling group is detached",
            |aws| {
                aws.autoscaling(
                    "DetachLoadBalancerTargetGroups AutoScalingGroupName=demo-nodes TargetGroupARNs.member.1=@target_group/web",
                );
            },
            "target_group/web",
            "autoscaling_group demo-nodes is missing",
            &["AttachLoadBalancerTargetGroups"],
        ),
        row(
            "target group: another Auto Scaling group is attached",
            |aws| {
                aws.autoscaling(
                    "AttachLoadBalancerTargetGroups AutoScalingGroupName=foreign TargetGroupARNs.member.1=@target_group/web",
                );
            },
            "target_group/web",
            "autoscaling_group foreign is not declared",
            &["DetachLoadBalancerTargetGroups"],
        ),
        row(
            "target group: an instance that is not of its Auto Scaling group",
            |aws| {
                aws.elb(
                    "RegisterTargets TargetGroupArn=@target_group/web Targets.member.1.Id=@instance/demo-proxy \
                     Targets.member.1.Port=30443",
                );
            },
            "target_group/web",
            "target i-… (30443) is not declared",
            &["DeregisterTargets"],
        ),
    ]
}

pub fn further_rows() -> Vec<Row> {
    const FOREIGN: &str = "CreateTargetGroup Name=foreign Protocol=TCP Port=22 TargetType=ip VpcId=@vpc/main";
    vec![
        row(
            "load balancer: it is protected",
            |aws| {
                aws.elb(
                    "ModifyLoadBalancerAttributes LoadBalancerArn=@load_balancer/demo-api \
                     Attributes.member.1.Key=deletion_protection.enabled Attributes.member.1.Value=true",
                );
            },
            "load_balancer/demo-api",
            "deletion_protection is true, should be false",
            &["ModifyLoadBalancerAttributes"],
        ),
        row(
            "load balancer: one group more",
            |aws| {
                aws.elb(
                    "SetSecurityGroups LoadBalancerArn=@load_balancer/demo-api \
                     SecurityGroups.member.1=@security_group/load-balancer SecurityGroups.member.2=@security_group/node",
                );
            },
            "load_balancer/demo-api",
            "security_group sg-… is not declared",
            &["SetSecurityGroups"],
        ),
        row(
            "load balancer: it stands in a public subnet",
            |aws| {
                aws.elb(
                    "SetSubnets LoadBalancerArn=@load_balancer/demo-api Subnets.member.1=@subnet/private-1 \
                     Subnets.member.2=@subnet/public-2",
                );
            },
            "load_balancer/demo-api",
            "subnet subnet-… is missing",
            &["SetSubnets"],
        )
        .also("load_balancer/demo-api", "subnet subnet-… is not declared"),
        row(
            "listener: it leads to somebody else's target group",
            |aws| {
                aws.elb(FOREIGN);
                let group = aws.target_group("foreign");
                aws.elb(&format!(
                    "ModifyListener ListenerArn=@listener/apiserver DefaultActions.member.1.Type=forward \
                     DefaultActions.member.1.TargetGroupArn={group}"
                ));
            },
            "listener/apiserver",
            "target_group is arn:…, should be @target_group/apiserver",
            &["ModifyListener"],
        )
        .clear(|aws| _ = aws.elb(&format!("DeleteTargetGroup TargetGroupArn={}", aws.target_group("foreign")))),
        row(
            "target group: another code is healthy",
            |aws| _ = aws.elb("ModifyTargetGroup TargetGroupArn=@target_group/apiserver Matcher.HttpCode=200-499"),
            "target_group/apiserver",
            "health_check_matcher is 200-499, should be 200",
            &["ModifyTargetGroup"],
        ),
        row(
            "target group: an API server listens on another port",
            |aws| {
                aws.elb(
                    "DeregisterTargets TargetGroupArn=@target_group/apiserver Targets.member.1.Id=192.168.0.11 \
                     Targets.member.1.Port=6443",
                );
                aws.elb(
                    "RegisterTargets TargetGroupArn=@target_group/apiserver Targets.member.1.Id=192.168.0.11 \
                     Targets.member.1.Port=8443",
                );
            },
            "target_group/apiserver",
            "target 192.168.0.11 is 8443, should be 6443",
            &["DeregisterTargets", "RegisterTargets"],
        ),
        row(
            "target group: clients' addresses are kept",
            |aws| {
                aws.elb(
                    "ModifyTargetGroupAttributes TargetGroupArn=@target_group/apiserver \
                     Attributes.member.1.Key=preserve_client_ip.enabled Attributes.member.1.Value=true",
                );
            },
            "target_group/apiserver",
            "preserve_client_ip is true, should be false",
            &["ModifyTargetGroupAttributes"],
        ),
    ]
}
