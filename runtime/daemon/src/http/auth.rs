//! Who calls.

use std::sync::Arc;

use axum::{
    extract::{Extension, FromRequestParts},
    http::{header, request::Parts},
};
use worknode_core::{
    command::Operation,
    error::{Code, Error},
    event::Principal,
    ids::{NodeId, RunId},
    run::RunStatus,
    time::Timestamp,
};
use worknode_policies::{
    authority::Authority,
    capability::{Claims, Opened, VERSION},
    signing::{Message, digest},
};

use super::{Api, error::ApiError, limits::Slot};

/// Through which door a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// The Unix socket.
    Socket,
    /// TCP, with TLS or on this machine.
    Tcp,
}

/// Whose process is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Not that of an agent of ours.
    Outside,
    /// One of this run.
    Run(RunId),
    /// It cannot be told: it is gone already, or not ours to look at.
    Unknown,
}

/// What is known of the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) door: Door,
    pub(crate) origin: Origin,
    /// Whether the kernel says that it runs as the owner of this daemon.
    pub(crate) is_owner: bool,
}

/// Digest of who asks and of all that they were given, whichever of it holds at this instant: one whose
/// raise ends between two attempts is still the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder(String);

impl Holder {
    fn of(claims: &Claims) -> Self {
        let given = Claims {
            issued: Timestamp::default(),
            expires: Timestamp::MAX,
            ..claims.clone()
        };
        // What came as JSON goes back into it.
        let json = serde_json::to_vec(&given).unwrap_or_default();
        Self(digest(&Message::of("worknode holder").bytes(&json)))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who makes a request, and what they may do.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Arc<Authority>, Behind);

/// What else is known of a caller.
#[derive(Clone, Debug, Default)]
struct Behind {
    /// Its capability; whoever comes through the socket needs none.
    opened: Option<Arc<Opened>>,
    /// Its place among the requests that are answered, given back when this one is.
    _slot: Option<Arc<Slot<NodeId>>>,
}

impl Caller {
    pub(crate) fn may(&self, operation: Operation, what: &str) -> Result<(), Error> {
        if self.0.operations.contains(&operation) {
            return Ok(());
        }
        let who = &self.0.principal;
        Err(Error::new(Code::Forbidden, format!("{who} may not {what}"))
            .hint("ask the operator, or an agent whose tier may"))
    }

    pub(crate) fn may_read(&self) -> Result<(), Error> {
        self.may(Operation::Read, "read")
    }

    pub(crate) fn may_write(&self) -> Result<(), Error> {
        self.may(Operation::Write, "create anything")
    }

    pub(crate) fn may_spawn(&self) -> Result<(), Error> {
        self.may(Operation::Spawn, "spawn anybody")
    }

    pub(crate) fn may_kill(&self) -> Result<(), Error> {
        self.may(Operation::Kill, "stop anything")
    }

    pub(crate) fn is_operator(&self) -> Result<(), Error> {
        if self.0.principal == Principal::Operator {
            Ok(())
        } else {
            Err(Error::new(
                Code::Forbidden,
                format!("{} may not do this; only the operator may", self.0.principal),
            ))
        }
    }
}

impl Caller {
    /// Who sends this.
    ///
    /// # Errors
    /// `forbidden` when nobody says so.
    pub(crate) async fn known(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Error> {
        let peer = Extension::<Peer>::from_request_parts(parts, api)
            .await
            .ok()
            .map(|Extension(peer)| peer);
        let (authority, opened) = match bearer(parts) {
            Some(token) => by_capability(api, token).map(|(authority, opened)| (authority, Some(opened)))?,
            None => (by_connection(peer)?, None),
        };
        Ok(Self(
            Arc::new(authority),
            Behind {
                opened,
                ..Behind::default()
            },
        ))
    }

    /// The same caller, with this authority.
    pub(super) fn with(self, authority: Authority) -> Self {
        Self(Arc::new(authority), self.1)
    }

    /// Who it is, with all that it was given.
    pub(super) fn holder(&self) -> Holder {
        if let Some(opened) = &self.1.opened {
            return Holder::of(opened.claims());
        }
        let authority = &self.0;
        Holder::of(&Claims {
            version: VERSION,
            principal: authority.principal.clone(),
            operations: authority.operations.clone(),
            subtree: authority.subtree,
            task: authority.task,
            raised: Vec::new(),
            expires: Timestamp::MAX,
            issued: Timestamp::default(),
            limits: authority.limits.clone(),
            from: Vec::new(),
        })
    }
}

impl Caller {
    /// The same, as one request more of theirs, which has its place as long as this lives.
    ///
    /// # Errors
    /// Also `backpressure` when there are too many.
    pub(crate) async fn counted(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Error> {
        let Self(authority, behind) = Self::known(parts, api).await?;
        let principal = &authority.principal;
        api.limits.count(principal, api.runtime.system().now())?;
        let slot = api.limits.slot(principal)?.map(Arc::new);
        let behind = Behind {
            _slot: slot,
            ..behind
        };
        Ok(Self(authority, behind))
    }
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        Ok(Self::counted(parts, api).await?)
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    parts
        .headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
        .map(str::trim)
}

/// The owner of the socket is the operator; but what an agent started is not, though it runs as
/// the same user (P9).
fn by_connection(peer: Option<Peer>) -> Result<Authority, Error> {
    match peer {
        Some(Peer {
            door: Door::Socket,
            is_owner: true,
            origin: Origin::Outside,
        }) => Ok(Authority::whole(Principal::Operator)),
        Some(Peer {
            origin: Origin::Run(run),
            ..
        }) => Err(Error::new(
            Code::Forbidden,
            format!("a process of run {run} needs the capability of its run"),
        )
        .hint("it is in the file that WORKNODE_TOKEN_FILE names; send `Authorization: Bearer …`")),
        _ => Err(Error::new(Code::Forbidden, "this needs a capability")
            .hint("send `Authorization: Bearer …`; the operator's is in .worknode/keys/operator.token")),
    }
}

/// A capability is worth what it says, while the run that it was made for lives (P4).
fn by_capability(api: &Api, token: &str) -> Result<(Authority, Arc<Opened>), Error> {
    let system = api.runtime.system();
    let is_at_or_below = |node, top| system.boundaries().is_at_or_below(node, top).ok();
    let here = &system.team().name;
    let capabilities = &system.context().capabilities;
    let now = system.now();
    let opened = capabilities.check(token, now, here, is_at_or_below)?;
    let claims = opened.claims_at(now);
    if let Principal::Agent { run, .. } = &claims.principal {
        let stored = system.reader().run(*run)?;
        let over = stored.is_none_or(|stored| matches!(stored.run.status, RunStatus::Exited { .. }));
        if over {
            return Err(Error::new(Code::Forbidden, "the run of this capability is over"));
        }
        api.runtime.called(*run);
    }
    if let Principal::Outside { node, name } = &claims.principal {
        let there = system.reader().node(*node)?;
        if there.is_none_or(|node| node.body.is_archived()) {
            let what = format!("the capability of {name} is worth nothing: its Worknode is gone");
            return Err(Error::new(Code::Forbidden, what));
        }
    }
    let mut authority = Authority::from(claims);
    authority.through = Some(Arc::clone(&opened));
    Ok((authority, opened))
}
