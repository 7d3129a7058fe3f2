//! The digests by which applied objects name images, by reference: those of the state stay for as long as the reference is there. A resource whose
//! objects name theirs as they are has neither attribute, and nothing here does anything to it. Pure.

use addons::{Pins, is_by_digest};
use objects::{Declared, taken};
use schema::Value;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// References by the name of the image in the catalogue.
pub const IMAGES: &str = "images";
/// Digests by reference.
pub const IMAGE_DIGESTS: &str = "image_digests";

/// What a plan knows: of each reference by tag the digest that the state has for it, or that it is looked up.
pub fn planned(planned: &Value, prior: Option<&Value>) -> Value {
    match planned.get("pin_images").as_bool() {
        Some(true) => {}
        Some(false) => return Value::object([]),
        None => return Value::Unknown,
    }
    // One of them that is not known may name its image by digest.
    let Some(images) = planned.get(IMAGES).as_map().filter(|images| !images.values().any(Value::is_unknown)) else {
        return Value::Unknown;
    };
    let known = |reference: &str| Some(prior?.get(IMAGE_DIGESTS).get(reference).as_str()?.into());
    let tagged = images.values().filter_map(Value::as_str).filter(|reference| !is_by_digest(reference));
    let digests = tagged.map(|reference| (reference.to_string(), known(reference).unwrap_or(Value::Unknown)));
    let mut digests: BTreeMap<String, Value> = digests.collect();
    match planned.get("wait").as_bool() {
        Some(true) => {}
        Some(false) => digests.retain(|_, digest| !digest.is_unknown()),
        None if digests.values().any(Value::is_unknown) => return Value::Unknown,
        None => {}
    }
    Value::Map(digests)
}

/// References by name, of images whose digests are looked up; `None` while it is not known which.
pub fn open(planned: &Value) -> Option<BTreeMap<String, String>> {
    let digests = planned.get(IMAGE_DIGESTS);
    if digests.is_unknown() {
        return None;
    }
    let images = planned.get(IMAGES).as_map().into_iter().flatten();
    let references = images.filter_map(|(name, reference)| Some((name.clone(), reference.as_str()?.to_string())));
    Some(references.filter(|(_, reference)| digests.get(reference).is_unknown()).collect())
}

/// Beside those that are known already.
pub fn set(state: &mut Value, found: BTreeMap<String, String>) {
    let mut digests = state.get(IMAGE_DIGESTS).as_map().cloned().unwrap_or_default();
    digests.extend(found.into_iter().map(|(reference, digest)| (reference, digest.as_str().into())));
    state.set(IMAGE_DIGESTS, Value::Map(digests));
}

/// After an apply that failed: what it has not come to still runs with the digests of before, to which a user may go back.
pub fn keep(state: &mut Value, prior: &Value) {
    if state.get(IMAGE_DIGESTS).is_null() {
        return;
    }
    let mut digests = prior.get(IMAGE_DIGESTS).as_map().cloned().unwrap_or_default();
    digests.extend(state.get(IMAGE_DIGESTS).as_map().cloned().unwrap_or_default());
    state.set(IMAGE_DIGESTS, Value::Map(digests));
}

/// Of a state, or of a plan as far as they are known.
pub fn pins(values: &Value) -> Pins {
    let digests = values.get(IMAGE_DIGESTS).as_map().into_iter().flatten();
    let digests = digests.filter_map(|(reference, digest)| Some((reference.clone(), digest.as_str()?.to_string())));
    Pins::of(digests.filter(|(_, digest)| !digest.is_empty()).collect())
}

/// Whether an image has no digest that should have one, and nobody else has set it: so an apply leaves it that was cut off while images were named by tag.
pub fn lacks_one(pins: &Pins, manager: &str, declared: &Declared, live: &Json) -> bool {
    let is_image = |path: &str| path.rsplit('.').next() == Some("image");
    let is_theirs = || taken(&declared.object, live, manager).iter().any(|taken| is_image(&taken.path));
    pins.lacks(&declared.object, live) && !is_theirs()
}
