//! What the catalogue says of itself on the page of the resource, in Markdown.

use crate::catalogue::{Addon, CatalogueError, addon, names};
use crate::settings::Setting;

/// Each add-on with its versions, and what they work with.
///
/// # Errors
/// Never in a build whose tests passed.
pub fn versions_page() -> Result<String, CatalogueError> {
    let each = all()?.into_iter().map(|addon| {
        let versions = addon.known_versions().into_iter().map(|version| {
            let kubernetes = &addon.versions[version].kubernetes;
            format!("`{version}` (Kubernetes {kubernetes})")
        });
        let versions = versions.collect::<Vec<_>>().join(", ");
        format!("- [`{}`]({}): {} Versions: {versions}.", addon.name, addon.source, addon.description)
    });
    Ok(each.collect::<Vec<_>>().join("\n"))
}

/// The settings of each add-on.
///
/// # Errors
/// Never in a build whose tests passed.
pub fn settings_page() -> Result<String, CatalogueError> {
    let line = |name: &String, setting: &Setting| {
        let default = setting.default.as_ref().map(|default| format!("; by default `{default}`")).unwrap_or_default();
        format!("`{name}`: {} {}{default}.", setting.description, capital(&setting.rule.to_string()))
    };
    let each = all()?.into_iter().map(|addon| {
        let lines = addon.settings.iter().map(|(name, setting)| line(name, setting)).collect::<Vec<_>>();
        format!("Of `{}`: {}", addon.name, lines.join(" "))
    });
    Ok(each.collect::<Vec<_>>().join(" "))
}

fn all() -> Result<Vec<Addon>, CatalogueError> {
    let all = names().into_iter().map(addon).collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().flatten().collect())
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
