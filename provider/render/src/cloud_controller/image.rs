//! What a registry says of an image, as far as it is needed to take a program out of its last layer. Pure.
//!
//! Source: the OCI image specification 1.1 (image-index.md, manifest.md); the older media types of Docker have the same fields.

use super::Unfit;
use crate::spec::Architecture;
use bundle::Digest;
use serde_json::Value;

/// What a registry is asked for: an index, or else the manifest of the only architecture.
pub const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, \
                          application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

/// What a registry answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// The digest of the manifest for the architecture that was asked for.
    Index(Digest),
    /// The digest of the last layer of the image.
    Image(Digest),
}

/// # Errors
/// When the text is neither, or has nothing for the architecture.
pub fn read(text: &str, architecture: Architecture) -> Result<Manifest, Unfit> {
    let manifest: Value = serde_json::from_str(text).map_err(|error| Unfit(format!("it is no manifest of an image: {error}")))?;
    if let Some(all) = manifest["manifests"].as_array() {
        let is_wanted = |one: &&Value| {
            one["platform"]["architecture"] == architecture.as_str()
                && one["platform"]["os"].as_str().is_none_or(|os| os == "linux")
        };
        let found = all.iter().find(is_wanted);
        let found = found.ok_or_else(|| Unfit(format!("the image is not there for {}", architecture.as_str())))?;
        return Ok(Manifest::Index(digest(found)?));
    }
    let last = manifest["layers"].as_array().and_then(|layers| layers.last());
    Ok(Manifest::Image(digest(last.ok_or_else(|| Unfit("it is no manifest of an image: it has no layers".into()))?)?))
}

fn digest(of: &Value) -> Result<Digest, Unfit> {
    let text = of["digest"].as_str().unwrap_or_default();
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    Digest::parse(hex).map_err(|_| Unfit(format!("{text:?} is no SHA-256")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn named(digit: &str) -> String {
        format!("sha256:{}", digit.repeat(64))
    }

    #[track_caller]
    fn check(text: &str, expect: Result<Manifest, &str>) {
        let found = read(text, Architecture::Arm64);
        match expect {
            Ok(manifest) => assert_eq!(found, Ok(manifest)),
            Err(part) => assert!(found.as_ref().is_err_and(|unfit| unfit.to_string().contains(part)), "{found:?}"),
        }
    }

    #[test]
    fn an_index_leads_to_the_manifest_of_an_architecture_and_that_to_its_last_layer() {
        let of = |architecture: &str, digit: &str| json!({ "digest": named(digit), "platform": { "architecture": architecture, "os": "linux" } });
        let index = json!({ "manifests": [of("amd64", "a"), of("arm64", "b"), of("unknown", "c")] });
        check(&index.to_string(), Ok(Manifest::Index(Digest::parse("b".repeat(64)).unwrap())));
        check(&json!({ "manifests": [of("amd64", "a")] }).to_string(), Err("not there for arm64"));
        let image = json!({ "layers": [{ "digest": named("1") }, { "digest": named("2") }] });
        check(&image.to_string(), Ok(Manifest::Image(Digest::parse("2".repeat(64)).unwrap())));
    }

    #[test]
    fn anything_else_is_refused() {
        check("<html>", Err("no manifest of an image"));
        check("{}", Err("it has no layers"));
        check(&json!({ "layers": [] }).to_string(), Err("it has no layers"));
        check(&json!({ "layers": [{ "digest": "sha512:0" }] }).to_string(), Err("\"sha512:0\" is no SHA-256"));
    }
}
