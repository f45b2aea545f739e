//! A value that expressions are evaluated on.
//!
//! It is kept as the interpreter's own values, so that an evaluation borrows it and copies
//! nothing, however many expressions ask for it.

use std::{collections::HashMap, fmt, time::Duration};

use cel::common::{
    types::{
        CelBool, CelDouble, CelDuration, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString,
        CelTimestamp, CelUInt,
    },
    value::Val,
};
use serde_json::Value as Json;
use worknode_core::{bounds, time::Timestamp};

/// One value: text, number, instant, list, and so on.
#[derive(Clone)]
pub struct Fact {
    value: Value,
    size: Size,
}

/// The kinds of values that there are.
#[derive(Clone)]
enum Value {
    Null,
    Truth(CelBool),
    Whole(CelInt),
    Real(CelDouble),
    Text(CelString<'static>),
    Time(CelTimestamp),
    Span(CelDuration),
    List(CelList<'static>),
    Map(CelMap<'static>),
}

/// How large a value is: what touching all of it costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Bytes, roughly, all that is in it included.
    pub(crate) bytes: usize,
    /// Bytes of the largest element of any list or map in it: what one turn of a loop copies.
    pub(crate) element: usize,
}

impl Size {
    /// What a value without contents takes, and an entry of a list or map.
    const CELL: usize = 32;

    const fn flat(bytes: usize) -> Self {
        Self {
            bytes: Self::CELL.saturating_add(bytes),
            element: 0,
        }
    }

    /// With `inner` as one of its elements.
    fn holding(self, inner: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(inner.bytes),
            element: self.element.max(inner.bytes).max(inner.element),
        }
    }

    /// Of two values that stand beside each other.
    pub(crate) fn beside(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            element: self.element.max(other.element),
        }
    }
}

/// Lists and maps nest deeper than [`bounds::FACTS_DEPTH`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("lists and maps nest deeper than {limit} levels; flatten them")]
pub struct TooDeep {
    /// How deep they may nest.
    pub limit: usize,
}

impl Fact {
    const fn flat(value: Value) -> Self {
        Self {
            value,
            size: Size::flat(0),
        }
    }

    /// Nothing.
    #[must_use]
    pub const fn null() -> Self {
        Self::flat(Value::Null)
    }

