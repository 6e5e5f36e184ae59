//! A key in a file that only its owner can read.

use std::{fs, io, path::Path};

use super::{super::replace::replace, Key};

/// Reads the key; `None` where there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Key>, String> {
    let bytes = match fs::read(path) {
        Ok(bytes) => zeroize::Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("its key {} cannot be read: {error}", path.display())),
    };
    #[cfg(unix)]
    if let Ok(metadata) = fs::metadata(path) {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(format!(
                "its key {path} can be read by others (mode {mode:o}): run `chmod 600 {path}`",
                path = path.display()
            ));
        }
    }
    let key: [u8; 32] = bytes
        .as_slice()
        .try_into()
        .map_err(|_| format!("its key {} is not 32 bytes long: restore it from a backup", path.display()))?;
    Ok(Some(Key::new(key)))
}

/// The key that is there, or a new one. The caller holds the write lock.
pub(super) fn read_or_make(path: &Path) -> Result<Key, String> {
    if let Some(key) = read(path)? {
        return Ok(key);
    }
    let key = Key::new(rand::random());
    replace(path, key.as_slice()).map_err(|e| format!("its key {} cannot be made: {e}", path.display()))?;
    Ok(key)
}
