//! Logging in, host keys, jump hosts, commands, dead hosts.

use crate::host::{Host, closed_port, owner, quiet, run};
use bundle::Bundle;
use credentials::Secret;
use machines::{Authentication, JumpHosts, KnownHosts, Machine, MachineError, Target, Wanted};
use std::fs;
use std::time::{Duration, Instant};

async fn refused(target: &Target) -> MachineError {
    match Machine::connect(target).await {
        Ok(_) => panic!("connected"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn each_kind_of_key_logs_in_from_a_file_and_from_memory() {
    let host = Host::start_with(&["ed25519", "ecdsa", "rsa"]);
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let path = host.path(&format!("user_{kind}"));
        let pem = Secret::new(fs::read_to_string(&path).unwrap());
        for authentication in [Authentication::PrivateKeyFile(path), Authentication::PrivateKey(pem)] {
            let target = Target { authentication: vec![authentication], ..host.target() };
            let output = Machine::connect(&target).await.unwrap().run("id -u", None).await.unwrap();
            assert_eq!(output.stdout_text(), "0\n", "{kind}");
        }
    }
}

#[tokio::test]
async fn an_unknown_host_key_is_refused_with_its_fingerprint_and_the_line_to_add() {
    let host = Host::start();
    let target = Target { known_hosts: KnownHosts::File(host.path("none")), ..host.target() };
    let error = refused(&target).await.to_string();
    let fingerprint = run("ssh-keygen", &["-lf", host.path("host_ed25519").to_str().unwrap()]);
    assert!(error.contains(fingerprint.split(' ').nth(1).unwrap()), "{error}");
    assert!(error.ends_with(host.known_hosts().trim()), "{error}");
    let line = error.lines().last().unwrap().to_string();
    Machine::connect(&Target { known_hosts: KnownHosts::Lines(line), ..target }).await.unwrap();
}

#[tokio::test]
async fn a_changed_and_a_revoked_host_key_are_refused_loudly() {
    let (host, other) = (Host::start(), Host::start());
    let changed = other.known_hosts().replace(&other.port.to_string(), &host.port.to_string());
    let error = refused(&Target { known_hosts: KnownHosts::Lines(changed), ..host.target() }).await;
    assert!(matches!(error, MachineError::ChangedHostKey { known_line: 1, .. }), "{error}");
    assert!(error.to_string().contains("HAS CHANGED"), "{error}");
    let revoked = format!("{}@revoked * {}", host.known_hosts(), fs::read_to_string(host.path("host_ed25519.pub")).unwrap());
    let error = refused(&Target { known_hosts: KnownHosts::Lines(revoked), ..host.target() }).await;
    assert!(matches!(error, MachineError::RevokedHostKey { known_line: 2, .. }), "{error}");
}

#[tokio::test]
async fn hashed_entries_and_keys_of_another_kind_than_the_servers_first_are_known() {
    let host = Host::start_with(&["ed25519", "rsa"]);
    let rsa = fs::read_to_string(host.path("host_rsa.pub")).unwrap();
    fs::write(host.path("known_hosts"), format!("[127.0.0.1]:{} {rsa}", host.port)).unwrap();
    run("ssh-keygen", &["-H", "-f", host.path("known_hosts").to_str().unwrap()]);
    assert!(host.text("known_hosts").starts_with("|1|"));
    let target = Target { known_hosts: KnownHosts::File(host.path("known_hosts")), ..host.target() };
    Machine::connect(&target).await.unwrap();
}

#[tokio::test]
async fn a_key_that_the_host_does_not_take_is_an_error_with_user_and_key() {
    let (host, other) = (Host::start(), Host::start());
    let authentication = vec![Authentication::PrivateKeyFile(other.path("user_ed25519"))];
    let error = refused(&Target { authentication, ..host.target() }).await.to_string();
    assert!(error.contains("refuses to log in user root") && error.contains("user_ed25519"), "{error}");
    let authentication = vec![Authentication::PrivateKey(Secret::new("canary"))];
    let error = refused(&Target { authentication, ..host.target() }).await.to_string();
    assert!(error.contains("not a private key") && !error.contains("canary"), "{error}");
}

#[tokio::test]
async fn an_agent_logs_in() {
    let host = Host::start_with(&["ed25519", "rsa"]);
    let agent = run("ssh-agent", &["-s", "-a", host.path("agent").to_str().unwrap()]);
    let pid = agent.split("SSH_AGENT_PID=").nth(1).unwrap().split(';').next().unwrap().to_string();
    let environment = format!("SSH_AUTH_SOCK={}", host.path("agent").display());
    run("env", &[&environment, "ssh-add", "-q", host.path("user_rsa").to_str().unwrap()]);
    run("env", &[&environment, "ssh-add", "-q", host.path("user_ed25519").to_str().unwrap()]);
    let target = Target { authentication: vec![Authentication::AgentSocket(host.path("agent"))], ..host.target() };
    let connected = Machine::connect(&target).await.map(drop);
    run("kill", &[&pid]);
    connected.unwrap();
    let error = refused(&target).await.to_string();
    assert!(error.contains("the SSH agent") && error.contains("ssh-add"), "{error}");
}

#[tokio::test]
async fn a_host_behind_a_jump_host_is_reached_and_its_key_checked() {
    let (jump, inner) = (Host::start(), Host::start());
    let target = Target { jump: Some(Box::new(jump.target())), ..inner.target() };
    let output = Machine::connect(&target).await.unwrap().run("echo $K8S_HARDWAY_STATE", None).await.unwrap();
    assert_eq!(output.stdout_text().trim(), inner.path("state").to_str().unwrap());
    let error = refused(&Target { known_hosts: KnownHosts::Lines(String::new()), ..target }).await;
    assert!(matches!(error, MachineError::UnknownHostKey { .. }), "{error}");
}

/// sshd's own default: beyond ten that have not logged in yet, three of ten are hung up on.
#[tokio::test]
async fn sixty_hosts_are_reached_at_once_over_one_connection_to_their_jump_host() {
    let jump = Host::start_configured("MaxStartups 10:30:100\n");
    let hosts: Vec<Host> = (0..60).map(|_| Host::start()).collect();
    let jump_hosts = JumpHosts::default();
    let connected = hosts.iter().map(|host| {
        let (jump_hosts, target) = (jump_hosts.clone(), Target { jump: Some(Box::new(jump.target())), ..host.target() });
        async move { jump_hosts.connect(&target).await?.run("echo $K8S_HARDWAY_STATE", None).await }
    });
    let answers = futures::future::join_all(connected).await;
    for (answer, host) in answers.into_iter().zip(&hosts) {
        assert_eq!(answer.unwrap().stdout_text().trim(), host.path("state").to_str().unwrap());
    }
    assert_eq!(jump.text("sshd.log").matches("Accepted publickey").count(), 1);
}

#[tokio::test]
async fn all_hosts_behind_a_jump_host_that_is_away_fail_together() {
    let (mut jump, host) = (Host::start(), Host::start());
    jump.stop();
    let away = Target { connect_timeout: Duration::from_secs(2), ..jump.target() };
    let target = Target { jump: Some(Box::new(away)), ..host.target() };
    let listener = std::net::TcpListener::bind(("127.0.0.1", jump.port)).unwrap();
    let (jump_hosts, begin) = (JumpHosts::default(), Instant::now());
    let refused = futures::future::join_all((0..20).map(|_| jump_hosts.connect(&target))).await;
    assert!(refused.into_iter().all(|answer| matches!(answer, Err(MachineError::ConnectTimeout { .. }))));
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    drop(listener);
}

/// Another run must not take the connection of one that trusts another key.
#[tokio::test]
async fn a_jump_host_is_shared_only_by_those_who_know_its_key() {
    let (jump, host) = (Host::start(), Host::start());
    let jump_hosts = JumpHosts::default();
    let target = Target { jump: Some(Box::new(jump.target())), ..host.target() };
    let _kept = jump_hosts.connect(&target).await.unwrap();
    let stranger = Target { known_hosts: KnownHosts::Lines(String::new()), ..jump.target() };
    let refused = jump_hosts.connect(&Target { jump: Some(Box::new(stranger)), ..target }).await.err().unwrap();
    assert!(matches!(refused, MachineError::UnknownHostKey { .. }), "{refused}");
}

#[tokio::test]
async fn a_connection_that_was_lost_is_opened_again() {
    let (jump, inner) = (Host::start(), Host::start());
    let machine = Machine::connect(&Target { jump: Some(Box::new(jump.target())), ..inner.target() }).await.unwrap();
    let forward = machine.forward("127.0.0.1", inner.port).await.unwrap();
    for lost in [&inner, &jump] {
        let running = machine.run("sleep 60", None);
        let cut = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            lost.cut_off();
        };
        let (ended, ()) = tokio::join!(running, cut);
        assert!(matches!(ended, Err(MachineError::Lost { .. })), "what ran is not started again");
        assert_eq!(machine.run("echo again", None).await.unwrap().stdout_text(), "again\n");
        lost.cut_off();
        assert_eq!(machine.run("echo at once", None).await.unwrap().stdout_text(), "at once\n");
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", forward.port())).await.unwrap();
        let mut greeting = [0; 4];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut greeting).await.unwrap();
        assert_eq!(&greeting, b"SSH-");
    }
}

