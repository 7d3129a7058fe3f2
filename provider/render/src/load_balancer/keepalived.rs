//! keepalived 2.2: unicast VRRP version 3 between the hosts. No host preempts another; the address moves when its host or its nginx
//! is gone, and moves back only for the same reason.

use super::{config_folder, config_path, elsewhere, in_own_folder, run_folder};
use crate::component::VIRTUAL_ADDRESSES;
use crate::{LoadBalancerSpec, RenderError};
use bundle::{Bundle, Check, File, HostName, OnChange, Unit};
use ipnet::IpNet;
use std::net::IpAddr;

pub(super) fn render(spec: &LoadBalancerSpec, host: &HostName) -> Result<Bundle, RenderError> {
    let mut bundle = Bundle::default();
    let instances = instances(spec, host)?;
    let config = config_path(spec, "keepalived.conf")?;
    let check = config_path(spec, "check-nginx")?;
    let release = config_path(spec, "release-addresses")?;
    bundle.files.insert(config.clone(), File::public(render_config(spec, host, &instances)));
    bundle.files.insert(check.clone(), File::executable(include_str!("check-nginx.sh")));
    bundle.files.insert(release.clone(), File::executable(include_str!("release-addresses.sh")));
    let mut reads = vec![config, check, release];
    if spec.interface.is_none() {
        let find = config_path(spec, "find-interface")?;
        bundle.files.insert(find.clone(), File::executable(include_str!("find-interface.sh")));
        reads.push(find);
    }
    bundle.packages.extend([("keepalived".into(), "keepalived".into()), ("ip".into(), "iproute2".into())]);
    bundle.add_unit(
        VIRTUAL_ADDRESSES.unit_of(&spec.name)?,
        render_unit(spec, &instances),
        Unit { check: Some(settings_check(spec, &instances)), ..VIRTUAL_ADDRESSES.describe(reads, OnChange::Reload) },
    );
    bundle.clean_up("virtual-addresses", render_cleanup(spec));
    bundle.needs.receives.insert("VRRP (IP protocol 112)".into());
    bundle.needs.speaks_vrrp = true;
    Ok(bundle)
}

/// The command by which a host asks its link who has these virtual addresses; see the script.
pub(super) fn render_question(spec: &LoadBalancerSpec, host: &HostName, asked: &[IpNet]) -> Result<String, RenderError> {
    let mut pairs = String::new();
    for instance in instances(spec, host)? {
        let carried = instance.addresses.iter().chain(&instance.excluded).filter(|net| asked.contains(net));
        carried.for_each(|net| pairs.push_str(&format!(" {}={}", net.addr(), instance.source)));
    }
    let interface = spec.interface.as_deref().unwrap_or_default();
    Ok(format!("set -- '{interface}'{pairs}\n{}", include_str!("who-answers.sh")))
}

/// Keywords, values, and that the interface is there.
fn settings_check(spec: &LoadBalancerSpec, instances: &[Instance]) -> Check {
    let find = match spec.interface {
        None => format!("{} && ", find_interface(spec, instances, "\"$run\"")),
        Some(_) => String::new(),
    };
    let commands = format!(
        "{find}{} && /usr/sbin/keepalived --config-test --use-file=\"$run/keepalived.conf\"",
        elsewhere(spec, "keepalived.conf")
    );
    Check { command: in_own_folder(&commands), got_past: None }
}

/// Writes `interface.conf` into the folder.
fn find_interface(spec: &LoadBalancerSpec, instances: &[Instance], run: &str) -> String {
    let pairs: String = instances.iter().map(|i| format!(" {}={}", i.family, i.source)).collect();
    format!("{}/find-interface {run}/interface.conf{pairs}", config_folder(spec))
}

