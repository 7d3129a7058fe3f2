//! The checksum files of every release in the catalogue. A digest is that of the download's URL.

use bundle::Digest;
use render::catalogue::{self, Role};
use render::spec::Architecture;
use std::collections::BTreeMap;
use std::sync::LazyLock;

static TEXTS: LazyLock<BTreeMap<String, String>> = LazyLock::new(texts);

pub(super) fn checksum_text(url: &str) -> Option<String> {
    TEXTS.get(url).cloned()
}

fn texts() -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for version in catalogue::versions().unwrap() {
        let release = catalogue::release(&version).unwrap();
        for (role, architecture) in [Role::ControlPlane, Role::Node]
            .into_iter()
            .flat_map(|role| [(role, Architecture::Amd64), (role, Architecture::Arm64)])
        {
            for download in release.downloads(role, architecture, None).unwrap() {
                let line = format!("{}  {}\n", Digest::of(download.origin_url.as_bytes()), download.checksum_name);
                let text = texts.entry(download.checksum_url.reveal().to_string()).or_default();
                if !text.contains(&line) {
                    text.push_str(&line);
                }
            }
        }
    }
    texts
}
