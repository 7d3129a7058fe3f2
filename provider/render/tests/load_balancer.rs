//! Scripts of the load balancer with the real nginx, the real kernel and its neighbours, in network namespaces of their own. Root runs them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use bundle::{Bundle, HostName};
use ipnet::IpNet;
use render::spec::{Architecture, HealthCheck};
use render::{Host, Listener, LoadBalancerSpec, load_balancer};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

fn spec(ports: &[u16], virtual_addresses: &[&str]) -> LoadBalancerSpec {
    let host = |number: u8| Host {
        address: format!("10.77.0.1{number}").parse().unwrap(),
        secondary_address: format!("fd77::1{number}").parse().ok(),
        architecture: Architecture::Amd64,
    };
    let listener = |port: &u16| Listener { port: *port, backends: vec!["127.0.0.1:1".into()], health_check: HealthCheck::Tcp };
    LoadBalancerSpec {
        name: "api".into(),
        hosts: [1, 2].map(|number| (HostName::parse(format!("lb-{number}")).unwrap(), host(number))).into(),
        virtual_addresses: virtual_addresses.iter().map(|text| text.parse().unwrap()).collect(),
        listeners: ports.iter().map(|port| (format!("port-{port}"), listener(port))).collect(),
        virtual_router_id: 51,
        advertisement_interval_centiseconds: 20,
        interface: None,
    }
}

/// Runs a script in a network namespace of its own, in which the loopback interface is up: whether it succeeded, and all that it said.
fn in_own_network(script: &str) -> (bool, String) {
    let script = format!("exec 2>&1; ip link set lo up; {script}");
    let output = Command::new("unshare").args(["--net", "--", "sh", "-c", &script]).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

// -- nginx

/// The files of a host below a folder, and a script's head that names it.
struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Root {
        let root = Root(tempfile::tempdir_in("/var/tmp").unwrap());
        fs::create_dir_all(root.path("run/k8s-lb/api")).unwrap();
        // Another program, which has port 8443.
        let other = format!(
            "pid {0};\nerror_log {0}.log;\nevents {{}}\nhttp {{ access_log off; server {{ listen 8443; return 200 other; }} }}\n",
            root.path("other.pid").display()
        );
        fs::write(root.path("other.conf"), other).unwrap();
        root
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, bundle: &Bundle) {
        let root = self.0.path().to_str().unwrap();
        for (path, file) in &bundle.files {
            let there = self.path(path.as_str().trim_start_matches('/'));
            fs::create_dir_all(there.parent().unwrap()).unwrap();
            let text = String::from_utf8(file.content.bytes().unwrap().to_vec()).unwrap();
            let text = text
                .replace("/etc/k8s-lb/", &format!("{root}/etc/k8s-lb/"))
                .replace("/run/k8s-lb/", &format!("{root}/run/k8s-lb/"));
            fs::write(&there, text).unwrap();
            fs::set_permissions(&there, fs::Permissions::from_mode(file.mode)).unwrap();
        }
    }

    /// nginx serves port 6443; `script` follows, with the new configuration, for 8443, beside the old one.
    fn serve(&self, script: &str) -> (bool, String) {
        let host = HostName::literal("lb-1");
        self.write(&load_balancer::render(&spec(&[8443], &["10.77.0.100/24"]), &host).unwrap());
        fs::rename(self.path("etc/k8s-lb/api/nginx.conf"), self.path("new.conf")).unwrap();
        fs::rename(self.path("etc/k8s-lb/api/backends"), self.path("new.backends")).unwrap();
        self.write(&load_balancer::render(&spec(&[6443], &["10.77.0.100/24"]), &host).unwrap());
        let root = self.0.path().display();
        in_own_network(&format!(
            "cd {root}; etc={root}/etc/k8s-lb/api run={root}/run/k8s-lb/api
             trap 'kill $(cat $run/nginx.pid other.pid) 2>/dev/null' EXIT
             $etc/prepare-nginx $etc $run && /usr/sbin/nginx -c $etc/nginx.conf || exit 9
             {script}"
        ))
    }
}

/// As ExecReload has it.
const CHANGE: &str = "cp new.conf $etc/nginx.conf; cp new.backends $etc/backends; $etc/prepare-nginx $etc $run && /usr/sbin/nginx -t -q -c $etc/nginx.conf || exit 8;";

#[test]
fn a_reload_succeeds_when_nginx_serves_by_the_new_configuration() {
    let (succeeded, said) =
        Root::new().serve(&format!("{CHANGE} $etc/reload-nginx $run/nginx.pid 15 && ss -Hltn | grep -q :8443"));
    assert!(succeeded, "{said}");
}

