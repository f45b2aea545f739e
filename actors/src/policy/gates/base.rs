//! The tests of a candidate, and those of what it is put on, which it is compared with.

use worknode_core::{error::Error, git::TreeId};
use worknode_gates::gate::tests::Counted;

use super::{Boxed, Looked};
use crate::{definition::TestsDefinition, inspect::Tested, outside::failed, system::System};

/// What is known of the base.
struct Base {
    counted: Counted,
    /// Whether it was counted some time ago.
    remembered: bool,
}

impl Looked {
    /// Runs the tests, and sees to it that they are compared with those of the base. What ran is kept
    /// for whoever is put on this tree.
    pub(super) async fn count(&self, tests: &TestsDefinition, boxed: &Boxed<'_>) -> Result<(), Error> {
        let gates = &self.system.team().gates;
        let (ran, base) = tokio::join!(
            self.tested.ran(gates, tests, boxed),
            self.counted_on_base(tests, false)
        );
        let ran = ran?;
        if ran.is_of_the_tree() {
            let counted = ran.counted(tests);
            let counts = self.system.counts();
            counts
                .keep(&self.system, &self.landing.tree, tests, &counted)
                .await;
        }
        let Some(mut base) = base else { return Ok(()) };
        // What a test needs may be gone since, and that is nobody's fault: both are run today.
        if base.remembered && Tested::misses(&ran, tests, &self.change, &base.counted) {
            base = self.counted_on_base(tests, true).await.unwrap_or(base);
        }
        self.tested.compare_with(base.counted);
        Ok(())
    }

    /// What is known of the tests of the base; they are run when nothing is, or anew. `None` when it is
    /// not compared.
    async fn counted_on_base(&self, tests: &TestsDefinition, anew: bool) -> Option<Base> {
        if !self.handed_in {
            return None;
        }
        // A base that cannot be looked at is no fault of who is judged.
        let known = self.look_at_base(tests, anew).await;
        Some(known.unwrap_or_else(|error| {
            tracing::warn!(%error, "the tests of the base could not be counted");
            Base {
                counted: Counted::Not(error.to_string()),
                remembered: false,
            }
        }))
    }

    async fn look_at_base(&self, tests: &TestsDefinition, anew: bool) -> Result<Base, Error> {
        let (system, base) = (&self.system, &self.landing.base);
        let counts = system.counts();
        let tree = system.context().store.tree_of(base).await.map_err(failed)?;
        if !anew && let Some(known) = remembered(system, &tree, tests).await {
            return Ok(known);
        }
        let _one_at_a_time = counts.counting().await;
        // Somebody who was put on the same base may have counted meanwhile.
        if !anew && let Some(known) = remembered(system, &tree, tests).await {
            return Ok(known);
        }
        let boxed = Boxed { system, commit: base };
        let ran = Tested::default().ran(&system.team().gates, tests, &boxed).await?;
        let counted = ran.counted(tests);
        if ran.is_of_the_tree() {
            counts.keep(system, &tree, tests, &counted).await;
        }
        Ok(Base {
            counted,
            remembered: false,
        })
    }
}

async fn remembered(system: &System, tree: &TreeId, tests: &TestsDefinition) -> Option<Base> {
    let counted = system.counts().of(system, tree, tests).await?;
    Some(Base {
        counted,
        remembered: true,
    })
}
