//! One "host": a private sshd with its own keys, its own record folder, and stand-ins for systemctl and modprobe.

use bundle::{
    Bundle, Directory, Disruption, File, Health, HostName, HostPath, OnChange, Unit, UnitName, UnitTraits, differences,
};
use machines::{Authentication, Incarnation, KnownHosts, Machine, MachineError, Owner, Target, Uid};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

pub struct Host {
    pub folder: tempfile::TempDir,
    pub port: u16,
    sshd: Child,
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub fn owner() -> Incarnation {
    named("k8s_test.loopback")
}

pub fn named(name: &str) -> Incarnation {
    Incarnation { name: Owner::parse(name).unwrap(), uid: Uid::of_random([1; 16]), holder: Uid::default() }
}

pub fn quiet(_: &str) {}

/// Reads, pushes what differs, reads again: nothing may differ then.
pub async fn apply(machine: &Machine, owner: &Incarnation, bundle: &Bundle) {
    let observed = machine.read(owner, &bundle.manifest()).await.unwrap();
    machine.push(owner, bundle, &observed, &quiet).await.unwrap();
    let mut without_units = bundle.manifest();
    without_units.units.clear();
    let observed = machine.read(owner, &without_units).await.unwrap();
    assert_eq!(differences(&without_units, &observed), []);
}

/// The error of a push that must fail.
pub async fn push_error(machine: &Machine, bundle: &Bundle) -> MachineError {
    let observed = machine.read(&owner(), &bundle.manifest()).await.unwrap();
    match machine.push(&owner(), bundle, &observed, &quiet).await {
        Ok(()) => panic!("pushed"),
        Err(error) => error,
    }
}

fn generate_key(path: &Path, kind: &str) {
    run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-C", "", "-f", path.to_str().unwrap()]);
}

/// One that no connection gets as its own: those of the kernel's choice are 32768 and above. Another program may still have it.
fn next_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap();
    FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT
}

