//! Why a command is refused.

use super::Command;
use crate::sdp::Quoted;

/// What is wrong with a command, naming the key. Foreign text appears only shortened and escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// No `command`, or none that is known.
    #[error("unknown command {0}; docs/ng.md lists those that there are")]
    Command(Quoted),
    /// A key that the command needs.
    #[error("{command} needs the key {key}")]
    Missing {
        /// The command.
        command: Command,
        /// The key.
        key: &'static str,
    },
    /// A value of another type than the key has.
    #[error("{key} must be {expected}")]
    Type {
        /// The key.
        key: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A value that is none of the key's choices.
    #[error("{key} is {value}, but must be {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// What it is.
        value: Quoted,
        /// What it should be.
        expected: &'static str,
    },
    /// A text with control characters: it could break out of its line in a session description or a log.
    #[error("{key} holds a line break or another control character; remove it")]
    Control {
        /// The key.
        key: &'static str,
    },
    /// Longer than [`super::limits`] allow.
    #[error("{key} has more than {limit} {unit}; shorten it")]
    TooLong {
        /// The key.
        key: &'static str,
        /// How much is read.
        limit: usize,
        /// Of what.
        unit: &'static str,
    },
}