    /// Many of them, in this order.
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        let mut size = Size::flat(0);
        let keep = |item: Self| {
            size = size.holding(item.size);
            item.into_val()
        };
        let items: Vec<Box<dyn Val>> = items.into_iter().map(keep).collect();
        Self {
            value: Value::List(CelList::from(items)),
            size,
        }
    }

    /// Many of them, each under a name; of two with one name the later counts.
    pub fn map(entries: impl IntoIterator<Item = (String, Self)>) -> Self {
        let mut size = Size::flat(0);
        let keep = |(key, fact): (String, Self)| {
            // A loop over a map goes over its keys.
            size = size.holding(Size::flat(key.len())).beside(fact.size);
            (CelMapKey::from(key), fact.into_val())
        };
        let entries: HashMap<CelMapKey<'static>, Box<dyn Val>> = entries.into_iter().map(keep).collect();
        Self {
            value: Value::Map(CelMap::from(entries)),
            size,
        }
    }

    /// From JSON. Numbers without a fraction become whole numbers.
    ///
    /// # Errors
    /// [`TooDeep`] when it nests deeper than [`bounds::FACTS_DEPTH`].
    pub fn json(json: &Json) -> Result<Self, TooDeep> {
        Self::json_within(json, bounds::FACTS_DEPTH)
    }

    fn json_within(json: &Json, levels: usize) -> Result<Self, TooDeep> {
        let inner = levels.checked_sub(1).ok_or(TooDeep {
            limit: bounds::FACTS_DEPTH,
        });
        Ok(match json {
            Json::Null => Self::null(),
            Json::Bool(truth) => Self::from(*truth),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Self::from(whole),
                None => Self::from(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::from(text.as_str()),
            Json::Array(items) => {
                let inner = inner?;
                let items: Result<Vec<_>, _> =
                    items.iter().map(|item| Self::json_within(item, inner)).collect();
                Self::list(items?)
            }
            Json::Object(entries) => {
                let inner = inner?;
                let entry =
                    |(key, value): (&String, &Json)| Ok((key.clone(), Self::json_within(value, inner)?));
                let entries: Result<Vec<_>, TooDeep> = entries.iter().map(entry).collect();
                Self::map(entries?)
            }
        })
    }

    pub(crate) const fn size(&self) -> Size {
        self.size
    }

    pub(crate) fn as_val(&self) -> &dyn Val {
        match &self.value {
            Value::Null => &CelNull,
            Value::Truth(value) => value,
            Value::Whole(value) => value,
            Value::Real(value) => value,
            Value::Text(value) => value,
            Value::Time(value) => value,
            Value::Span(value) => value,
            Value::List(value) => value,
            Value::Map(value) => value,
        }
    }

    fn into_val(self) -> Box<dyn Val> {
        match self.value {
            Value::Null => Box::new(CelNull),
            Value::Truth(value) => Box::new(value),
            Value::Whole(value) => Box::new(value),
            Value::Real(value) => Box::new(value),
            Value::Text(value) => Box::new(value),
            Value::Time(value) => Box::new(value),
            Value::Span(value) => Box::new(value),
            Value::List(value) => Box::new(value),
            Value::Map(value) => Box::new(value),
        }
    }

    /// Nothing at all?
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// The text, when it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text.inner()),
            _ => None,
        }
    }

    /// True or false, when it is one of these.
    #[must_use]
    pub fn as_truth(&self) -> Option<bool> {
        match &self.value {
            Value::Truth(truth) => Some(*truth.inner()),
            _ => None,
        }
    }

    /// The whole number, when it is one.
    #[must_use]
    pub fn as_whole(&self) -> Option<i64> {
        match &self.value {
            Value::Whole(whole) => Some(*whole.inner()),
            _ => None,
        }
    }

    /// The number, whole or not; of a length of time its seconds.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match &self.value {
            #[expect(clippy::cast_precision_loss, reason = "asked for as a double")]
            Value::Whole(whole) => Some(*whole.inner() as f64),
            Value::Real(real) => Some(*real.inner()),
            Value::Span(span) => Some(span.inner().as_seconds_f64()),
            _ => None,
        }
    }

    /// Milliseconds since the Unix epoch, when it is an instant; negative before it.
    #[must_use]
    pub fn as_millis(&self) -> Option<i64> {
        match &self.value {
            Value::Time(time) => Some(time.inner().timestamp_millis()),
            _ => None,
        }
    }

    /// The texts in it, when it is a list.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let items: &[Box<dyn Val>] = match &self.value {
            Value::List(list) => list.inner(),
            _ => &[],
        };
        items
            .iter()
            .filter_map(|item| item.downcast_ref::<CelString<'_>>().map(CelString::inner))
    }

    /// Its type, as the language names it.
    #[must_use]
    pub fn type_name(&self) -> &str {
        self.as_val().get_type().name()
    }

    /// As JSON: instants as RFC 3339, lengths of time as seconds.
    #[must_use]
    pub fn to_json(&self) -> Json {
        val_to_json(self.as_val())
    }
}

/// A value of the interpreter's as JSON.
fn val_to_json(value: &dyn Val) -> Json {
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        Json::Array(list.iter().map(|item| val_to_json(&**item)).collect())
    } else if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        let entries = map
            .iter()
            .map(|(key, value)| (key_text(key), val_to_json(&**value)));
        Json::Object(entries.collect())
    } else {
        single_to_json(value).unwrap_or(Json::Null)
    }
}

fn single_to_json(value: &dyn Val) -> Option<Json> {
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        Some(Json::from(text.inner()))
    } else if let Some(whole) = value.downcast_ref::<CelInt>() {
        Some(Json::from(*whole.inner()))
    } else if let Some(whole) = value.downcast_ref::<CelUInt>() {
        Some(Json::from(*whole.inner()))
    } else if let Some(real) = value.downcast_ref::<CelDouble>() {
        Some(Json::from(*real.inner()))
    } else if let Some(truth) = value.downcast_ref::<CelBool>() {
        Some(Json::from(*truth.inner()))
    } else if let Some(time) = value.downcast_ref::<CelTimestamp>() {
        let utc = time.inner().with_timezone(&chrono::Utc);
        let text = utc.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        Some(Json::from(text))
    } else {
        let span = value.downcast_ref::<CelDuration>()?;
        Some(Json::from(span.inner().as_seconds_f64()))
    }
}

