//! The checksum files of every release in the catalogue, where a digest is that of the download's URL; and a registry that has an image of one layer for each
//! architecture under every tag.

use bundle::Digest;
use render::catalogue::{self, Role};
use render::spec::Architecture;
use serde_json::json;
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

/// Versions of the image that the registry has.
const TAGS: [&str; 2] = ["v1.36.2", "v1.35.9"];

/// The index under a tag, and the manifests to which it leads.
pub(super) fn manifest(url: &str) -> Option<String> {
    let (_, reference) = url.split('?').next()?.rsplit_once("/manifests/")?;
    let layer = |of: &str| json!({ "digest": format!("sha256:{}", Digest::of(of.as_bytes())) });
    let image = |tag: &str, architecture: Architecture| {
        json!({ "layers": [layer("base"), layer(&format!("{tag} {}", architecture.as_str()))] }).to_string()
    };
    let named = |image: &str| format!("sha256:{}", Digest::of(image.as_bytes()));
    let all = [Architecture::Amd64, Architecture::Arm64];
    if reference.starts_with("sha256:") {
        let images = TAGS.into_iter().flat_map(|tag| all.map(|architecture| image(tag, architecture)));
        return images.into_iter().find(|image| named(image) == reference);
    }
    let one = |architecture: Architecture| json!({ "digest": named(&image(reference, architecture)), "platform": { "architecture": architecture.as_str(), "os": "linux" } });
    TAGS.contains(&reference).then(|| json!({ "manifests": all.map(one) }).to_string())
}
