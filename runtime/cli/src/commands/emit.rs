//! `worknode emit`: an event of the user's own.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use worknode_core::error::Error;

use crate::{
    args::Emit,
    output::{self, Form},
    place::Place,
};

pub(crate) async fn emit(place: &Place, args: Emit, form: Form) -> Result<(), Error> {
    let data: BTreeMap<_, _> = args.data.into_iter().collect();
    let body = json!({ "name": args.name, "data": data });
    place.client()?.post::<Value>("/events", &body).await?;
    match form {
        Form::Json => output::json(&json!({ "emitted": args.name })),
        Form::Text => {
            output::line(format!("emitted {}", args.name));
            Ok(())
        }
    }
}
