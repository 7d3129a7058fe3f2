//! Names of records in one spelling: lower case, no final dot, no escapes.

/// The name of a record. Route 53 shows what is neither a letter, a digit nor one of `-_.` as a backslash and three octal digits.
pub(super) fn normal_name(name: &str) -> String {
    let mut text = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = match octal(rest) {
            Some(byte) => {
                text.push(byte);
                &rest[4..]
            }
            None => {
                text.push(*first);
                tail
            }
        };
    }
    let text = String::from_utf8_lossy(&text).to_ascii_lowercase();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

/// The target of an alias. The console writes `dualstack.` before the name of a load balancer, which is the same one.
pub(crate) fn normal_alias(name: &str) -> String {
    let name = normal_name(name);
    name.strip_prefix("dualstack.").unwrap_or(&name).to_owned()
}

/// `\052` is `*`.
fn octal(text: &[u8]) -> Option<u8> {
    let [b'\\', digits @ ..] = text.get(..4)? else { return None };
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0')).filter(|digit| *digit < 8);
    let number = digits.iter().try_fold(0, |number, byte| Some(number * 8 + digit(byte)?))?;
    u8::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expect: &str) {
        assert_eq!(normal_name(name), expect);
    }

    #[test]
    fn names() {
        check("api.Example.NET.", "api.example.net");
        check("\\052.example.net.", "*.example.net");
        check("*.example.net", "*.example.net");
        check("a\\100b.example.net.", "a@b.example.net");
        check("a\\9.example.net", "a\\9.example.net");
        check("end\\05", "end\\05");
        check("", "");
    }

    #[test]
    fn aliases() {
        let name = "demo-api-1.elb.us-east-1.amazonaws.com";
        assert_eq!(normal_alias("dualstack.Demo-API-1.elb.us-east-1.amazonaws.com."), name);
        assert_eq!(normal_alias(name), name);
    }
}
