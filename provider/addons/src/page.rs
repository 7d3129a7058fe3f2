//! What the catalogue says of itself on the page of the resource, in Markdown.

use crate::catalogue::{Addon, CatalogueError, addon, names};
use crate::settings::Setting;
use std::collections::BTreeSet;

/// Each add-on with its versions, what they work with, and its settings: a list.
///
/// # Errors
/// Never in a build whose tests passed.
pub fn page() -> Result<String, CatalogueError> {
    let line = |(name, setting): (&String, &Setting)| {
        let default = setting.default.as_ref().map(|default| format!("; by default `{default}`")).unwrap_or_default();
        format!("  - `{name}`: {} {}{default}.", setting.description, capital(&setting.rule.to_string()))
    };
    let each = all()?.into_iter().map(|addon| {
        let versions = addon.known_versions().into_iter().map(|version| {
            let kubernetes = &addon.versions[version].kubernetes;
            format!("`{version}` (Kubernetes {kubernetes})")
        });
        let versions = versions.collect::<Vec<_>>().join(", ");
        let names: BTreeSet<&String> = addon.versions.values().flat_map(|version| version.images.keys()).collect();
        let images = names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let head = format!(
            "- [`{}`]({}): {} Versions: {versions}. Images: {images}. Settings:",
            addon.name, addon.source, addon.description
        );
        let settings = addon.settings.iter().map(line);
        std::iter::once(head).chain(settings).collect::<Vec<_>>().join("\n")
    });
    Ok(each.collect::<Vec<_>>().join("\n"))
}

fn all() -> Result<Vec<Addon>, CatalogueError> {
    let all = names().into_iter().map(addon).collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().flatten().collect())
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
