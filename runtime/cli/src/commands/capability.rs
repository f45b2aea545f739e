//! `worknode capability`: let somebody outside take part.

use serde::{Deserialize, Serialize};
use serde_json::json;
use worknode_core::{error::Error, ids::NodeId, time::Timestamp};

use crate::{
    args::Capability,
    output::{self, Form},
    place::Place,
};

#[derive(Serialize, Deserialize)]
struct Issued {
    token: String,
    node: NodeId,
    subtree: NodeId,
    expires: Timestamp,
}

pub(crate) async fn capability(place: &Place, command: Capability, form: Form) -> Result<(), Error> {
    let Capability::Issue {
        node,
        below,
        time,
        review,
    } = command;
    let body = json!({ "node": node, "below": below, "for": time, "review": review });
    let issued: Issued = place.client()?.post("/capabilities", &body).await?;
    match form {
        Form::Json => output::json(&issued),
        Form::Text => {
            output::line(issued.token);
            Ok(())
        }
    }
}
