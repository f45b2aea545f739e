//! What the type of a handler says of its operation.

use std::sync::Arc;

use axum::{extract::State, http::HeaderMap, response::Response};
use schemars::JsonSchema;
use worknode_core::hlc::Hlc;

use super::operation::Draft;
use crate::http::{
    Api,
    auth::Caller,
    error::ApiError,
    parts::{Created, Done, Json, Made, Path, Query, Tagged},
    shared::OneOf,
};

/// Something that a handler takes.
pub(in crate::http) trait Part {
    /// Is it what stands behind the `?`
    const QUERY: bool = false;

    /// Adds what a client must know of it.
    fn describe(_: &mut Draft<'_>) {}
}

impl Part for State<Arc<Api>> {}
impl Part for Caller {}
impl Part for HeaderMap {}

impl<T: JsonSchema> Part for Json<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.takes::<T>(true);
    }
}

impl<T: JsonSchema> Part for Option<Json<T>> {
    fn describe(draft: &mut Draft<'_>) {
        draft.takes::<T>(false);
    }
}

impl<T: JsonSchema> Part for Query<T> {
    const QUERY: bool = true;

    fn describe(draft: &mut Draft<'_>) {
        draft.asks::<T>();
    }
}

impl<T: Segments> Part for Path<T> {
    fn describe(draft: &mut Draft<'_>) {
        T::describe(draft);
    }
}

/// The parts of a path that a handler takes.
pub(in crate::http) trait Segments {
    fn describe(draft: &mut Draft<'_>);
}

impl Segments for String {
    fn describe(draft: &mut Draft<'_>) {
        draft.follows::<Self>();
    }
}

impl Segments for Hlc {
    fn describe(draft: &mut Draft<'_>) {
        draft.follows::<Self>();
    }
}

impl<A: JsonSchema, B: JsonSchema> Segments for (A, B) {
    fn describe(draft: &mut Draft<'_>) {
        draft.follows::<A>();
        draft.follows::<B>();
    }
}

impl<A: JsonSchema, B: JsonSchema, C: JsonSchema> Segments for (A, B, C) {
    fn describe(draft: &mut Draft<'_>) {
        draft.follows::<A>();
        draft.follows::<B>();
        draft.follows::<C>();
    }
}

/// Something that a handler answers.
pub(in crate::http) trait Answered {
    /// Adds what comes back when it succeeds.
    fn describe(draft: &mut Draft<'_>);
}

/// It can be anything: the route says what.
impl Answered for Response {
    fn describe(_: &mut Draft<'_>) {}
}

impl<T: JsonSchema> Answered for Json<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.gives::<T>(200, "application/json", "How it is now.");
    }
}

impl<T: JsonSchema> Answered for Created<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.gives::<T>(201, "application/json", "It was made.");
    }
}

impl<T: JsonSchema> Answered for Made<T> {
    fn describe(draft: &mut Draft<'_>) {
        <Created<T> as Answered>::describe(draft);
        <Json<T> as Answered>::describe(draft);
    }
}

impl<T: JsonSchema> Answered for Tagged<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.is_tagged = true;
        <Json<T> as Answered>::describe(draft);
    }
}

impl<T: Answered> Answered for OneOf<T> {
    fn describe(draft: &mut Draft<'_>) {
        T::describe(draft);
    }
}

impl Answered for Done {
    fn describe(draft: &mut Draft<'_>) {
        draft.gives_nothing(204, "It was done; there is nothing to say.");
    }
}

impl<T: Answered> Answered for Result<T, ApiError> {
    fn describe(draft: &mut Draft<'_>) {
        T::describe(draft);
    }
}

/// A handler whose type says what it takes and gives. `T` is what axum makes of its arguments.
pub(in crate::http) trait Described<T> {
    /// Does it look behind the `?`
    const QUERY: bool;

    /// Adds what its type says.
    fn describe(draft: &mut Draft<'_>);
}

impl<F, Fut, Res> Described<((),)> for F
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Res>,
    Res: Answered,
{
    const QUERY: bool = false;

    fn describe(draft: &mut Draft<'_>) {
        Res::describe(draft);
    }
}

macro_rules! described {
    ($($part:ident),+) => {
        impl<F, Fut, Res, M, $($part),+> Described<(M, $($part,)+)> for F
        where
            F: FnOnce($($part),+) -> Fut,
            Fut: Future<Output = Res>,
            Res: Answered,
            $($part: Part,)+
        {
            const QUERY: bool = $($part::QUERY)||+;

            fn describe(draft: &mut Draft<'_>) {
                $($part::describe(draft);)+
                Res::describe(draft);
            }
        }
    };
}

described!(A);
described!(A, B);
described!(A, B, C);
described!(A, B, C, D);
described!(A, B, C, D, E);