#[tokio::test]
async fn a_command_has_input_output_and_status() {
    let host = Host::start();
    let machine = host.connect().await;
    let output = machine.run("cat; echo \"it's\" >&2; exit 7", Some(b"in\0put")).await.unwrap();
    assert_eq!((output.status, output.stdout, output.stderr), (7, b"in\0put".to_vec(), b"it's\n".to_vec()));
    let big = vec![b'x'; 3 << 20];
    assert_eq!(machine.run("wc -c", Some(&big)).await.unwrap().stdout_text().trim(), big.len().to_string());
    // A command that does not read its input ends all the same.
    assert_eq!(machine.run("exit 3", Some(&big)).await.unwrap().status, 3);
    assert_eq!(machine.run("cat", Some(&big)).await.unwrap().stdout.len(), big.len());
}

#[tokio::test]
async fn what_the_login_shell_says_by_itself_is_no_part_of_an_answer() {
    let host = Host::start();
    host.write(".bashrc", "echo Welcome; echo to this host >&2\n");
    let machine = host.connect().await;
    assert_eq!(machine.run("echo answer", None).await.unwrap().stdout_text(), "answer\n");
    assert_eq!(machine.read_file(&host.host_path(".bashrc")).await.unwrap(), host.text(".bashrc").as_bytes());
    assert_eq!(machine.facts(&Wanted::default()).await.unwrap().kernel, run("uname", &["-r"]).trim());
}