/// The key of a map as text.
fn key_text(key: &CelMapKey<'_>) -> String {
    match val_to_json(key.inner()) {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

/// A value that an evaluation gave, on its own.
pub(crate) fn fact_of_val(value: &dyn Val) -> Fact {
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        Fact::list(list.iter().map(|item| fact_of_val(&**item)))
    } else if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        Fact::map(
            map.iter()
                .map(|(key, value)| (key_text(key), fact_of_val(&**value))),
        )
    } else {
        fact_of_single(value).unwrap_or_else(Fact::null)
    }
}

fn fact_of_single(value: &dyn Val) -> Option<Fact> {
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        Some(Fact::from(text.inner()))
    } else if let Some(whole) = value.downcast_ref::<CelInt>() {
        Some(Fact::from(*whole.inner()))
    } else if let Some(whole) = value.downcast_ref::<CelUInt>() {
        Some(Fact::from(*whole.inner()))
    } else if let Some(real) = value.downcast_ref::<CelDouble>() {
        Some(Fact::from(*real.inner()))
    } else if let Some(truth) = value.downcast_ref::<CelBool>() {
        Some(Fact::from(*truth.inner()))
    } else if let Some(time) = value.downcast_ref::<CelTimestamp>() {
        Some(Fact::flat(Value::Time(time.clone())))
    } else {
        let span = value.downcast_ref::<CelDuration>()?;
        Some(Fact::flat(Value::Span(*span)))
    }
}
impl PartialEq for Fact {
    fn eq(&self, other: &Self) -> bool {
        self.as_val().equals(other.as_val())
    }
}

impl fmt::Debug for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_json())
    }
}

impl From<bool> for Fact {
    fn from(truth: bool) -> Self {
        Self::flat(Value::Truth(CelBool::from(truth)))
    }
}

impl From<i64> for Fact {
    fn from(whole: i64) -> Self {
        Self::flat(Value::Whole(CelInt::from(whole)))
    }
}

impl From<i32> for Fact {
    fn from(whole: i32) -> Self {
        Self::from(i64::from(whole))
    }
}

impl From<u32> for Fact {
    fn from(whole: u32) -> Self {
        Self::from(i64::from(whole))
    }
}

/// What is beyond the language's whole numbers is their largest.
impl From<u64> for Fact {
    fn from(whole: u64) -> Self {
        Self::from(i64::try_from(whole).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Fact {
    fn from(whole: usize) -> Self {
        Self::from(i64::try_from(whole).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Fact {
    fn from(real: f64) -> Self {
        Self::flat(Value::Real(CelDouble::from(real)))
    }
}

impl From<String> for Fact {
    fn from(text: String) -> Self {
        Self {
            size: Size::flat(text.len()),
            value: Value::Text(CelString::from(text)),
        }
    }
}

impl From<&str> for Fact {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<Timestamp> for Fact {
    fn from(time: Timestamp) -> Self {
        Self::flat(Value::Time(CelTimestamp::from(time.to_chrono().fixed_offset())))
    }
}

/// What is beyond the language's lengths of time (292 years) is their largest.
impl From<Duration> for Fact {
    fn from(span: Duration) -> Self {
        let nanos = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        Self::flat(Value::Span(CelDuration::from(chrono::Duration::nanoseconds(
            nanos,
        ))))
    }
}

/// `None` is nothing.
impl<T: Into<Self>> From<Option<T>> for Fact {
    fn from(value: Option<T>) -> Self {
        value.map_or_else(Self::null, Into::into)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Fact {
    fn from(items: Vec<T>) -> Self {
        Self::list(items.into_iter().map(Into::into))
    }
}
