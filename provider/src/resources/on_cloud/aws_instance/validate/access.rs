//! What is wrong with keys and addresses. A private key that was given by mistake is never shown.

use super::require_either;
use render::aws::public_key::{AUTHORIZED, IMPORTED, KeyMistake, check_public_key};
use schema::{Diagnostics, ValueAt};

const EXAMPLE: &str = "file(\"~/.ssh/id_ed25519.pub\")";

pub fn validate(config: &ValueAt<'_>, found: &mut Diagnostics) {
    require_either(config, ["public_key", "key_name"], &format!("public_key = {EXAMPLE}"), found);
    validate_key(&config.get("public_key"), &IMPORTED, found);
    config.get("authorized_keys").items().for_each(|key| validate_key(&key, &AUTHORIZED, found));
    validate_key_name(&config.get("key_name"), found);
    let elastic_ip_id = config.get("elastic_ip_id");
    if config.get("elastic_ip").as_bool() == Some(true) && elastic_ip_id.as_str().is_some() {
        let detail = "elastic_ip creates one, elastic_ip_id uses an existing one. Leave one of them out.";
        found.push(elastic_ip_id.error("both elastic_ip and elastic_ip_id are given", detail));
    }
}

fn validate_key(key: &ValueAt<'_>, types: &[&str], found: &mut Diagnostics) {
    let Some(Err(mistake)) = key.as_str().map(|text| check_public_key(text, types)) else { return };
    let attribute = key.path();
    let (summary, detail) = match mistake {
        KeyMistake::Private => (
            format!("{attribute} is a private key"),
            format!(
                "Give the public half, such as {EXAMPLE}. A private key has no place here; if this configuration was shared, create a new key pair."
            ),
        ),
        KeyMistake::SeveralLines => (
            format!("{attribute} has more than one line"),
            format!("Give one key, such as {EXAMPLE}; more of them go into authorized_keys, one each."),
        ),
        KeyMistake::Type(name) => (
            format!("{attribute} is of type {name}"),
            format!(
                "Allowed are {}. `ssh-keygen -t ed25519` creates one that works; others may go into authorized_keys.",
                types.join(", ")
            ),
        ),
        KeyMistake::Malformed => (
            format!("{attribute} is not a public key"),
            format!("It is one line that begins with its type and goes on with base64, such as the content of {EXAMPLE}."),
        ),
    };
    found.push(key.error(summary, detail));
}

fn validate_key_name(key_name: &ValueAt<'_>, found: &mut Diagnostics) {
    let Some(name) = key_name.as_str() else { return };
    if name.is_empty() || name.len() > 255 || !name.is_ascii() || name.trim() != name {
        let detail = "It is the name of a key pair of EC2, at most 255 ASCII characters, such as \"mine\".";
        found.push(key_name.error(format!("{name:?} is not the name of a key pair"), detail));
    }
}
