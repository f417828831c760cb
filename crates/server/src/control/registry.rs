//! The servers of a folder. Each has a name there, and up to three files: `NAME.lock` is locked as long as it lives, `NAME.json`
//! describes it, `NAME.sock` is its control socket, unless that is elsewhere.
//!
//! A name is never used again, so nobody can remove what belongs to a living server: whoever has its lock finds only a dead one's files.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::description::Description;
use super::location::{Folder, Kind};
use super::lock::{FileLock, Life, life};
use super::place::{INSIDE, LONGEST_PATH, answers};

/// The longest description that is read.
const LONGEST: u64 = 64 << 10;

/// The files of this server in a folder. Dropped, they are removed.
#[derive(Debug)]
pub struct Entry {
    stem: PathBuf,
    kind: Kind,
    lock: FileLock,
}

impl Entry {
    /// Makes an entry in the first folder that can be used, and removes what dead servers left there.
    pub fn make(folders: &[Folder]) -> Result<Entry, String> {
        let mut wrong = Vec::new();
        for folder in folders {
            match folder.make().and_then(|()| folder.check()).and_then(|_| Entry::within(folder)) {
                Ok(entry) => {
                    sweep(&folder.path);
                    return Ok(entry);
                }
                Err(why) => wrong.push(why),
            }
        }
        Err(wrong.join("; "))
    }

    fn within(folder: &Folder) -> Result<Entry, String> {
        let failed = |why: io::Error| format!("{}: {why}", folder.path.display());
        loop {
            let stem = folder.path.join(format!("{}-{}", std::process::id(), random().map_err(failed)?));
            let longest = beside(&stem, ".new").join(INSIDE).as_os_str().len().max(beside(&stem, ".sock").as_os_str().len());
            if longest > LONGEST_PATH {
                return Err(format!("{}: its path is too long for a socket, by {} bytes", folder.path.display(), longest - LONGEST_PATH));
            }
            if let Some(lock) = FileLock::take(&beside(&stem, ".lock")).map_err(failed)? {
                return Ok(Entry { stem, kind: folder.kind, lock });
            }
            // Somebody looked whether we live, in this very moment.
        }
    }

    /// Where the socket is to be, unless it is elsewhere.
    pub fn socket(&self) -> PathBuf {
        beside(&self.stem, ".sock")
    }

    /// Where the socket is made, if nobody else may enter there.
    pub fn room(&self) -> PathBuf {
        beside(&self.stem, ".new")
    }

    /// Tells others about this server. They see the description before or the new one, never a part.
    pub fn describe(&self, description: &Description) -> io::Result<()> {
        let (path, new) = (beside(&self.stem, ".json"), beside(&self.stem, ".json.new"));
        let mut text = serde_json::to_vec_pretty(description)?;
        text.push(b'\n');
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        let written = (|| {
            file.write_all(&text)?;
            // Users who may enter the folder may know which servers there are. The socket decides what they may do.
            if self.kind != Kind::Private {
                file.set_permissions(fs::Permissions::from_mode(0o644))?;
            }
            fs::rename(&new, &path)
        })();
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written
    }

    /// Whether the files are still there.
    pub fn is_there(&self) -> bool {
        self.lock.is_there() && fs::symlink_metadata(beside(&self.stem, ".json")).is_ok()
    }

    /// Makes the files young again, for the programs that clean /tmp.
    pub fn touch(&self) {
        self.lock.touch();
        if let Ok(file) = OpenOptions::new().write(true).open(beside(&self.stem, ".json")) {
            let _ = file.set_modified(std::time::SystemTime::now());
        }
    }

    /// The lock.
    pub fn lock(&self) -> &FileLock {
        &self.lock
    }

    /// Removes the description: nobody shall find what is about to go.
    pub fn withdraw(&self) {
        let _ = fs::remove_file(beside(&self.stem, ".json"));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.withdraw();
    }
}

