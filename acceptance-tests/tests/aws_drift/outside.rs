//! Somebody else who works on the account: calls written as one line, such as `DeleteRoute RouteTableId=@route_table/public`, in which
//! `@` stands for the id of an object.

use acceptance_tests::aws::{Account, Api, Element};
use serde_json::Value;

pub struct Outside<'a> {
    account: &'a Account,
}

impl Outside<'_> {
    pub fn of(account: &Account) -> Outside<'_> {
        Outside { account }
    }

    /// Through the proxy, which refuses what AWS refuses and remembers what AWS remembers.
    #[track_caller]
    pub fn ec2(&self, call: &str) -> Element {
        self.call(self.account.proxy.api, "ec2", call)
    }

    /// Past the proxy: what AWS itself may do although nobody may ask for it.
    #[track_caller]
    pub fn ec2_itself(&self, call: &str) -> Element {
        self.call(self.account.emulator.api, "ec2", call)
    }

    #[track_caller]
    pub fn elb(&self, call: &str) -> Element {
        self.call(self.account.proxy.api, "elasticloadbalancing", call)
    }

    #[track_caller]
    pub fn autoscaling(&self, call: &str) -> Element {
        self.call(self.account.proxy.api, "autoscaling", call)
    }

    #[track_caller]
    fn call(&self, api: Api, service: &str, call: &str) -> Element {
        let mut words = call.split_whitespace();
        let mut parameters = vec![("Action".to_owned(), words.next().unwrap_or_default().to_owned())];
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("{word} is no parameter"));
            parameters.push((name.to_owned(), value.strip_prefix('@').map_or(value.to_owned(), |object| self.id(object))));
        }
        let parameters: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        api.ask(service, &parameters).unwrap_or_else(|failure| panic!("{call}: {failure:?}"))
    }

    /// As the state has it; an object may be written with one of its outputs, as in `elastic_ip/nat-1.public_ip`.
    #[track_caller]
    pub fn id(&self, object: &str) -> String {
        let state = self.account.workspace.state();
        let resources = state["resources"].as_array().into_iter().flatten();
        let mut ids = resources.map(|resource| &resource["instances"][0]["attributes"]["ids"][object]);
        let id = ids.find_map(Value::as_str);
        id.unwrap_or_else(|| panic!("{object} is not in the state")).to_owned()
    }

    /// The association of a subnet with its route table.
    #[track_caller]
    pub fn association(&self, subnet: &str) -> String {
        let answer = self.ec2(&format!("DescribeRouteTables Filter.1.Name=association.subnet-id Filter.1.Value.1=@{subnet}"));
        let associations = answer.all("routeTableSet/item/associationSet/item");
        let id = self.id(subnet);
        let its = associations.into_iter().find(|association| association.value("subnetId") == id);
        its.unwrap_or_else(|| panic!("{subnet} has no route table")).value("routeTableAssociationId").to_owned()
    }

    /// The first of what a call describes.
    #[track_caller]
    pub fn first(&self, call: &str, path: &str) -> String {
        let answer = self.ec2(call);
        answer.at(path).unwrap_or_else(|| panic!("{call}: no {path}")).text.clone()
    }

    #[track_caller]
    pub fn target_group(&self, name: &str) -> String {
        let groups = self.elb("DescribeTargetGroups");
        let groups = groups.all("DescribeTargetGroupsResult/TargetGroups/member");
        let its = groups.into_iter().find(|group| group.value("TargetGroupName") == name);
        its.unwrap_or_else(|| panic!("there is no target group {name}")).value("TargetGroupArn").to_owned()
    }

    /// Replaces a record: `("CREATE" | "UPSERT", "bastion", "A", "<TTL>…")`, a name below the examples' domain.
    #[track_caller]
    pub fn record(&self, action: &str, name: &str, kind: &str, content: &str) {
        let record =
            format!("<ResourceRecordSet><Name>{name}.demo.example.net.</Name><Type>{kind}</Type>{content}</ResourceRecordSet>");
        self.change_record(action, &record);
    }

    #[track_caller]
    pub fn delete_record(&self, name: &str, kind: &str) {
        let path = format!("/2013-04-01/hostedzone/{}/rrset", self.zone());
        let answer = self.account.proxy.api.ask_route53("GET", &path, "").unwrap_or_else(|failure| panic!("{failure:?}"));
        let records = answer.all("ResourceRecordSets/ResourceRecordSet");
        let name = format!("{name}.demo.example.net.");
        let its = records.into_iter().find(|record| record.value("Name") == name && record.value("Type") == kind);
        let text = its.unwrap_or_else(|| panic!("there is no record {name} {kind}")).render();
        self.change_record("DELETE", text.split_once("?>\n").map_or(text.as_str(), |(_, record)| record));
    }

    #[track_caller]
    fn change_record(&self, action: &str, record: &str) {
        let path = format!("/2013-04-01/hostedzone/{}/rrset/", self.zone());
        let body = format!(
            "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes><Change>\
             <Action>{action}</Action>{record}</Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
        );
        self.account.proxy.api.route53("POST", &path, &body);
    }

    #[track_caller]
    fn zone(&self) -> String {
        self.id("dns_record/A").split(' ').next().unwrap_or_default().to_owned()
    }
}
