//! Programs of the machine.

use std::path::PathBuf;

/// The program of this name in one of PATH's folders.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Whether there is such a program.
pub(crate) fn on_path(program: &str) -> bool {
    find(program).is_some()
}
