//! Packages of the host's distribution: installed without starting anything, purged where nobody else needs them by now.

use crate::host::{Host, apply, owner, push_error, quiet};
use bundle::Bundle;
use machines::MachineError;
use std::process::Command;
use std::sync::Mutex;

/// Stands in for apt: knows `frob`, which brings a library, a program and a service. `$FAKE/needs` holds what else a purge would take.
const APT: &str = r#"#!/bin/sh
policy=$K8S_HARDWAY_ROOT/usr/sbin/policy-rc.d
echo "apt-get $*" >>"$FAKE/packages"
case "$*" in *-s\ purge*) [ ! -e "$FAKE/broken" ] || exit 100 ;; esac
case "$*" in
*install\ -s*frob) echo 'Inst libfrob (1 Debian)'; echo 'Inst libc6 [1] (2 Debian)'; echo 'Inst frob (1 Debian)' ;;
*install*frob) [ -x "$policy" ] || exit 1; cp "$policy" "$FAKE/policy"; printf '#!/bin/sh\n' >"$FAKE/../bin/frob"; chmod 755 "$FAKE/../bin/frob" ;;
*-s\ purge\ frob) echo 'Purg frob [1]' ;;
*-s\ purge\ libfrob) echo 'Purg frob [1]'; echo 'Purg libfrob [1]'; sed 's/.*/Remv & [1]/' "$FAKE/needs" 2>/dev/null ;;
*purge* | *remove*) rm -f "$FAKE/../bin/frob" ;;
*update*) exit 100 ;;
*) echo "E: Unable to locate package" >&2; exit 100 ;;
esac
"#;

fn with_apt(host: &Host) -> Bundle {
    std::fs::create_dir_all(host.path("root/usr/sbin")).unwrap();
    host.write_program("bin/apt-get", APT);
    host.write_program("bin/dpkg", "#!/bin/sh\necho /lib/systemd/system/$2.service\n");
    host.write_program("bin/dpkg-query", "#!/bin/sh\nprintf 'frob installed\\nlibfrob installed\\n'\n");
    host.write_program("bin/apt-mark", "#!/bin/sh\necho frob\ncat \"$FAKE/manual\" 2>/dev/null\n");
    Bundle { packages: [("frob".into(), "frob".into()), ("sh".into(), "dash".into())].into(), ..Bundle::default() }
}

fn purges(host: &Host) -> Vec<String> {
    let calls = host.text("fake/packages");
    calls.lines().filter(|call| call.contains(" purge ") && !call.contains("-s purge")).map(Into::into).collect()
}

#[tokio::test]
async fn packages_are_installed_without_starting_anything_recorded_and_purged() {
    let host = Host::start();
    let machine = host.connect().await;
    let frob = with_apt(&host);
    let told = Mutex::new(Vec::new());
    let progress = |sentence: &str| told.lock().unwrap().push(sentence.to_string());
    machine.push(&owner(), &frob, &Default::default(), &progress).await.unwrap();
    machine.push(&owner(), &frob, &Default::default(), &progress).await.unwrap();
    assert_eq!(*told.lock().unwrap(), ["installing package frob"]);
    assert_eq!(host.text("state/k8s_test.loopback/packages"), "libfrob\nfrob\n");
    assert_eq!(host.systemctl_calls(), ["disable -q libfrob.service", "disable -q frob.service"]);
    assert!(!host.path("root/usr/sbin/policy-rc.d").exists());
    machine.remove(&owner(), &frob.manifest(), &quiet).await.unwrap();
    assert!(purges(&host).iter().all(|call| call.ends_with("purge frob libfrob")) && purges(&host).len() == 1);
    assert_eq!(
        (host.path("bin/frob").exists(), host.tree()),
        (false, ["root", "root/usr", "root/usr/sbin"].map(Into::into).into())
    );

    apply(&machine, &owner(), &frob).await;
    host.write("fake/broken", "");
    let error = machine.remove(&owner(), &frob.manifest(), &quiet).await.unwrap_err();
    assert!(
        error.to_string().contains("package frob") && purges(&host).len() == 1,
        "what would go with it was not known: {error}"
    );
    std::fs::remove_file(host.path("fake/broken")).unwrap();
    machine.remove(&owner(), &frob.manifest(), &quiet).await.unwrap();
    assert_eq!(purges(&host).len(), 2);

    let unknown = Bundle { packages: [("zork".into(), "zork-tools".into())].into(), ..Bundle::default() };
    let error = push_error(&machine, &unknown).await;
    assert!(matches!(&error, MachineError::Package { package, .. } if package == "zork-tools"), "{error}");
    assert!(error.to_string().contains("Unable to locate"), "{error}");
}

/// Removed and not purged before, or configured in a folder that somebody had made.
#[tokio::test]
async fn a_configuration_that_was_there_before_the_package_stays() {
    for is_left in [true, false] {
        let host = Host::start();
        let machine = host.connect().await;
        let frob = with_apt(&host);
        match is_left {
            true => host.write_program("bin/dpkg-query", "#!/bin/sh\ncase \"$*\" in *Package*) printf 'frob installed\\nlibfrob installed\\n' ;; *' frob') echo config-files ;; esac\n"),
            false => {
                host.write("root/etc/frob/frob.conf", "the user's\n");
                host.write("root/etc/shared/other.conf", "of other packages too\n");
                let dpkg = "#!/bin/sh\ncase \"$*\" in -L\\ frob) printf '/etc/frob\\n/etc/shared\\n/etc/frob/frob.conf\\n' ;; -L\\ libfrob) printf '/etc/shared\\n/etc/new\\n' ;; -S\\ /etc/frob) echo 'frob, libfrob:amd64: /etc/frob' ;; -S*) echo 'base-files, frob: /etc/shared' ;; esac\n";
                host.write_program("bin/dpkg", dpkg);
            }
        }
        machine.push(&owner(), &frob, &Default::default(), &quiet).await.unwrap();
        assert_eq!(host.text("state/k8s_test.loopback/packages-configured"), "frob\n");
        machine.remove(&owner(), &frob.manifest(), &quiet).await.unwrap();
        let calls = host.text("fake/packages");
        let taken: Vec<&str> = calls.lines().filter_map(|call| call.split_once("Timeout=120 ")).map(|(_, taken)| taken).collect();
        assert!(taken.ends_with(&["remove frob", "purge libfrob"]), "{taken:?}");
    }
}