/// A server of this configuration, once it listens. `None` where another program has the port.
fn sshd_on(folder: &Path, port: u16) -> Option<Child> {
    let path = |name: &str| folder.join(name);
    let log = fs::File::create(path("sshd.log")).unwrap();
    let mut command = Command::new("/usr/sbin/sshd");
    command.args(["-D", "-e", "-f"]).arg(path("sshd_config")).stdin(Stdio::null()).stderr(log);
    let mut sshd = command.spawn().unwrap();
    let begin = Instant::now();
    loop {
        let log = fs::read_to_string(path("sshd.log")).unwrap();
        let has_ended = sshd.try_wait().unwrap().is_some();
        if log.contains(&format!("Server listening on 127.0.0.1 port {port}.")) && !has_ended {
            return Some(sshd);
        }
        if has_ended && log.contains("Address already in use") {
            return None;
        }
        assert!(!has_ended && begin.elapsed() < Duration::from_secs(60), "sshd does not listen: {log}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A port of 127.0.0.1 at which nobody listens, as long as this is held.
pub fn closed_port() -> (tokio::net::TcpSocket, u16) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

impl Host {
    pub fn start() -> Host {
        Host::start_with(&["ed25519"])
    }

    /// With more lines in the configuration of its SSH server, which win over the others.
    pub fn start_configured(lines: &str) -> Host {
        Host::start_by(&["ed25519"], lines)
    }

    /// With a host key and a user key of each kind.
    pub fn start_with(kinds: &[&str]) -> Host {
        Host::start_by(kinds, "")
    }

    fn start_by(kinds: &[&str], lines: &str) -> Host {
        assert!(Path::new("/usr/sbin/sshd").exists(), "these tests need OpenSSH's server: apt-get install openssh-server");
        assert_eq!(run("id", &["-u"]).trim(), "0", "these tests log in as root: run them as root");
        fs::create_dir_all("/run/sshd").unwrap();
        let folder = tempfile::Builder::new().prefix("machines-").tempdir_in("/var/tmp").unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut authorized = String::new();
        for kind in kinds {
            generate_key(&path(&format!("host_{kind}")), kind);
            generate_key(&path(&format!("user_{kind}")), kind);
            authorized += &fs::read_to_string(path(&format!("user_{kind}.pub"))).unwrap();
        }
        fs::write(path("authorized_keys"), authorized).unwrap();
        write_stand_ins(&path("bin"), &path("fake"));
        loop {
            let port = next_port();
            fs::write(path("sshd_config"), lines.to_string() + &configuration(folder.path(), port, kinds)).unwrap();
            if let Some(sshd) = sshd_on(folder.path(), port) {
                return Host { folder, port, sshd };
            }
        }
    }

    pub fn stop(&mut self) {
        self.sshd.kill().unwrap();
        self.sshd.wait().unwrap();
    }

    /// Ends the connections that it has.
    pub fn cut_off(&self) {
        run("pkill", &["-P", &self.sshd.id().to_string()]);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A path below the temporary folder, as a bundle names it.
    pub fn host_path(&self, name: &str) -> bundle::HostPath {
        bundle::HostPath::parse(self.path(name).to_str().unwrap()).unwrap()
    }

    /// Everything that is there, to see what is left behind. What sshd and the stand-ins need does not count.
    pub fn tree(&self) -> Vec<String> {
        let listed = run("find", &[self.folder.path().to_str().unwrap(), "-mindepth", "1", "-printf", "%P\\n"]);
        let own = ["bin", "fake", "host_", "user_", "authorized_keys", "sshd"];
        let mut paths: Vec<String> =
            listed.lines().filter(|path| !own.iter().any(|name| path.starts_with(name))).map(Into::into).collect();
        paths.sort();
        paths
    }

    /// Calls of systemctl other than questions.
    pub fn systemctl_calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("fake/calls")).unwrap_or_default();
        calls.lines().filter(|call| !call.starts_with("show")).map(Into::into).collect()
    }

    pub fn write(&self, name: &str, content: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    pub fn write_program(&self, name: &str, text: &str) {
        self.write(name, text);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn known_hosts(&self) -> String {
        let key = fs::read_to_string(self.path("host_ed25519.pub")).unwrap();
        format!("[127.0.0.1]:{} {key}", self.port)
    }

    pub fn target(&self) -> Target {
        let known_hosts = KnownHosts::Lines(self.known_hosts());
        let mut target = Target::new(HostName::literal("h1"), "127.0.0.1", "root", known_hosts);
        target.port = self.port;
        target.authentication = vec![Authentication::PrivateKeyFile(self.path("user_ed25519"))];
        target
    }

    pub async fn connect(&self) -> Machine {
        Machine::connect(&self.target()).await.unwrap()
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o7777
    }
}

fn configuration(folder: &Path, port: u16, kinds: &[&str]) -> String {
    let folder = folder.display();
    let host_keys: String = kinds.iter().map(|kind| format!("HostKey {folder}/host_{kind}\n")).collect();
    format!(
        "ListenAddress 127.0.0.1:{port}\n{host_keys}PidFile none\n\
         AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nMaxStartups 100\n\
         SetEnv HOME={folder} K8S_HARDWAY_STATE={folder}/state K8S_HARDWAY_CACHE={folder}/cache K8S_HARDWAY_ROOT={folder}/root FAKE={folder}/fake \
         PATH={folder}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    )
}

fn write_stand_ins(bin: &Path, fake: &Path) {
    fs::create_dir_all(bin).unwrap();
    fs::create_dir_all(fake.join("units")).unwrap();
    for (name, text) in [
        ("systemctl", include_str!("systemctl.sh")),
        ("modprobe", "#!/bin/sh\necho \"modprobe: FATAL: Module $2 not found.\" >&2\nexit 1\n"),
        ("journalctl", "#!/bin/sh\necho 'the last words'\n"),
    ] {
        fs::write(bin.join(name), text).unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// A unit that restarts when the file changes.
pub fn unit_that_reads(path: HostPath) -> Unit {
    let traits = UnitTraits { tier: 0, restart: Disruption::None, health: Health::StaysUp };
    Unit { reads: [(path, OnChange::Restart)].into(), traits, serves: [].into(), health_check: None, check: None }
}

/// A file, a unit `a.service` that reads another, and a data directory.
pub fn bundle(host: &Host) -> Bundle {
    let mut bundle = Bundle::default();
    let unit_file = host.host_path("fake/etc/a.service");
    bundle.files.insert(unit_file.clone(), File::public("[Service]\n"));
    bundle.files.insert(host.host_path("etc/file"), File::public("x"));
    bundle.units.insert(UnitName::literal("a.service"), unit_that_reads(unit_file));
    bundle.data_directories.insert(host.host_path("data/etcd"), Directory::data(0o700));
    bundle
}
