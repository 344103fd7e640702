//! Loading a library of the system when the program starts.

use libloading::Library;

/// Loads a library by its versioned name; `None` if the machine does not have it.
pub(super) fn load(name: &str) -> Option<Library> {
    // SAFETY: loading runs the library's initialisers. The names are those of codec libraries of the distribution,
    // fixed in this folder, whose initialisers do nothing.
    unsafe { Library::new(name) }.ok()
}

/// Finds a function of a library.
///
/// # Safety
/// `F` is the function's type as its header declares it.
pub(super) unsafe fn function<F: Copy>(library: &Library, name: &str) -> Option<F> {
    // SAFETY: the caller names the right type; the function is used only while its library is held beside it.
    unsafe { library.get::<F>(name.as_bytes()) }.ok().map(|symbol| *symbol)
}