/// The servers of a folder that live. An error: this user may not look.
pub fn servers(folder: &Path) -> io::Result<Vec<Description>> {
    let mut found = Vec::new();
    for name in names(folder)? {
        let stem = folder.join(name);
        let Some(description) = read(&beside(&stem, ".json")) else { continue };
        let lives = match life(&beside(&stem, ".lock")) {
            Life::Living => true,
            Life::Dead => false,
            Life::Unknown => description.socket.as_deref().is_some_and(answers),
        };
        if lives {
            found.push(description);
        }
    }
    Ok(found)
}

/// Removes what dead servers left. What this user may not remove stays.
fn sweep(folder: &Path) {
    for name in names(folder).unwrap_or_default() {
        let stem = folder.join(name);
        let Ok(Some(lock)) = FileLock::take(&beside(&stem, ".lock")) else { continue };
        let socket = beside(&stem, ".sock");
        // A cleaner of /tmp may have removed the lock of a living one, which makes itself a new entry then.
        if !answers(&socket) {
            let room = beside(&stem, ".new");
            for path in [beside(&stem, ".json"), beside(&stem, ".json.new"), socket, room.join(INSIDE)] {
                let _ = fs::remove_file(path);
            }
            let _ = fs::remove_dir(room);
        }
        drop(lock);
    }
}

/// The names that have files in a folder: a process id and eight random hexadecimal digits.
fn names(folder: &Path) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for file in fs::read_dir(folder)? {
        let file = file?.file_name();
        let Some((name, _)) = file.to_str().and_then(|file| file.split_once('.')) else { continue };
        let fits =
            |pid: &str, random: &str| random.len() == 8 && [pid, random].iter().all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()));
        if name.split_once('-').is_some_and(|(pid, random)| fits(pid, random)) {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
}

fn read(path: &Path) -> Option<Description> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path).ok()?;
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Eight hexadecimal digits.
pub fn random() -> io::Result<String> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(format!("{:08x}", u32::from_ne_bytes(bytes)))
}

/// `path` with something behind its name.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(std::ffi::OsStr::from_bytes(suffix.as_bytes()));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::super::description::Project;
    use super::super::test_folder;
    use super::*;

    #[test]
    fn the_first_folder_that_can_be_used_is_used() {
        let base = test_folder::Folder::new("registry");
        let folder = |name: &str| Folder { path: base.path.join(name), kind: Kind::Private };
        fs::write(base.path.join("file"), "").expect("a file");
        let (long, file, missing, good) = (folder(&"x".repeat(100)), folder("file"), folder("no/folder"), folder("good"));
        let entry = Entry::make(&[long.clone(), file.clone(), missing.clone(), good.clone()]).expect("the last one can be used");
        entry.describe(&Description::own(&Project::default())).expect("written");
        assert_eq!(servers(&good.path).expect("readable").len(), 1);
        let why = Entry::make(&[long, file, missing]).expect_err("none can be used");
        for said in ["too long for a socket", "it is not a folder", "No such file"] {
            assert!(why.contains(said), "{said} is not in {why}");
        }
    }

    #[test]
    fn what_is_no_description_is_no_server() {
        let base = test_folder::Folder::new("registry");
        let folder = Folder { path: base.path.clone(), kind: Kind::Named };
        let entry = Entry::make(&[folder]).expect("an entry");
        for wrong in ["", "{", "[]", "null", "{\"pid\":\"x\"}"] {
            fs::write(beside(&entry.stem, ".json"), wrong).expect("written");
            assert_eq!(servers(&base.path).expect("readable"), [], "{wrong:?}");
        }
        fs::remove_file(beside(&entry.stem, ".json")).expect("removed");
        std::os::unix::fs::symlink("/dev/zero", beside(&entry.stem, ".json")).expect("a link");
        assert_eq!(servers(&base.path).expect("readable"), []);
        // One of a later version may say more.
        fs::remove_file(beside(&entry.stem, ".json")).expect("removed");
        fs::write(beside(&entry.stem, ".json"), "{\"pid\":1,\"more\":[]}").expect("written");
        assert_eq!(servers(&base.path).expect("readable").len(), 1);
    }
}
