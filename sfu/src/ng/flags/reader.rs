//! A dictionary, key by key.

use super::{FlagError, Flags};
use crate::ng::value::Dictionary;

pub(super) fn read(dictionary: &Dictionary) -> Result<Flags, FlagError> {
    let _ = dictionary;
    Ok(Flags::default())
}
