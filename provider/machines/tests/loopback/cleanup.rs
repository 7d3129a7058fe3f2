//! Which cleanup commands a removal runs.

use crate::host::{Host, apply, owner, quiet};
use bundle::{Bundle, File};

/// Commands that note their words in `ran`.
fn undoing(host: &Host, commands: &[(&'static str, &str)]) -> Bundle {
    let mut bundle = Bundle::default();
    bundle.files.insert(host.host_path("etc/file"), File::public("x"));
    for (of, word) in commands {
        bundle.clean_up(of, format!("echo {word} >>{}", host.path("ran").display()));
    }
    bundle
}

/// A virtual address that was changed years ago may be somebody else's.
#[tokio::test]
async fn a_command_takes_the_place_of_the_one_before_it_and_one_that_is_declared_no_more_stays() {
    let host = Host::start();
    let machine = host.connect().await;
    let first = undoing(&host, &[("network", "network-1"), ("address", "address-1"), ("other-address", "other-1")]);
    apply(&machine, &owner(), &first).await;
    host.write("state/k8s_test.loopback/cleanup/000-0123456789abcdef", &format!("echo old >>{}", host.path("ran").display()));
    let second = undoing(&host, &[("address", "address-2"), ("other-address", "other-2")]);
    apply(&machine, &owner(), &second).await;
    machine.remove(&owner(), &second.manifest(), &quiet).await.unwrap();
    assert_eq!(host.text("ran"), "address-2\nnetwork-1\nother-2\n");
}