#[tokio::test]
async fn thirty_commands_at_once_share_one_connection() {
    let host = Host::start();
    let machine = host.connect().await;
    let commands = (0..30).map(|number| {
        let machine = machine.clone();
        async move { machine.run(&format!("sleep 0.05; echo {number}"), None).await.unwrap().stdout_text() }
    });
    let answers = futures::future::join_all(commands).await;
    assert_eq!(answers, (0..30).map(|number| format!("{number}\n")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_dead_host_fails_within_the_connect_timeout() {
    let host = Host::start();
    // A listener that never answers stands for a host that hangs.
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = dead.local_addr().unwrap().port();
    let hanging = Target { port, connect_timeout: Duration::from_millis(800), ..host.target() };
    let begin = Instant::now();
    assert!(matches!(refused(&hanging).await, MachineError::ConnectTimeout { .. }));
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_host_that_may_still_be_booting_is_told_from_one_that_is_not_there() {
    let (_held, closed) = closed_port();
    let host = Host::start_configured("");
    let error = refused(&Target { port: closed, ..host.target() }).await;
    assert!(matches!(error, MachineError::Connect { .. }) && error.may_be_booting(), "{error}");
    let nowhere = refused(&Target { address: "nowhere.invalid".into(), ..host.target() }).await;
    assert!(!nowhere.may_be_booting(), "{nowhere}");
    // A server that hangs up before it says who it is.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let error = refused(&Target { port, ..host.target() }).await;
    assert!(error.may_be_booting(), "{error}");
    let stranger = Authentication::PrivateKey(Secret::new(Host::start().text("user_ed25519")));
    let error = refused(&Target { authentication: vec![stranger.clone()], ..host.target() }).await;
    assert!(matches!(error, MachineError::Authentication { .. }) && !error.may_be_booting(), "{error}");
    host.write("nologin", "\"System is booting up. Unprivileged users are not permitted to log in yet.\"\n");
    let boots = Host::start_configured(&format!("Banner {}\n", host.path("nologin").display()));
    let error = refused(&Target { authentication: vec![stranger], ..boots.target() }).await;
    assert!(matches!(error, MachineError::Booting { .. }) && error.may_be_booting(), "{error}");
    boots.connect().await;
}

#[tokio::test]
async fn work_on_many_hosts_can_be_spawned() {
    let hosts = [Host::start(), Host::start(), Host::start()];
    let targets = hosts.each_ref().map(Host::target);
    let work = tokio::spawn(futures::future::try_join_all(targets.map(|target| async move {
        let (owner, bundle) = (owner(), Bundle::default());
        let machine = Machine::connect(&target).await?;
        let observed = machine.read(&owner, &bundle.manifest()).await?;
        machine.push(&owner, &bundle, &observed, &quiet).await?;
        machine.start(&owner, &[]).await?;
        machine.remove(&owner, &bundle.manifest(), &quiet).await
    })));
    work.await.unwrap().unwrap();
    for host in hosts {
        assert_eq!(host.tree(), [""; 0]);
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_off_is_an_error_that_says_so() {
    let host = Host::start();
    let machine = host.connect().await;
    let error = machine.run("kill -9 $PPID; sleep 5", None).await.err().unwrap();
    assert!(matches!(error, MachineError::Lost { .. }), "{error}");
    assert!(error.to_string().contains("Running the same again is safe"));
}

#[tokio::test]
async fn a_host_that_answers_without_end_is_not_listened_to_for_ever() {
    let host = Host::start();
    let machine = Machine::connect(&host.target()).await.unwrap();
    let whole = machine.run("head -c 15000000 /dev/zero", None).await.unwrap();
    assert_eq!(whole.stdout.len(), 15_000_000);
    let error = machine.run("cat /dev/zero", None).await.err().unwrap().to_string();
    assert!(error.contains("more than 16 MiB"), "{error}");
}
