//! First plans of what lives on AWS, which is not asked.

use super::said::{change, unknown};
use super::site::Plans;

const TAGS: &str = r#"
resource "terraform_data" "tags" {
  input = { Revision = "abc123" }
}

provider "k8s" {
  aws = { default_tags = terraform_data.tags.output }
}

provider "k8s" {
  alias = "one_value"
  aws   = { default_tags = { Revision = terraform_data.tags.id } }
}

resource "k8s_vpc" "main" {
  name  = "plans"
  cidr  = "10.0.0.0/16"
  zones = ["us-east-1a"]
}

resource "k8s_vpc" "one_value" {
  provider = k8s.one_value
  name     = "others"
  cidr     = "10.1.0.0/16"
  zones    = ["us-east-1a"]
}
"#;

pub fn tags_that_are_not_known_yet_leave_their_objects_open(plans: &mut Plans) {
    plans.with(&[TAGS], |site| {
        let said = site.plan(&[]);
        let open = unknown(said.planned(), "k8s_vpc.main");
        assert!(
            open.iter().any(|path| path.starts_with("objects")),
            "{}: objects are known without their tags: {open:?}",
            site.name()
        );
        let one_value = unknown(said.planned(), "k8s_vpc.one_value");
        assert!(one_value.iter().any(|path| path.contains("tag Revision")), "{}: {one_value:?}", site.name());
        let known = &change(said.planned(), "k8s_vpc.one_value")["after"]["objects"];
        assert!(known.as_object().is_some_and(|objects| objects.contains_key("vpc/main")), "{}: {known}", site.name());
    });
}

const POLICY: &str = r#"
variable "bastions" {
  type    = number
  default = 1
}

locals {
  settings = {
    cluster_name       = "plans"
    subnet_id          = "subnet-0a1b2c3d4e5f60718"
    security_group_ids = ["sg-0a1b2c3d4e5f60718"]
  }
}

resource "k8s_bastion" "by_name" {
  for_each           = toset(["a", "b"])
  name               = "bastion-${each.key}"
  cluster_name       = local.settings.cluster_name
  subnet_id          = local.settings.subnet_id
  security_group_ids = local.settings.security_group_ids
  image              = "debian-12"
  key_name           = "mine"
}

resource "k8s_bastion" "counted" {
  count              = var.bastions
  name               = "bastion-${count.index}"
  cluster_name       = local.settings.cluster_name
  subnet_id          = local.settings.subnet_id
  security_group_ids = local.settings.security_group_ids
  image              = "debian-12"
  key_name           = "mine"
}

output "by_name" {
  value = provider::k8s::aws_iam_policy(values(k8s_bastion.by_name)...)
}

output "counted" {
  value = provider::k8s::aws_iam_policy(k8s_bastion.counted...)
}
"#;

/// As the page of the function says; engines expand lists only, so that an object of `for_each` goes through `values`.
pub fn the_policy_of_several_resources_takes_a_list(plans: &mut Plans) {
    plans.with(&[POLICY], |site| {
        site.plan(&[]).is_quiet();
        site.plan(&["-var=bastions=0"]).is_quiet();
    });
}

const REGIONS: &str = r#"
variable "zone" {
  type    = string
  default = "eu-west-1a"
}

provider "k8s" {
  aws = { region = "us-east-1" }
}

provider "k8s" {
  alias = "west"
  aws   = { region = "eu-west-1" }
}

resource "k8s_vpc" "main" {
  name  = "plans"
  cidr  = "10.0.0.0/16"
  zones = ["us-east-1a", "us-east-1b"]
}

resource "k8s_vpc" "west" {
  provider = k8s.west
  name     = "plans"
  cidr     = "10.1.0.0/16"
  zones    = [var.zone]
}
"#;

pub fn a_zone_of_another_region_is_refused(plans: &mut Plans) {
    plans.with(&[REGIONS], |site| {
        site.plan(&[]).is_quiet();
        site.plan(&["-var=zone=us-east-1a"]).refuses(
            "k8s_vpc.west",
            "zones",
            "the network is in us-east-1, but the provider works in eu-west-1",
        );
    });
}

const KEYS: &str = r#"
variable "zones" {
  type    = set(string)
  default = ["us-east-1a", "us-east-1b"]
}

resource "k8s_vpc" "main" {
  name       = "plans"
  cidr       = "10.0.0.0/16"
  zones      = var.zones
  zone_count = var.zones == null ? 2 : null
}

resource "terraform_data" "subnet" {
  for_each = k8s_vpc.main.subnet_cidrs
  input    = each.value
}

resource "terraform_data" "private_subnet" {
  count = length(k8s_vpc.main.private_subnet_ids)
  input = k8s_vpc.main.private_subnet_ids[count.index]
}

resource "terraform_data" "route_table" {
  for_each = k8s_vpc.main.route_table_ids
  input    = each.value
}

resource "terraform_data" "security_group" {
  for_each = k8s_vpc.main.security_group_ids
  input    = each.value
}
"#;

pub fn keys_and_lengths_of_a_network_are_known_at_the_first_plan(plans: &mut Plans) {
    plans.with(&[KEYS], |site| {
        for zones in [&[][..], &["-var=zones=null"]] {
            let said = site.plan(zones);
            said.is_quiet();
            let changes = said.planned().changes();
            for (resource, count) in [("subnet[", 4), ("private_subnet[", 2)] {
                let found = changes.iter().filter(|change| change.contains(&format!("terraform_data.{resource}"))).count();
                assert_eq!(found, count, "{} {zones:?}: {changes:?}", site.name());
            }
        }
    });
}
