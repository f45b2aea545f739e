//! Fields that a newer version writes and this one does not know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Json;

/// Fields of a state that this version does not know. They survive reading, merging and writing;
/// where two states disagree the greater value stays, because something has to stay that is the
/// same everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unknown(BTreeMap<String, Json>);

impl Unknown {
    /// Takes over what `other` has.
    pub(super) fn merge(&mut self, other: &Self) {
        for (name, theirs) in &other.0 {
            match self.0.get_mut(name) {
                Some(mine) if &*mine >= theirs => {}
                Some(mine) => *mine = theirs.clone(),
                None => {
                    self.0.insert(name.clone(), theirs.clone());
                }
            }
        }
    }
}
