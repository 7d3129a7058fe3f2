//! `k8s_aws_image`: the newest image of a query, or the one that a public parameter names.

use crate::configuration::Shared;
use crate::resources::on_cloud::failed;
use async_trait::async_trait;
use cloud::ImageQuery;
use protocol::{Call, DataSource};
use schema::{Attribute, AttributePath, Diagnostic, Diagnostics, Field, Schema, Type, Value, decode, one_of};
use serde::Deserialize;

pub struct ImageSource {
    shared: Shared,
}

#[derive(Deserialize)]
struct Config {
    owners: Field<Vec<String>>,
    image_name: Field<String>,
    architecture: Field<String>,
    parameter: Field<String>,
}

impl ImageSource {
    pub fn new(shared: &Shared) -> Self {
        ImageSource { shared: shared.clone() }
    }
}

#[async_trait]
impl DataSource for ImageSource {
    fn name(&self) -> &'static str {
        "k8s_aws_image"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "The newest image that matches a query, or the one that a public parameter of the Systems Manager parameter store names.\n\n\
             It is looked up again at every plan: pass its `id` only to a resource that keeps the image it was created from. Exactly one of \
             `image_name` and `parameter` must be set.",
        )
        .attribute(Attribute::set("owners", Type::String).optional().describe(
            "Account numbers of the owners, `amazon` or `self`. Required with `image_name`, because anybody may publish an image with any \
             name.",
        ))
        .attribute(Attribute::string("image_name").optional().describe("Name to look for, with the wildcards `*` and `?`."))
        .attribute(
            Attribute::string("architecture")
                .optional_computed()
                .validator(one_of(&["x86_64", "arm64"]))
                .describe("Architecture to look for; in the result, that of the image."),
        )
        .attribute(Attribute::string("parameter").optional().describe(
            "Public parameter that holds the id, instead of a query, such as \
             `/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64`.",
        ))
        .attribute(Attribute::string("id").computed().describe("Id of the image."))
        .attribute(Attribute::string("name").computed().describe("Full name of the image."))
        .attribute(Attribute::string("created_at").computed().describe("When the image was created, in RFC 3339."))
        .attribute(Attribute::string("owner").computed().describe("Account number of the owner."))
        .attribute(Attribute::string("root_device").computed().describe("Device name of the root volume, such as `/dev/xvda`."))
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        let is_given = |attribute: &str| !config.get(attribute).is_null();
        let mut wrong = |attribute: &'static str, summary: &str, detail: &str| {
            diagnostics.push(Diagnostic::error(summary).detail(detail).at(AttributePath::attribute(attribute)));
        };
        if is_given("parameter") {
            for attribute in ["owners", "image_name", "architecture"].into_iter().filter(|attribute| is_given(attribute)) {
                let summary = format!("{attribute} has no effect beside parameter");
                wrong(
                    attribute,
                    &summary,
                    "A parameter names one image. Leave out parameter to look for an image by owner and name.",
                );
            }
        } else if !is_given("image_name") {
            wrong(
                "image_name",
                "nothing says which image",
                "Give parameter, or owners and image_name: al2023-ami-2023.* of amazon.",
            );
        } else if !is_given("owners") || config.get("owners").as_list().is_some_and(<[Value]>::is_empty) {
            wrong(
                "owners",
                "owners is missing",
                "Anybody may publish an image of any name: say whose you trust, such as [\"amazon\"].",
            );
        }
        diagnostics
    }

    async fn read(&self, _call: &Call, config: Value) -> Result<Value, Diagnostics> {
        let query = query(decode(&config)?);
        let images = self.shared.cloud()?.images(&query).await.map_err(|error| failed("cannot look for images", &error))?;
        let Some(image) = images.into_iter().next() else {
            let attribute = if query.parameter.is_some() { "parameter" } else { "image_name" };
            let detail =
                "Nothing that can be launched answers the query in this region. Check the owners, the name and the architecture.";
            return Err(Diagnostic::error("no such image").detail(detail).at(AttributePath::attribute(attribute)).into());
        };
        let mut state = config;
        state.set("id", image.id.into());
        state.set("name", image.name.into());
        state.set("architecture", image.architecture.into());
        state.set("created_at", image.created_at.into());
        state.set("owner", image.owner.into());
        state.set("root_device", image.root_device.into());
        Ok(state)
    }
}

fn query(config: Config) -> ImageQuery {
    ImageQuery {
        owners: config.owners.into_known().unwrap_or_default().into_iter().collect(),
        name: config.image_name.into_known(),
        architecture: config.architecture.into_known(),
        parameter: config.parameter.into_known(),
        ..ImageQuery::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(config: &[(&str, Value)], expect: &[(&str, &str)]) {
        let (world, _stops) = crate::fakes::FakeWorld::new();
        let source = ImageSource::new(&Shared::new(std::sync::Arc::new(world)));
        let mut value = Value::object([]);
        for (attribute, given) in config {
            value.set(attribute, given.clone());
        }
        let found = source.validate(&value);
        let said: Vec<(String, &str)> =
            found.iter().map(|d| (d.path.as_ref().map(ToString::to_string).unwrap_or_default(), d.summary.as_ref())).collect();
        let expect: Vec<(String, &str)> = expect.iter().map(|(path, text)| (path.to_string(), *text)).collect();
        assert_eq!(said, expect);
    }

    #[test]
    fn a_query_says_whose_and_which() {
        let owners = || ("owners", Value::from(vec!["amazon"]));
        let name = || ("image_name", Value::from("al2023-ami-2023.*"));
        let parameter = || ("parameter", Value::from("/aws/service/x"));
        check(&[owners(), name()], &[]);
        check(&[parameter()], &[]);
        check(&[("parameter", Value::Unknown)], &[]);
        check(&[], &[("image_name", "nothing says which image")]);
        check(&[name()], &[("owners", "owners is missing")]);
        check(&[name(), ("owners", Value::List(Vec::new()))], &[("owners", "owners is missing")]);
        check(&[name(), ("owners", Value::Unknown)], &[]);
        check(&[parameter(), owners()], &[("owners", "owners has no effect beside parameter")]);
    }
}
