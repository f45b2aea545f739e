//! The tests of a candidate, and those of what it is put on, which it is compared with.

use worknode_core::error::Error;
use worknode_gates::gate::tests::Counted;

use super::{Boxed, Looked};
use crate::{definition::TestsDefinition, inspect::Tested, outside::failed};

impl Looked {
    /// Runs the tests, and sees to it that they are compared with those of the base. What ran is kept
    /// for whoever is put on this tree.
    pub(super) async fn count(&self, tests: &TestsDefinition, boxed: &Boxed<'_>) -> Result<(), Error> {
        let gates = &self.system.team().gates;
        let (ran, base) = tokio::join!(self.tested.ran(gates, tests, boxed), self.counted_on_base(tests));
        let ran = ran?;
        if ran.is_of_the_tree() {
            let counted = ran.counted(tests);
            self.system
                .counts()
                .keep(&self.system, &self.landing.tree, tests, &counted)
                .await;
        }
        if let Some(base) = base {
            self.tested.compare_with(base);
        }
        Ok(())
    }

    /// What is known of the tests of the base; they are run when nothing is. `None` when it is
    /// not compared.
    async fn counted_on_base(&self, tests: &TestsDefinition) -> Option<Counted> {
        if !self.handed_in {
            return None;
        }
        // A base that cannot be looked at is no fault of who is judged.
        let counted = self.look_at_base(tests).await;
        Some(counted.unwrap_or_else(|error| {
            tracing::warn!(%error, "the tests of the base could not be counted");
            Counted::Not(error.to_string())
        }))
    }

    async fn look_at_base(&self, tests: &TestsDefinition) -> Result<Counted, Error> {
        let (system, base) = (&self.system, &self.landing.base);
        let counts = system.counts();
        let tree = system.context().store.tree_of(base).await.map_err(failed)?;
        if let Some(counted) = counts.of(system, &tree, tests).await {
            return Ok(counted);
        }
        let _one_at_a_time = counts.counting().await;
        // Somebody who was put on the same base may have counted meanwhile.
        if let Some(counted) = counts.of(system, &tree, tests).await {
            return Ok(counted);
        }
        let boxed = Boxed { system, commit: base };
        let ran = Tested::default().ran(&system.team().gates, tests, &boxed).await?;
        let counted = ran.counted(tests);
        if ran.is_of_the_tree() {
            counts.keep(system, &tree, tests, &counted).await;
        }
        Ok(counted)
    }
}