/// `nginx -t` and the signal succeed all the same.
#[test]
fn a_reload_that_nginx_does_not_take_fails() {
    let root = Root::new();
    let (succeeded, said) = root.serve(
        &format!("/usr/sbin/nginx -c {{root}}/other.conf || exit 7; {CHANGE} $etc/reload-nginx $run/nginx.pid 4")
            .replace("{root}", root.0.path().to_str().unwrap()),
    );
    assert!(!succeeded, "{said}");
    for part in ["bind() to", ":8443 failed (98: ", "nginx goes on with its old configuration: 4 s after the reload"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_port_that_another_program_has_is_found_before_nginx_is_touched() {
    let root = Root::new();
    let check = |unit: &str, ports: &str| {
        let other = root.path("other.conf");
        root.serve(&format!("/usr/sbin/nginx -c {} || exit 7; $etc/check-ports '{unit}' {ports}", other.display()))
    };
    let (succeeded, said) = check("k8s-lb-api-nginx.service", "0.0.0.0:8443 '[::]:8443'");
    assert!(
        !succeeded && said.contains("nginx is to listen at 0.0.0.0:8443, and nginx listens at 0.0.0.0:8443 already"),
        "{said}"
    );
    assert!(!said.contains("at [::]:8443"), "{said}");
    let (succeeded, said) = check("k8s-lb-api-nginx.service", "0.0.0.0:9443 '[::]:9443'");
    assert!(succeeded, "{said}");
    // Every process is in the control group of `/`: what the unit has itself is no fault.
    let (succeeded, said) = check("", "0.0.0.0:6443 0.0.0.0:8443");
    assert!(succeeded, "{said}");
}

// -- the link

/// Asks from lb-1, while another machine on its link has `10.77.0.100` and `fd77::100`, and lb-1 has what `also` says.
fn asked(virtual_addresses: &[&str], also: &str, head: &str) -> Vec<String> {
    let spec = spec(&[6443], virtual_addresses);
    let nets: Vec<IpNet> = spec.virtual_addresses.clone();
    let question = load_balancer::question(&spec, &HostName::literal("lb-1"), &nets).unwrap();
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = write_script(folder.path(), &format!("{head}\n{question}"));
    // The other machine is a namespace that lives as long as its sleep.
    let (succeeded, said) = in_own_network(&format!(
        "unshare --net sleep 60 & other=$!
         trap 'kill $other' EXIT
         until [ \"$(readlink /proc/$other/ns/net)\" != \"$(readlink /proc/$$/ns/net)\" ]; do sleep 0.05; done
         there() {{ nsenter --net=/proc/$other/ns/net \"$@\"; }}
         ip link add lan0 type veth peer name lan1 && ip link set lan1 netns /proc/$other/ns/net || exit 9
         ip link set lan0 address 02:00:00:00:00:01
         there ip link set lan1 address 02:00:00:00:00:09
         for address in 10.77.0.11/24 fd77::11/64; do ip address add $address dev lan0; done
         for address in 10.77.0.1/24 10.77.0.100/24 fd77::100/64; do there ip address add $address dev lan1; done
         ip link set lan0 up; there ip link set lan1 up
         while ip address show tentative | grep -q inet6 || there ip address show tentative | grep -q inet6; do sleep 0.1; done
         {also}
         sh {}
         echo neighbours: $(ip neighbour show | grep -c '::100\\|0.100')",
        file.display()
    ));
    assert!(succeeded, "{said}");
    said.lines().map(str::to_string).collect()
}

fn write_script(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("question");
    fs::write(&file, text).unwrap();
    file
}

const BOTH: [&str; 2] = ["10.77.0.100/24", "fd77::100/64"];
const FOUND: [&str; 4] =
    ["answers 10.77.0.100 02:00:00:00:00:09 lan0", "answers fd77::100 02:00:00:00:00:09 lan0", "end", "neighbours: 0"];

#[test]
fn a_virtual_address_that_another_machine_on_the_link_has_is_found() {
    assert_eq!(asked(&BOTH, "", ""), FOUND);
    assert_eq!(asked(&["10.77.0.101/24", "fd77::101/64"], "", ""), ["end", "neighbours: 0"]);
    assert_eq!(
        asked(&BOTH[..1], "ip address add 10.77.0.100/24 dev lan0", ""),
        ["here 10.77.0.100 lan0", "end", "neighbours: 0"]
    );
    let router = ["answers 10.77.0.100 02:00:00:00:00:09 lan0 router", "end", "neighbours: 0"];
    assert_eq!(
        asked(&BOTH[..1], "ip route add default via 10.77.0.1 && ip neighbour replace 10.77.0.1 dev lan0 use && sleep 0.3", ""),
        router
    );
}

/// A machine that is gone is no answer.
#[test]
fn what_was_learnt_before_does_not_count() {
    let gone = "for address in 10.77.0.102 fd77::102; do ip neighbour replace $address lladdr 02:00:00:00:00:08 nud stale dev lan0; done";
    assert_eq!(asked(&["10.77.0.102/24", "fd77::102/64"], gone, ""), ["end", "neighbours: 0"]);
}

/// iproute2 before 5.16.
#[test]
fn an_older_iproute2_asks_too() {
    let older = "ip() { case \"$*\" in *' use') return 255 ;; *) command ip \"$@\" ;; esac; }";
    assert_eq!(asked(&BOTH, "", older), FOUND);
}
