//! Values as they are written, and what each kind of setting accepts.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use kaname_engine::audio::Rate;

use crate::calls::{ForwardTo, Interface};
use crate::ng::Network;

use super::{LogFormat, LogLevel, MediaIo, Mode, Secret, Steering, XdpMode};

/// A value as the file, the environment or a flag gave it.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Value {
    Bool(bool),
    Integer(i64),
    Text(String),
    List(Vec<String>),
}

/// What a setting accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number between two bounds, both included.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A text.
    Text,
    /// A path.
    Path,
    /// A text that is never shown.
    Secret,
    /// Addresses with port.
    Sockets,
    /// Addresses.
    Addresses,
    /// The address of a receiver of sound.
    Receiver,
    /// Texts.
    Texts,
    /// Networks.
    Networks,
    /// Named addresses for media ports.
    Interfaces,
}

impl Kind {
    /// What to write, in words: "a whole number from 0 to 65535".
    pub fn expects(self) -> String {
        match self {
            Kind::Bool => "true or false".into(),
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Choice(words) => {
                words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ")
            }
            Kind::Path => "a path, as text in quotes".into(),
            Kind::Text | Kind::Secret => "a text in quotes".into(),
            Kind::Receiver => "\"tcp://host:port\" or \"tls://host:port\"".into(),
            Kind::Sockets => {
                "a list of addresses with port, such as [\"127.0.0.1:7800\", \"[::1]:7800\"]".into()
            }
            Kind::Addresses => "a list of addresses, such as [\"192.0.2.7\", \"2001:db8::7\"]".into(),
            Kind::Texts => "a list of texts".into(),
            Kind::Networks => "a list of networks, such as [\"192.0.2.0/24\", \"2001:db8::7\"]".into(),
            Kind::Interfaces => {
                "a list of name/address or name/address!advertised, such as [\"internal/10.0.0.7\", \"external/10.0.1.7!192.0.2.7\"]".into()
            }
        }
    }

    /// Whether the value is a list.
    pub(super) fn is_list(self) -> bool {
        matches!(self, Kind::Sockets | Kind::Addresses | Kind::Texts | Kind::Networks | Kind::Interfaces)
    }

    /// Reads what the environment or a flag gives: text alone, lists divided by commas.
    pub(super) fn parse_text(self, text: &str) -> Result<Value, String> {
        Ok(match self {
            Kind::Bool => match text {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                other => return Err(self.refuse(other)),
            },
            Kind::Integer { .. } => Value::Integer(text.parse().map_err(|_| self.refuse(text))?),
            Kind::Choice(_) | Kind::Text | Kind::Path | Kind::Secret | Kind::Receiver => {
                Value::Text(text.to_owned())
            }
            Kind::Sockets | Kind::Addresses | Kind::Texts | Kind::Networks | Kind::Interfaces => Value::List(
                text.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect(),
            ),
        })
    }

    /// Checks type and range; the message says what was found and what is expected.
    pub(super) fn check(self, value: &Value) -> Result<(), String> {
        match (self, value) {
            (Kind::Bool, Value::Bool(_))
            | (Kind::Text | Kind::Path | Kind::Secret | Kind::Receiver, Value::Text(_))
            | (
                Kind::Sockets | Kind::Addresses | Kind::Texts | Kind::Networks | Kind::Interfaces,
                Value::List(_),
            ) => Ok(()),
            (Kind::Integer { min, max }, Value::Integer(number)) if (min..=max).contains(number) => Ok(()),
            (Kind::Choice(words), Value::Text(text)) if words.contains(&text.as_str()) => Ok(()),
            (Kind::Secret, _) => Err(format!("expected {}", self.expects())),
            (_, value) => Err(self.refuse(&value.shown())),
        }
    }

    fn refuse(self, found: &str) -> String {
        format!("{} is not allowed here; give {}", shorten(found), self.expects())
    }
}

