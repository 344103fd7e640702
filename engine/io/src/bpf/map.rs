//! Maps: the tables that a program and user space share.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{BpfError, Call, bpf, object_name};

/// How a map finds its values (`enum bpf_map_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum MapKind {
    /// By any bytes; full means refused.
    Hash = 1,
    /// By a number from 0.
    Array = 2,
    /// By any bytes; when full, what was not used for longest makes room.
    LruHash = 9,
    /// AF_XDP sockets by the number of their queue.
    Xsk = 17,
    /// Sockets of a SO_REUSEPORT group by a number from 0. Values are descriptors, as u32 or u64.
    ReuseportSockets = 20,
}

/// A map in the kernel, gone with the last descriptor or program that holds it.
#[derive(Debug)]
pub struct Map {
    fd: OwnedFd,
    key_size: usize,
    value_size: usize,
}

/// `BPF_MAP_CREATE`'s part of `union bpf_attr`, as far as we fill it.
#[repr(C)]
#[derive(Default)]
struct CreateAttr {
    kind: u32,
    key_size: u32,
    value_size: u32,
    entries: u32,
    flags: u32,
    inner: u32,
    numa_node: u32,
    name: [u8; 16],
}

/// `BPF_MAP_*_ELEM`'s part of `union bpf_attr`.
#[repr(C)]
#[derive(Default)]
struct ElementAttr {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

impl Map {
    /// Sizes in bytes. The name is for bpftool, at most 15 letters, digits or underscores.
    pub fn create(
        kind: MapKind,
        key_size: usize,
        value_size: usize,
        entries: usize,
        name: &'static str,
    ) -> Result<Map, BpfError> {
        let mut attr = CreateAttr {
            kind: kind as u32,
            key_size: key_size as u32,
            value_size: value_size as u32,
            entries: entries as u32,
            name: object_name(name),
            ..CreateAttr::default()
        };
        // SAFETY: the attribute holds numbers only.
        let fd = unsafe { bpf(Call::MapCreate, &mut attr) }?;
        // SAFETY: the kernel has just made this descriptor for us alone.
        Ok(Map { fd: unsafe { OwnedFd::from_raw_fd(fd) }, key_size, value_size })
    }

    /// Sets or replaces a value.
    ///
    /// # Panics
    /// If the key or the value has not the size the map was made with; so do the others.
    pub fn update(&self, key: &[u8], value: &[u8]) -> Result<(), BpfError> {
        assert_eq!(value.len(), self.value_size, "a value of this map");
        let mut attr = self.element(key);
        attr.value = value.as_ptr() as u64;
        // SAFETY: key and value have the sizes that the kernel knows for this map, and are only read.
        unsafe { bpf(Call::MapUpdate, &mut attr) }.map(drop)
    }

    /// Removes a value; whether there was one.
    pub fn delete(&self, key: &[u8]) -> Result<bool, BpfError> {
        let mut attr = self.element(key);
        // SAFETY: the key has the size that the kernel knows for this map, and is only read.
        found(unsafe { bpf(Call::MapDelete, &mut attr) }.map(drop))
    }

    /// Copies a value out; whether there is one.
    pub fn lookup(&self, key: &[u8], value: &mut [u8]) -> Result<bool, BpfError> {
        assert_eq!(value.len(), self.value_size, "a value of this map");
        let mut attr = self.element(key);
        attr.value = value.as_mut_ptr() as u64;
        // SAFETY: key and value have the sizes that the kernel knows for this map; the value is ours to write.
        found(unsafe { bpf(Call::MapLookup, &mut attr) }.map(drop))
    }

    fn element(&self, key: &[u8]) -> ElementAttr {
        assert_eq!(key.len(), self.key_size, "a key of this map");
        ElementAttr { map: self.fd.as_raw_fd() as u32, key: key.as_ptr() as u64, ..ElementAttr::default() }
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn found(result: Result<(), BpfError>) -> Result<bool, BpfError> {
    match result {
        Ok(()) => Ok(true),
        Err(BpfError::System { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
