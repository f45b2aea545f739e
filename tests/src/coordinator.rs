//! What every coordinator must do, whatever is below it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use worknode_core::{
    coordinator::{Claimed, Coordinator, Lease, Released},
    ids::NodeId,
};

const LEASE: Duration = Duration::from_secs(60);

/// All of it, on something that is free. `holders` are two who may hold it.
pub async fn contract<C: Coordinator + 'static>(coordinator: C, what: NodeId, holders: [NodeId; 2]) {
    let coordinator = Arc::new(coordinator);
    let one = one_winner(&coordinator, what, holders).await;
    let kept = coordinator.renew(what, one.fence, LEASE).await;
    assert!(
        matches!(kept, Claimed::Won(lease) if lease.fence == one.fence && lease.until >= one.until),
        "who holds it keeps it under the same fence: {kept:?}"
    );
    let wrong = one.fence + 1;
    assert_eq!(coordinator.renew(what, wrong, LEASE).await, Claimed::Held);
    assert_eq!(coordinator.release(what, wrong).await, Released::NotHeld);
    assert_eq!(coordinator.release(what, one.fence).await, Released::Free);
    assert_eq!(
        coordinator.release(what, one.fence).await,
        Released::NotHeld,
        "giving back twice is known to be"
    );
    assert_eq!(coordinator.renew(what, one.fence, LEASE).await, Claimed::Held);
    let Claimed::Won(two) = coordinator.try_claim(what, holders[1], LEASE).await else {
        panic!("what is free can be had");
    };
    assert!(two.fence > one.fence, "fences rise");
    let late = coordinator.renew(what, one.fence, LEASE).await;
    assert_eq!(late, Claimed::Held, "an old fence is worth nothing");
    let nothing = NodeId::derived(what, "there is no such thing");
    let unknown = coordinator.try_claim(nothing, holders[0], LEASE).await;
    assert!(matches!(unknown, Claimed::Unknown { .. }), "{unknown:?}");
}

async fn one_winner<C: Coordinator + 'static>(
    coordinator: &Arc<C>,
    what: NodeId,
    holders: [NodeId; 2],
) -> Lease {
    let claims: Vec<_> = (0..200)
        .map(|n| {
            let (coordinator, who) = (Arc::clone(coordinator), holders[n % 2]);
            tokio::spawn(async move { coordinator.try_claim(what, who, LEASE).await })
        })
        .collect();
    let (mut won, mut fences) = (Vec::new(), BTreeSet::new());
    for claim in claims {
        match claim.await.unwrap() {
            Claimed::Won(lease) => {
                fences.insert(lease.fence);
                won.push(lease);
            }
            Claimed::Held | Claimed::Busy { .. } => {}
            Claimed::Unknown { why } => panic!("it could be learned: {why}"),
        }
    }
    assert_eq!((won.len(), fences.len()), (1, 1), "one winner");
    won[0]
}
