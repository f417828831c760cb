//! A folder for a test.

use std::fs;
use std::path::PathBuf;

/// Removed with all that is in it.
pub struct Folder {
    pub path: PathBuf,
}

impl Folder {
    pub fn new(name: &str) -> Folder {
        let mut random = [0; 4];
        getrandom::fill(&mut random).expect("random bytes");
        let path = std::env::temp_dir().join(format!("fws-{name}-{:08x}", u32::from_ne_bytes(random)));
        fs::create_dir(&path).expect("a folder");
        Folder { path: path.canonicalize().expect("just made") }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
