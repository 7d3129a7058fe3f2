//! An authority as those who trust it see it.

const END: &str = "-----END CERTIFICATE-----";

/// Its text, in files and in `k8s_pki`, is all of `trusted` in order, the one that signs first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The certificate, in PEM, whose key signs.
    pub signing: String,
    /// The certificates, in PEM, that are trusted: the signing one, and while authorities are rotated others after it.
    pub trusted: Vec<String>,
}

impl Authority {
    /// One that has a single certificate.
    pub fn of(pem: impl Into<String>) -> Self {
        let signing = pem.into();
        Authority { trusted: vec![signing.clone()], signing }
    }

    /// From its text. What is no certificate is left to those who read one.
    pub fn parse(text: &str) -> Self {
        let mut trusted = Vec::new();
        let mut rest = text;
        while let Some(end) = rest.find(END) {
            let after = &rest[end + END.len()..];
            let length = rest.len() - after.trim_start().len();
            let (block, tail) = rest.split_at(length);
            trusted.push(block.to_string());
            rest = tail;
        }
        match trusted.last_mut() {
            Some(last) => last.push_str(rest),
            None => trusted.push(rest.to_string()),
        }
        Authority { signing: trusted[0].clone(), trusted }
    }

    /// All certificates that are trusted, in PEM, one after the other: the inverse of [`parse`](Self::parse).
    pub fn trusted_text(&self) -> String {
        self.trusted.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(name: &str) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{name}\n{END}\n")
    }

    #[test]
    fn the_first_certificate_signs_and_all_are_trusted_in_their_order() {
        let text = format!("{}{}", pem("new"), pem("old"));
        let authority = Authority::parse(&text);
        assert_eq!((authority.signing.clone(), authority.trusted.clone()), (pem("new"), vec![pem("new"), pem("old")]));
        assert_eq!(authority.trusted_text(), text);
        assert_eq!(Authority::parse(&pem("one")), Authority::of(pem("one")));
    }

    #[test]
    fn no_byte_of_the_text_is_lost() {
        for text in
            ["", "no certificate", "-----END CERTIFICATE-----", &format!("# a comment\n{}\n\n{}# end", pem("a"), pem("b"))]
        {
            assert_eq!(Authority::parse(text).trusted_text(), text);
        }
    }
}
