//! `worknode tree`: the one tree in which everything lives.

use std::collections::HashMap;

use worknode_core::{error::Error, ids::NodeId};
use worknode_daemon::view::{self, NodeView};

use super::ask_or_read;
use crate::{
    output::{self, Form, colour_of, dim, paint},
    place::Place,
};

pub(crate) async fn tree(place: &Place, form: Form) -> Result<(), Error> {
    let client = place.client()?;
    let nodes: Vec<NodeView> = ask_or_read(place, client.get("/nodes"), view::tree).await?;
    if form == Form::Json {
        return output::json(&nodes);
    }
    let mut children: HashMap<Option<NodeId>, Vec<&NodeView>> = HashMap::new();
    for node in &nodes {
        children.entry(node.parent).or_default().push(node);
    }
    for root in children.get(&None).into_iter().flatten() {
        print(root, &children, "", "");
    }
    Ok(())
}

fn print(node: &NodeView, children: &HashMap<Option<NodeId>, Vec<&NodeView>>, lead: &str, below: &str) {
    let status = paint(&node.status, colour_of(&node.status));
    output::line(format!(
        "{lead}{} {} {status}",
        paint(node.kind.name(), dim()),
        node.name
    ));
    let list = children
        .get(&Some(node.id))
        .map(Vec::as_slice)
        .unwrap_or_default();
    for (at, child) in list.iter().enumerate() {
        let (branch, rest) = if at + 1 == list.len() {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        print(
            child,
            children,
            &format!("{below}{branch}"),
            &format!("{below}{rest}"),
        );
    }
}
