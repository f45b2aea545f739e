//! Arguments, variables, paths and input as JSON: text where it is text, numbers where not.
//! The kernel takes any bytes, and JSON does not.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes on the wire.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Bytes {
    Text(String),
    Raw(Vec<u8>),
}

impl Bytes {
    fn new(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Raw(error.into_bytes()), Self::Text)
    }

    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Raw(bytes) => bytes,
        }
    }
}

/// What can be written this way.
pub(crate) trait Raw: Sized {
    fn to_raw(&self) -> Vec<u8>;
    fn from_raw(bytes: Vec<u8>) -> Self;
}

impl Raw for OsString {
    fn to_raw(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
    fn from_raw(bytes: Vec<u8>) -> Self {
        Self::from_vec(bytes)
    }
}

impl Raw for PathBuf {
    fn to_raw(&self) -> Vec<u8> {
        self.as_os_str().as_bytes().to_vec()
    }
    fn from_raw(bytes: Vec<u8>) -> Self {
        Self::from(OsString::from_vec(bytes))
    }
}

impl Raw for Vec<u8> {
    fn to_raw(&self) -> Vec<u8> {
        self.clone()
    }
    fn from_raw(bytes: Vec<u8>) -> Self {
        bytes
    }
}

/// For `#[serde(with = "text")]`.
pub(crate) fn serialize<T: Raw, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    Bytes::new(value.to_raw()).serialize(serializer)
}

pub(crate) fn deserialize<'de, T: Raw, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(T::from_raw(Bytes::deserialize(deserializer)?.into_bytes()))
}

/// For `#[serde(with = "text::list")]`.
pub(crate) mod list {
    use super::{Bytes, Deserialize, Deserializer, Raw, Serializer};

    pub(crate) fn serialize<T: Raw, S: Serializer>(list: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(|item| Bytes::new(item.to_raw())))
    }

    pub(crate) fn deserialize<'de, T: Raw, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        let list = Vec::<Bytes>::deserialize(deserializer)?;
        Ok(list
            .into_iter()
            .map(|item| T::from_raw(item.into_bytes()))
            .collect())
    }
}

/// For the variables of an environment: `#[serde(with = "text::map")]`.
pub(crate) mod map {
    use std::{collections::BTreeMap, ffi::OsString};

    use super::{Bytes, Deserialize, Deserializer, Raw, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        map: &BTreeMap<OsString, OsString>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let pairs = map.iter();
        serializer
            .collect_seq(pairs.map(|(name, value)| (Bytes::new(name.to_raw()), Bytes::new(value.to_raw()))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<OsString, OsString>, D::Error> {
        let pairs = Vec::<(Bytes, Bytes)>::deserialize(deserializer)?.into_iter();
        let read = |bytes: Bytes| OsString::from_raw(bytes.into_bytes());
        Ok(pairs.map(|(name, value)| (read(name), read(value))).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Holder {
        #[serde(with = "super")]
        one: OsString,
        #[serde(with = "super::list")]
        many: Vec<PathBuf>,
    }

    proptest! {
        #[test]
        fn any_bytes_survive_the_wire(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            let holder = Holder {
                one: OsString::from_vec(bytes.clone()),
                many: vec![PathBuf::from_raw(bytes.clone())],
            };
            let text = serde_json::to_string(&holder).unwrap();
            let read: Holder = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read.one.as_bytes(), &bytes[..]);
            prop_assert_eq!(read.many[0].as_os_str().as_bytes(), &bytes[..]);
        }
    }
}