impl Value {
    fn shown(&self) -> String {
        match self {
            Value::Bool(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::Text(value) => format!("{value:?}"),
            Value::List(values) => format!("{values:?}"),
        }
    }
}

/// Keeps a message to a line, whatever was written.
fn shorten(text: &str) -> String {
    const KEEP: usize = 60;
    let clean: String = text.chars().flat_map(char::escape_debug).collect();
    if clean.chars().count() <= KEEP {
        clean
    } else {
        clean.chars().take(KEEP).chain("…".chars()).collect()
    }
}

/// A type a setting can have. [`Kind::check`] has passed before `read` is called.
pub(super) trait Setting: Sized {
    fn read(value: &Value) -> Result<Self, String>;
    /// As it would be written in the file; empty: not set.
    fn show(&self) -> String;
}

/// The table gives a setting a kind that its type cannot take; a unit test reads every key once, so it cannot be released.
fn mismatch<T>() -> Result<T, String> {
    Err("the table of settings is wrong about this one; please report it".into())
}

impl Setting for bool {
    fn read(value: &Value) -> Result<Self, String> {
        if let Value::Bool(value) = value { Ok(*value) } else { mismatch() }
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

macro_rules! integer_setting {
    ($($type:ty),*) => { $(
        impl Setting for $type {
            fn read(value: &Value) -> Result<Self, String> {
                let Value::Integer(number) = value else { return mismatch() };
                <$type>::try_from(*number).or_else(|_| mismatch())
            }
            fn show(&self) -> String {
                self.to_string()
            }
        }
    )* };
}
integer_setting!(u8, u16, u32, u64, usize);

impl Setting for Option<PathBuf> {
    fn read(value: &Value) -> Result<Self, String> {
        let Value::Text(text) = value else { return mismatch() };
        Ok((!text.is_empty()).then(|| PathBuf::from(text)))
    }
    fn show(&self) -> String {
        self.as_ref().map(|path| format!("{:?}", path.display().to_string())).unwrap_or_default()
    }
}

impl Setting for Option<String> {
    fn read(value: &Value) -> Result<Self, String> {
        let Value::Text(text) = value else { return mismatch() };
        Ok((!text.is_empty()).then(|| text.clone()))
    }
    fn show(&self) -> String {
        self.as_ref().map(|text| format!("{text:?}")).unwrap_or_default()
    }
}

impl Setting for Option<Secret> {
    fn read(value: &Value) -> Result<Self, String> {
        let Value::Text(text) = value else { return mismatch() };
        Ok((!text.is_empty()).then(|| Secret::new(text.as_str())))
    }
    fn show(&self) -> String {
        self.as_ref().map(|_| "(not shown)".to_owned()).unwrap_or_default()
    }
}

impl Setting for Option<ForwardTo> {
    fn read(value: &Value) -> Result<Self, String> {
        let Value::Text(text) = value else { return mismatch() };
        let read = |text: &String| text.parse().map_err(|_| Kind::Receiver.refuse(text));
        Some(text).filter(|text| !text.is_empty()).map(read).transpose()
    }
    fn show(&self) -> String {
        self.as_ref().map(|to| format!("{:?}", to.to_string())).unwrap_or_default()
    }
}

impl Setting for Rate {
    fn read(value: &Value) -> Result<Self, String> {
        let Value::Integer(number) = value else { return mismatch() };
        let rate = u32::try_from(*number).ok().and_then(Rate::from_hz);
        rate.ok_or_else(|| {
            let all: Vec<String> = Rate::ALL.iter().map(|rate| rate.hz().to_string()).collect();
            format!("{number} is not a rate of sound; give {}", all.join(" or "))
        })
    }
    fn show(&self) -> String {
        self.hz().to_string()
    }
}

fn read_list<T: std::str::FromStr>(value: &Value, what: &str) -> Result<Vec<T>, String> {
    let Value::List(items) = value else { return mismatch() };
    let item = |text: &String| text.parse().map_err(|_| format!("{:?} is not {what}", shorten(text)));
    items.iter().map(item).collect()
}

fn show_list<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(|item| format!("{:?}", item.to_string())).collect();
    format!("[{}]", items.join(", "))
}

impl Setting for Vec<SocketAddr> {
    fn read(value: &Value) -> Result<Self, String> {
        read_list(value, "an address with port, such as \"127.0.0.1:7800\" or \"[::1]:7800\"")
    }
    fn show(&self) -> String {
        show_list(self)
    }
}

impl Setting for Vec<IpAddr> {
    fn read(value: &Value) -> Result<Self, String> {
        read_list(value, "an address, such as \"192.0.2.7\" or \"2001:db8::7\"")
    }
    fn show(&self) -> String {
        show_list(self)
    }
}

impl Setting for Vec<Network> {
    fn read(value: &Value) -> Result<Self, String> {
        read_list(value, "a network, such as \"192.0.2.0/24\" or \"2001:db8::7\"")
    }
    fn show(&self) -> String {
        show_list(self)
    }
}

impl Setting for Vec<Interface> {
    fn read(value: &Value) -> Result<Self, String> {
        read_list(value, "an interface, such as \"external/10.0.0.7!192.0.2.7\"")
    }
    fn show(&self) -> String {
        show_list(self)
    }
}

impl Setting for Vec<String> {
    fn read(value: &Value) -> Result<Self, String> {
        read_list(value, "a text")
    }
    fn show(&self) -> String {
        show_list(self)
    }
}

/// A setting that is one of a few words: the words stand once, here, and the table names them by `WORDS`.
macro_rules! choice_setting {
    ($type:ident, $($word:literal => $variant:ident),+) => {
        impl $type {
            pub(super) const WORDS: &'static [&'static str] = &[$($word),+];
        }
        impl Setting for $type {
            fn read(value: &Value) -> Result<Self, String> {
                match value {
                    $(Value::Text(text) if text == $word => Ok($type::$variant),)+
                    _ => mismatch(),
                }
            }
            fn show(&self) -> String {
                match self { $($type::$variant => format!("{:?}", $word),)+ }
            }
        }
    };
}
choice_setting!(Mode, "development" => Development, "production" => Production);
choice_setting!(Steering, "auto" => Auto, "ebpf" => Ebpf, "hand-over" => HandOver);
choice_setting!(MediaIo, "auto" => Auto, "kernel" => Kernel, "af-xdp" => AfXdp, "portable" => Portable);
choice_setting!(XdpMode, "auto" => Auto, "zero-copy" => ZeroCopy, "driver" => Driver, "generic" => Generic);
choice_setting!(LogFormat, "text" => Text, "json" => Json);
choice_setting!(LogLevel, "error" => Error, "warn" => Warn, "info" => Info, "debug" => Debug, "trace" => Trace);