/// A VRRP instance speaks one family: a packet of version 3 carries addresses of the family that it travels in.
struct Instance {
    /// `IPV4`, as the definitions of `find-interface` name it.
    family: &'static str,
    source: IpAddr,
    peers: Vec<IpAddr>,
    addresses: Vec<IpNet>,
    /// Virtual addresses of the family in which not every host has an address; they move along without being advertised.
    excluded: Vec<IpNet>,
}

impl Instance {
    fn interface(&self, spec: &LoadBalancerSpec) -> String {
        spec.interface.clone().unwrap_or_else(|| format!("$INTERFACE_{}", self.family))
    }
}

/// One per family in which there is a virtual address and every host has an address. A virtual address of the other family goes
/// along with it.
fn instances(spec: &LoadBalancerSpec, host: &HostName) -> Result<Vec<Instance>, RenderError> {
    let mut instances: Vec<Instance> = [false, true].into_iter().filter_map(|ipv6| instance(spec, host, ipv6)).collect();
    let carried: Vec<IpNet> = instances.iter().flat_map(|instance| instance.addresses.clone()).collect();
    let Some(first) = instances.first_mut() else {
        let ipv6 = spec.virtual_addresses.first().is_some_and(|net| net.addr().is_ipv6());
        return Err(RenderError::NoCommonFamily {
            name: spec.name.clone(),
            hosts: spec.hosts.keys().map(HostName::as_str).collect::<Vec<_>>().join(", "),
            family: if ipv6 { "IPv6" } else { "IPv4" },
        });
    };
    first.excluded = spec.virtual_addresses.iter().filter(|net| !carried.contains(net)).copied().collect();
    Ok(instances)
}

fn instance(spec: &LoadBalancerSpec, host: &HostName, ipv6: bool) -> Option<Instance> {
    let of_family = |name: &HostName| spec.hosts.get(name)?.addresses().into_iter().find(|address| address.is_ipv6() == ipv6);
    let addresses: Vec<IpNet> = spec.virtual_addresses.iter().filter(|net| net.addr().is_ipv6() == ipv6).copied().collect();
    (!addresses.is_empty()).then_some(())?;
    Some(Instance {
        family: if ipv6 { "IPV6" } else { "IPV4" },
        source: of_family(host)?,
        peers: spec.hosts.keys().filter(|name| *name != host).map(of_family).collect::<Option<_>>()?,
        addresses,
        excluded: vec![],
    })
}

fn render_config(spec: &LoadBalancerSpec, host: &HostName, instances: &[Instance]) -> String {
    let (name, config, run) = (&spec.name, config_folder(spec), run_folder(spec));
    let include = match spec.interface {
        None => format!("include {run}/interface.conf\n\n"),
        Some(_) => String::new(),
    };
    let group = match instances.len() {
        0 | 1 => String::new(),
        _ => {
            let members: String = instances.iter().map(|i| format!("        {}\n", instance_name(spec, i))).collect();
            format!("\nvrrp_sync_group {name} {{\n    group {{\n{members}    }}\n}}\n")
        }
    };
    let priority = priority(spec, host);
    let blocks: String = instances.iter().map(|instance| render_instance(spec, instance, priority)).collect();
    format!(
        "\
{include}global_defs {{
    router_id {host}
    vrrp_version 3
    vrrp_priority -20
    enable_script_security
    script_user root
}}

vrrp_script nginx {{
    script \"{config}/check-nginx {run}/nginx.pid\"
    interval 1
    timeout 3
    fall 1
    rise 1
    init_fail
}}
{blocks}{group}"
    )
}

fn instance_name(spec: &LoadBalancerSpec, instance: &Instance) -> String {
    format!("{}_{}", spec.name, instance.family.to_lowercase())
}

