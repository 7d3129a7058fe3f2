//! Answers of AWS in XML, as a tree that can be read by path, changed and written again. A path is element names below the root's
//! own name, joined by `/`.

use roxmltree::{Document, Node};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    /// Of an element that has no children.
    pub text: String,
    pub children: Vec<Element>,
    /// The default namespace, only at the root.
    namespace: Option<String>,
}

/// The texts of all elements of this name, wherever they stand.
pub fn values(xml: &str, name: &str) -> Vec<String> {
    let root = Element::parse(xml).unwrap_or_else(|error| panic!("{error}:\n{xml}"));
    let mut found = Vec::new();
    root.collect(name, &mut found);
    found
}

impl Element {
    pub fn new(name: &str, children: Vec<Element>) -> Element {
        Element { name: name.into(), children, ..Element::default() }
    }

    pub fn leaf(name: &str, text: &str) -> Element {
        Element { name: name.into(), text: text.into(), ..Element::default() }
    }

    pub fn parse(xml: &str) -> Result<Element, String> {
        let document = Document::parse(xml).map_err(|error| format!("this is no XML: {error}"))?;
        let root = document.root_element();
        Ok(Element { namespace: root.default_namespace().map(str::to_string), ..Element::of(root) })
    }

    fn of(node: Node<'_, '_>) -> Element {
        let children: Vec<Element> = node.children().filter(Node::is_element).map(Element::of).collect();
        let text = if children.is_empty() { node.text().unwrap_or_default().to_string() } else { String::new() };
        Element { name: node.tag_name().name().into(), text, children, namespace: None }
    }

    /// All elements at a path.
    pub fn all(&self, path: &str) -> Vec<&Element> {
        path.split('/').fold(vec![self], |above, name| {
            above.into_iter().flat_map(|element| element.children.iter().filter(move |child| child.name == name)).collect()
        })
    }

    pub fn all_mut(&mut self, path: &str) -> Vec<&mut Element> {
        path.split('/').fold(vec![self], |above, name| {
            above.into_iter().flat_map(|element| element.children.iter_mut().filter(move |child| child.name == name)).collect()
        })
    }

    /// The first element at a path.
    pub fn at(&self, path: &str) -> Option<&Element> {
        self.all(path).into_iter().next()
    }

    /// The text of the first element at a path; none is empty.
    pub fn value(&self, path: &str) -> &str {
        self.at(path).map_or("", |element| element.text.as_str())
    }

    /// The texts of all elements at a path.
    pub fn values(&self, path: &str) -> Vec<&str> {
        self.all(path).into_iter().map(|element| element.text.as_str()).collect()
    }

    /// The value of a tag in `tagSet`; none is empty.
    pub fn tag(&self, key: &str) -> &str {
        let tags = self.all("tagSet/item");
        tags.into_iter().find(|tag| tag.value("key") == key).map_or("", |tag| tag.value("value"))
    }

    /// Gives a child this text, and makes the child if there is none.
    pub fn set(&mut self, name: &str, text: &str) {
        self.replace(Element::leaf(name, text));
    }

    /// Puts a child in the place of the one with its name, or at the end.
    pub fn replace(&mut self, child: Element) {
        match self.children.iter_mut().find(|other| other.name == child.name) {
            Some(other) => *other = child,
            None => self.children.push(child),
        }
    }

    pub fn remove(&mut self, name: &str) {
        self.children.retain(|child| child.name != name);
    }

    fn collect(&self, name: &str, found: &mut Vec<String>) {
        if self.name == name {
            found.push(self.text.clone());
        }
        self.children.iter().for_each(|child| child.collect(name, found));
    }

    /// The whole document.
    pub fn render(&self) -> String {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) {
        let namespace = self.namespace.as_ref().map_or(String::new(), |namespace| format!(" xmlns=\"{namespace}\""));
        *text += &format!("<{}{namespace}>{}", self.name, escape(&self.text));
        self.children.iter().for_each(|child| child.write(text));
        *text += &format!("</{}>", self.name);
    }
}

/// Text as it may stand between tags.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
