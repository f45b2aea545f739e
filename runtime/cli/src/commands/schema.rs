//! `worknode schema`: the JSON Schema of a file, from the code that reads it.

use worknode_core::error::Error;
use worknode_daemon::config::{SchemaKind, schema as of_kind};

use crate::{args::SchemaOf, output};

pub(crate) fn schema(of: SchemaOf) -> Result<(), Error> {
    output::json(&of_kind(match of {
        SchemaOf::Config => SchemaKind::Config,
        SchemaOf::Plan => SchemaKind::Plan,
        SchemaOf::Profile => SchemaKind::Profile,
        SchemaOf::Triggers => SchemaKind::Triggers,
    }))
}