fn render_instance(spec: &LoadBalancerSpec, instance: &Instance, priority: u8) -> String {
    let interval = spec.advertisement_interval_centiseconds;
    let block = |keyword: &str, lines: Vec<String>| match lines.is_empty() {
        true => String::new(),
        false => format!("    {keyword} {{\n{}    }}\n", lines.iter().map(|l| format!("        {l}\n")).collect::<String>()),
    };
    // A host without peers has nobody to send unicast to.
    let unicast = match instance.peers.is_empty() {
        true => String::new(),
        false => format!(
            "    check_unicast_src\n    unicast_src_ip {}\n    track_src_ip\n{}",
            instance.source,
            block("unicast_peer", instance.peers.iter().map(ToString::to_string).collect())
        ),
    };
    format!(
        "
vrrp_instance {name} {{
    state BACKUP
    nopreempt
    interface {interface}
    virtual_router_id {router}
    priority {priority}
    advert_int {seconds}.{hundredths:02}
    garp_master_delay 1
    garp_master_refresh 5
    garp_lower_prio_delay 1
{unicast}{addresses}{excluded}    track_script {{
        nginx
    }}
}}
",
        name = instance_name(spec, instance),
        interface = instance.interface(spec),
        router = spec.virtual_router_id,
        seconds = interval / 100,
        hundredths = interval % 100,
        addresses = block("virtual_ipaddress", instance.addresses.iter().map(virtual_address).collect()),
        excluded = block("virtual_ipaddress_excluded", instance.excluded.iter().map(virtual_address).collect()),
    )
}

/// A deprecated IPv6 address (`preferred_lft 0`) serves, but this host's own connections do not start from it: they would break when it moves.
fn virtual_address(net: &IpNet) -> String {
    match net {
        IpNet::V4(net) => net.to_string(),
        IpNet::V6(net) => format!("{net} preferred_lft 0"),
    }
}

/// Distinct by order of name, and far enough apart that the delays which VRRP derives from them do not collide.
fn priority(spec: &LoadBalancerSpec, host: &HostName) -> u8 {
    let position = spec.hosts.keys().position(|name| name == host).unwrap_or(0);
    let step = (250 / spec.hosts.len().max(1)).clamp(1, 10);
    u8::try_from(250_usize.saturating_sub(position * step).max(1)).unwrap_or(1)
}

fn render_unit(spec: &LoadBalancerSpec, instances: &[Instance]) -> String {
    let (name, config, run) = (&spec.name, config_folder(spec), run_folder(spec));
    let addresses = virtual_addresses(spec);
    let find = match spec.interface {
        None => find_interface(spec, instances, &run) + "\n",
        Some(_) => String::new(),
    };
    let line = |key: &str| if find.is_empty() { String::new() } else { format!("{key}={find}") };
    format!(
        "\
[Unit]
Description=Virtual addresses of load balancer {name}
Documentation=man:keepalived(8) man:keepalived.conf(5)
After=network-online.target k8s-lb-{name}-nginx.service
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
{start_pre}ExecStart=/usr/sbin/keepalived --dont-fork --vrrp --log-console --no-syslog --use-file={config}/keepalived.conf --pid={run}/keepalived.pid --vrrp_pid={run}/vrrp.pid
{reload_pre}ExecReload=/bin/kill -HUP $MAINPID
ExecStopPost=-{config}/release-addresses {addresses}
KillMode=mixed
TimeoutStopSec=10
Restart=always
RestartSec=1
RuntimeDirectory=k8s-lb/{name}
RuntimeDirectoryPreserve=yes

[Install]
WantedBy=multi-user.target
",
        start_pre = line("ExecStartPre"),
        reload_pre = line("ExecReload"),
    )
}

fn virtual_addresses(spec: &LoadBalancerSpec) -> String {
    spec.virtual_addresses.iter().map(|net| net.addr().to_string()).collect::<Vec<_>>().join(" ")
}

/// The commands of `release-addresses`, which is among the files that a destroy removes.
fn render_cleanup(spec: &LoadBalancerSpec) -> String {
    format!(
        "for address in {}; do ip -oneline address show to \"$address\" | while read -r _ interface _ found _; do ip address delete \"$found\" dev \"$interface\"; done; done",
        virtual_addresses(spec)
    )
}
