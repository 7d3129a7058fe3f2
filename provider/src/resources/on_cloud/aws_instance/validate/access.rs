//! What is wrong with keys and addresses. A private key that was given by mistake is never shown.

use super::{either, mistake};
use render::aws::public_key::{AUTHORIZED, IMPORTED, KeyMistake, check_public_key};
use schema::{AttributePath, Diagnostic, Diagnostics, Value};

const EXAMPLE: &str = "file(\"~/.ssh/id_ed25519.pub\")";

pub fn validate(config: &Value) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    diagnostics.extend(either(config, "public_key", "key_name", &format!("public_key = {EXAMPLE}")));
    diagnostics.extend(key(config.get("public_key"), &IMPORTED, AttributePath::attribute("public_key")));
    let path = AttributePath::attribute("authorized_keys");
    let keys = config.get("authorized_keys").as_list().into_iter().flatten().enumerate();
    diagnostics.extend(keys.filter_map(|(index, item)| key(item, &AUTHORIZED, path.clone().index(index))));
    diagnostics.extend(key_name(config.get("key_name")));
    if config.get("elastic_ip").as_bool() == Some(true) && config.get("elastic_ip_id").as_str().is_some() {
        let detail = "elastic_ip creates one, elastic_ip_id uses an existing one. Leave one of them out.";
        diagnostics.push(mistake(
            "both elastic_ip and elastic_ip_id are given",
            detail,
            AttributePath::attribute("elastic_ip_id"),
        ));
    }
    diagnostics
}

fn key(value: &Value, types: &[&str], at: AttributePath) -> Option<Diagnostic> {
    let found = check_public_key(value.as_str()?, types).err()?;
    let attribute = at.to_string();
    Some(match found {
        KeyMistake::Private => mistake(
            format!("{attribute} is a private key"),
            format!(
                "Give the public half, such as {EXAMPLE}. A private key has no place here; if this configuration was shared, create a new key pair."
            ),
            at,
        ),
        KeyMistake::SeveralLines => mistake(
            format!("{attribute} has more than one line"),
            format!("Give one key, such as {EXAMPLE}; more of them go into authorized_keys, one each."),
            at,
        ),
        KeyMistake::Type(name) => mistake(
            format!("{attribute} is of type {name}"),
            format!(
                "Allowed are {}. `ssh-keygen -t ed25519` creates one that works; others may go into authorized_keys.",
                types.join(", ")
            ),
            at,
        ),
        KeyMistake::Malformed => mistake(
            format!("{attribute} is not a public key"),
            format!("It is one line that begins with its type and goes on with base64, such as the content of {EXAMPLE}."),
            at,
        ),
    })
}

fn key_name(value: &Value) -> Option<Diagnostic> {
    let name = value.as_str()?;
    let fits = !name.is_empty() && name.len() <= 255 && name.is_ascii() && name.trim() == name;
    (!fits).then(|| {
        let detail = "It is the name of a key pair of EC2, at most 255 ASCII characters, such as \"mine\".";
        mistake(format!("{name:?} is not the name of a key pair"), detail, AttributePath::attribute("key_name"))
    })
}
