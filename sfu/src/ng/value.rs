//! What a message says, whichever way it is written.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::limits::{DEPTH, VALUES};

/// A value of a dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A whole number. JSON's `true` and `false` are 1 and 0.
    Number(i64),
    /// Text, or in bencode any bytes (a prompt handed over as a blob).
    Bytes(Vec<u8>),
    /// `l…e`, `[…]`
    List(Vec<Value>),
    /// `d…e`, `{…}`
    Dictionary(Dictionary),
}

/// Keys and values in the order of the message. A key may come twice; the first counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionary(Vec<(String, Value)>);

impl Value {
    /// The text, if it is some: bytes that are not UTF-8 are none.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The number; also one that is written as text, as proxies do with every option.
    pub fn number(&self) -> Option<i64> {
        match self {
            Value::Number(number) => Some(*number),
            other => other.text()?.trim().parse().ok(),
        }
    }

    /// The dictionary, if it is one.
    pub fn dictionary(&self) -> Option<&Dictionary> {
        match self {
            Value::Dictionary(dictionary) => Some(dictionary),
            _ => None,
        }
    }

    /// The texts of a list; a single text is a list of one. What is not text is left out.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let all = match self {
            Value::List(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        all.iter().filter_map(Value::text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Bytes(text.as_bytes().to_vec())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Bytes(text.into_bytes())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Number(number)
    }
}

impl From<Dictionary> for Value {
    fn from(dictionary: Dictionary) -> Value {
        Value::Dictionary(dictionary)
    }
}

impl Dictionary {
    /// An empty one.
    pub fn new() -> Dictionary {
        Dictionary::default()
    }

    /// With another entry at the end.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Dictionary {
        self.0.push((key.to_owned(), value.into()));
        self
    }

    /// The value of a key. Blanks and hyphens in keys are the same: proxies write both.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| same(name, key)).map(|(_, value)| value)
    }

    /// The text of a key; empty text counts as absent.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.text().filter(|text| !text.is_empty())
    }

    /// Every entry, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }
}

fn same(one: &str, other: &str) -> bool {
    let blank = |byte: u8| if byte == b'-' { b' ' } else { byte };
    one.len() == other.len() && one.bytes().zip(other.bytes()).all(|(a, b)| blank(a) == blank(b))
}

/// Reads a value with bounds on depth and number, so that no message costs more than its length.
struct Reader<'n> {
    depth: usize,
    left: &'n mut usize,
}

/// Reads a dictionary, the outermost value of every message.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Dictionary, D::Error> {
    let reader = Reader { depth: DEPTH, left: &mut { VALUES } };
    match reader.deserialize(deserializer)? {
        Value::Dictionary(dictionary) => Ok(dictionary),
        _ => Err(D::Error::custom("a message is a dictionary")),
    }
}

impl<'n> Reader<'n> {
    fn inner(&mut self) -> Reader<'_> {
        Reader { depth: self.depth - 1, left: self.left }
    }

    fn deeper<E: Error>(&self) -> Result<(), E> {
        if self.depth == 0 {
            return Err(E::custom(format_args!("more than {DEPTH} lists or dictionaries within each other")));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let Some(left) = self.left.checked_sub(1) else {
            return Err(D::Error::custom(format_args!("more than {VALUES} values")));
        };
        *self.left = left;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, a list or a dictionary")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        i64::try_from(value).map(Value::Number).map_err(|_| E::custom("a number beyond 2^63"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_bytes<E: Error>(self, value: &[u8]) -> Result<Value, E> {
        Ok(Value::Bytes(value.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        self.deeper()?;
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(self.inner())? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        self.deeper()?;
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<String>()? {
            entries.push((key, access.next_value_seed(self.inner())?));
        }
        Ok(Value::Dictionary(Dictionary(entries)))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Number(number) => serializer.serialize_i64(*number),
            // Replies hold text only; JSON could not hold anything else.
            Value::Bytes(bytes) => serializer.serialize_str(&String::from_utf8_lossy(bytes)),
            Value::List(list) => {
                let mut sequence = serializer.serialize_seq(Some(list.len()))?;
                list.iter().try_for_each(|value| sequence.serialize_element(value))?;
                sequence.end()
            }
            Value::Dictionary(dictionary) => dictionary.serialize(serializer),
        }
    }
}

impl Serialize for Dictionary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
        map.end()
    }
}
