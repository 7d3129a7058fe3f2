//! What is there already when a resource is created that no state knows: what a run left that was cut off, or what another state
//! manages. AWS cannot tell which. The former is continued; whatever would take something from the latter is refused.

use cloud::{Found, Graph, Matching, ObjectKey, Readiness};
use schema::Diagnostic;

/// A warning that names what is adopted; an error where something would have to go for it.
pub fn check(resource: &str, graph: &Graph, matching: &Matching) -> Result<Option<Diagnostic>, Diagnostic> {
    decided(matching)?;
    let in_the_way: Vec<String> =
        matching.superseded.iter().filter(|found| is_foreign(found, graph, matching)).map(shown).collect();
    if !in_the_way.is_empty() {
        return Err(Diagnostic::error(format!("{resource} exists already, and differs from the configuration")).detail(format!(
            "Objects with its name exist that the configuration does not declare, or declares differently:\n{}\n\nIf another configuration \
             manages them, choose another name. If they belong to this one, import the resource, then apply. If this was to be a \
             replacement, create_before_destroy stands in its way, here or on what depends on this: take it off, and replace again.",
            in_the_way.join("\n")
        )));
    }
    let adopted: Vec<String> = matching.matched.iter().map(|(key, found)| format!("{key} ({})", found.id)).collect();
    if adopted.is_empty() {
        return Ok(None);
    }
    let many = if adopted.len() > MOST_SHOWN { format!("\nand {} more", adopted.len() - MOST_SHOWN) } else { String::new() };
    let detail = format!(
        "They are part of this resource from now on, and a state that had them before can no longer change or destroy them. Usually, a run that \
         was interrupted left them. If another configuration manages them, remove this resource from the state (`terraform state rm`, `tofu \
         state rm`), give it another name, and import them there again. If this was to be a replacement, create_before_destroy stands in its \
         way, here or on what depends on this: take it off, and replace again.\n{}{many}",
        adopted.iter().take(MOST_SHOWN).cloned().collect::<Vec<_>>().join("\n")
    );
    Ok(Some(Diagnostic::warning(format!("objects of {resource} existed already")).detail(detail)))
}

/// An error where several objects could be a declared one, and no state says which is.
pub fn decided(matching: &Matching) -> Result<(), Diagnostic> {
    let Some((key, _)) = matching.undecided.first() else { return Ok(()) };
    let all: Vec<String> = matching.undecided.iter().map(shown).collect();
    Err(Diagnostic::error(format!("several objects could be {key}, and the state does not say which")).detail(format!(
        "{}\n\nEach has the tag {} of it. Remove the tag from those that are not it, or delete them, then apply again.",
        all.join("\n"),
        cloud::OBJECT_TAG
    )))
}

/// A warning that names what others have made with our tags.
pub fn copies(resource: &str, matching: &Matching) -> Option<Diagnostic> {
    let copies: Vec<String> = matching.copies.iter().map(shown).collect();
    (!copies.is_empty()).then(|| {
        Diagnostic::warning(format!("copies of objects of {resource} exist")).detail(format!(
            "They have its tags, and were not created by this provider: a service that copies instances, a restored backup, or \"Launch more \
             like this\". They are left alone. Remove the tags that begin with k8s-hardway/ from them, and they are not mentioned any \
             more.\n{}",
            copies.join("\n")
        ))
    })
}

const MOST_SHOWN: usize = 8;

/// Not declared, or declared in another way, so that it would have to go. A second one of the same is a run's own that lost its answer, and
/// goes; so does one that failed.
fn is_foreign((key, found): &(ObjectKey, Found), graph: &Graph, matching: &Matching) -> bool {
    let has_failed = matches!(found.readiness, Readiness::Failed(_));
    graph.get(key).is_none() || (!has_failed && !matching.matched.contains_key(key))
}

fn shown((key, found): &(ObjectKey, Found)) -> String {
    format!("{key} ({})", found.id)
}