/// Such as a website of the user's on the nginx of a load balancer.
#[tokio::test]
async fn a_package_whose_service_somebody_has_switched_on_since_stays_with_what_needs_it() {
    let (stays, purged) = left("fake/units/libfrob.service.enabled", "").await;
    let all = ["libfrob", "frob"].map(|package| format!("package {package} stays: somebody has switched libfrob.service on"));
    assert_eq!((stays, purged), (all.to_vec(), vec![]));
}

/// What stays, of a removal after this was written into the file that the stand-ins read.
async fn left(file: &str, word: &str) -> (Vec<String>, Vec<String>) {
    let host = Host::start();
    let machine = host.connect().await;
    let frob = with_apt(&host);
    machine.push(&owner(), &frob, &Default::default(), &quiet).await.unwrap();
    host.write(file, word);
    let told = Mutex::new(Vec::new());
    let progress = |sentence: &str| told.lock().unwrap().push(sentence.to_string());
    machine.remove(&owner(), &frob.manifest(), &progress).await.unwrap();
    let stays = told.into_inner().unwrap().into_iter().filter(|sentence| sentence.contains(" stays: ")).collect();
    (stays, purges(&host))
}

#[tokio::test]
async fn a_package_that_others_need_by_now_or_somebody_asked_for_since_stays() {
    let (stays, purged) = left("fake/needs", "shop\n").await;
    assert_eq!(stays, ["package libfrob stays: shop would go with it"]);
    assert!(purged.len() == 1 && purged[0].ends_with("purge frob"), "{purged:?}");
    let (stays, purged) = left("fake/manual", "libfrob\n").await;
    assert_eq!(stays, ["package libfrob stays: somebody has installed it since"]);
    assert!(purged.len() == 1 && purged[0].ends_with("purge frob"), "{purged:?}");
}

#[tokio::test]
async fn with_dnf_too() {
    let host = Host::start();
    host.write("state/k8s_test.loopback/packages", "frob\nlibfrob\nneeded\n");
    host.write("state/k8s_test.loopback/files", "/none\n");
    host.write("state/k8s_test.loopback/identity", &format!("uid {}\n", owner().uid));
    // libfrob can go once frob is gone.
    let rpm = "#!/bin/sh\ncase \"$*\" in\n'-e --test libfrob') ! [ -e \"$FAKE/frob\" ] ;;\n*test*needed) printf 'error: Failed dependencies:\\n\\tneeded is needed by (installed) shop-1\\n' >&2; exit 1 ;;\nesac\n";
    host.write_program("bin/rpm", rpm);
    host.write("fake/frob", "");
    host.write_program("bin/dnf", "#!/bin/sh\necho \"$4\" >>\"$FAKE/dnf\"; [ \"$4\" != frob ] || rm \"$FAKE/frob\"\n");
    // As if there were no apt.
    let scripts = concat!(include_str!("../../src/scripts/remove_packages.sh"), include_str!("../../src/scripts/remove.sh"));
    let script = scripts.replace("command -v apt-get >/dev/null", "false");
    let arguments = crate::cut_off::arguments("all");
    let said = crate::cut_off::run(&host, &["dash"], &script, &arguments, b"end\n").stdout;
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("package needed stays: needed is needed by (installed) shop-1"), "{said}");
    assert_eq!(host.text("fake/dnf"), "frob\nlibfrob\n");
}

#[tokio::test]
async fn what_keeps_services_from_starting_goes_with_the_next_script_and_ends_by_itself() {
    let host = Host::start();
    let machine = host.connect().await;
    let frob = with_apt(&host);
    machine.push(&owner(), &frob, &Default::default(), &quiet).await.unwrap();
    let policy = host.text("fake/policy");
    let answer = |path: &str| Command::new("sh").arg(host.path("fake/policy")).env("PATH", path).status().unwrap().code();
    assert_eq!(answer("/usr/bin:/bin"), Some(101));
    host.write_program("later/date", "#!/bin/sh\necho $(($(/bin/date +%s) + 901))\n");
    assert_eq!(answer(&format!("{}:/usr/bin:/bin", host.path("later").display())), Some(0));
    // As a push that was killed leaves it.
    host.write("root/usr/sbin/policy-rc.d", &policy);
    apply(&machine, &owner(), &Bundle::default()).await;
    assert!(!host.path("root/usr/sbin/policy-rc.d").exists());
    host.write("root/usr/sbin/policy-rc.d", &policy);
    machine.remove(&owner(), &frob.manifest(), &quiet).await.unwrap();
    assert!(!host.path("root/usr/sbin/policy-rc.d").exists());
    host.write("root/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n");
    machine.remove(&owner(), &frob.manifest(), &quiet).await.unwrap();
    assert!(host.path("root/usr/sbin/policy-rc.d").exists(), "it is somebody else's");
}
