//! Files: read up to a bound, written atomically, never through a link that somebody else
//! may have laid, and never over a file that says something else. And words for a shell. Knows
//! nothing of what is in them.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, PersistError};

/// No file that is read is larger, in bytes: plans, profiles and stories are thousands of times
/// smaller.
pub const MOST_BYTES: u64 = 64 << 20;

/// How often a name is tried with another number behind it.
const MOST_NAMES: u32 = 10_000;

/// The folder that a file lies in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The bytes of a file, or of a pipe, of at most [`MOST_BYTES`].
///
/// # Errors
/// As the file system has them; [`ErrorKind::FileTooLarge`] where there is more, also where there
/// is no end.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        let most = MOST_BYTES >> 20;
        let why = format!("it is larger than {most} MiB, as no such file is");
        return Err(io::Error::new(ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// The text of a file of at most [`MOST_BYTES`], as [`text_of`] has it.
///
/// # Errors
/// As [`read`] and [`text_of`].
pub fn read_text(path: &Path) -> io::Result<String> {
    text_of(read(path)?)
}

/// The text in a file's bytes, without the byte order mark that some editors begin it with.
///
/// # Errors
/// [`ErrorKind::InvalidData`] where it is not UTF-8.
pub fn text_of(bytes: Vec<u8>) -> io::Result<String> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        let why = match error.as_bytes() {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
                "it is UTF-16; it must be saved as UTF-8".to_owned()
            }
            _ => format!("it is not UTF-8: see byte {place}"),
        };
        io::Error::new(ErrorKind::InvalidData, why)
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// Writes a file atomically, and has it on the disk before it returns. What lies there is
/// replaced, a link too: the file that it leads to stays as it is.
///
/// # Errors
/// As the file system has them; a file that was there before is as it was.
pub fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    write_by(folder_of(path), path, text)
}

/// As [`write_whole`], by way of a temporary file in the folder `scratch`, which is on the same
/// file system. A process that is killed in the middle leaves that file there.
///
/// # Errors
/// As [`write_whole`].
pub fn write_by(scratch: &Path, path: &Path, text: impl AsRef<[u8]>) -> io::Result<()> {
    let file = temporary(scratch, text.as_ref())?;
    // Whoever may read a file may read what replaces it.
    if let Ok(before) = fs::symlink_metadata(path)
        && before.is_file()
    {
        fs::set_permissions(file.path(), before.permissions())?;
    }
    file.persist(path).map_err(|failed| failed.error)?;
    sync_folder_of(path);
    Ok(())
}

/// Writes to where a user said: as [`write_whole`], but to a device or a pipe as it is, also
/// through a link, such as `/dev/stdout`.
///
/// # Errors
/// As [`write_whole`].
pub fn write_output(path: &Path, text: &str) -> io::Result<()> {
    if path.exists() && !path.is_file() {
        return fs::write(path, text);
    }
    write_whole(path, text)
}

/// The name of a new file: its path without the ending, and the ending. Where one of that name lies
/// already, a number, from 2, comes between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewName {
    /// The path without the ending.
    pub stem: PathBuf,
    /// The ending, such as `.json`.
    pub ending: &'static str,
}

/// What becomes of a new file that says what one of its name says already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Equal {
    /// The other one serves.
    Serves,
    /// It is another one, and has a name of its own.
    IsAnother,
}

impl NewName {
    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.stem.clone().into_os_string();
        if number > 1 {
            name.push(format!("-{number}"));
        }
        name.push(self.ending);
        name.into()
    }
}

/// Writes a new file atomically, by way of the folder `scratch`, and has it on the disk
/// before it returns. What lies there already stays as it is. Returns the file's path.
///
/// # Errors
/// As the file system has them.
pub fn write_new(scratch: &Path, name: &NewName, text: &str, equal: Equal) -> io::Result<PathBuf> {
    let file = temporary(scratch, text.as_bytes())?;
    let path = persist_new(file, name, text, equal)?;
    sync_folder_of(&path);
    Ok(path)
}

/// As [`write_new`] with [`Equal::Serves`], of what lies elsewhere too: it is not waited for until
/// the disk has it.
///
/// # Errors
/// As the file system has them.
pub fn copy_new(scratch: &Path, name: &NewName, text: &str) -> io::Result<PathBuf> {
    if says(&name.numbered(1), text) {
        return Ok(name.numbered(1));
    }
    let mut file = unwritten(scratch)?;
    file.write_all(text.as_bytes())?;
    persist_new(file, name, text, Equal::Serves)
}

fn persist_new(
    mut file: NamedTempFile,
    name: &NewName,
    text: &str,
    equal: Equal,
) -> io::Result<PathBuf> {
    for number in 1..=MOST_NAMES {
        let path = name.numbered(number);
        file = match file.persist_noclobber(&path) {
            Ok(_) => return Ok(path),
            Err(PersistError { error, file }) if error.kind() == ErrorKind::AlreadyExists => file,
            Err(PersistError { error, .. }) => return Err(error),
        };
        if equal == Equal::Serves && says(&path, text) {
            return Ok(path);
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// Puts `text` into the file `taken`, which [`write_new`] gave for `name`; where another that it
/// gave before says that already, that one serves, and `taken` goes. Returns the one that says it.
///
/// # Errors
/// As the file system has them.
pub fn settle(name: &NewName, taken: &Path, text: &str) -> io::Result<PathBuf> {
    let before = (1..=MOST_NAMES).map(|number| name.numbered(number));
    for before in before.take_while(|before| before != taken) {
        if says(&before, text) {
            fs::remove_file(taken)?;
            return Ok(before);
        }
    }
    write_whole(taken, text)?;
    Ok(taken.to_path_buf())
}

/// Whether the file at `path`, which is no link, says just `text`.
fn says(path: &Path, text: &str) -> bool {
    let is_file = fs::symlink_metadata(path).is_ok_and(|there| there.is_file());
    is_file && read(path).is_ok_and(|there| there == text.as_bytes())
}

/// A new file in `folder` that nobody else has, with `text` in it and on the disk; it is gone when
/// it is dropped.
fn temporary(folder: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = unwritten(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// The same, with nothing in it.
fn unwritten(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".squall-")
        .suffix(".part")
        // As any file is made: less what the process's mask takes away.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
}

/// A new name is on the disk when its folder is; where a folder cannot be synced, this is all there
/// is.
fn sync_folder_of(path: &Path) {
    let _ = File::open(folder_of(path)).and_then(|folder| folder.sync_all());
}

/// `name` as a part of a file's name, on every system: letters, digits and `+._-`, and no more than
/// 100 of them.
pub fn name_part(name: &str) -> String {
    let plain = |c: char| match c.is_ascii_alphanumeric() || "+._-".contains(c) {
        true => c,
        false => '_',
    };
    name.chars().take(100).map(plain).collect()
}

/// `text` as one word of a shell.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_lies_there_is_never_written_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let [victim, link] = ["victim", "link"].map(|name| folder.path().join(name));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &link).unwrap();
        write_whole(&link, "new").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(fs::read_to_string(&link).unwrap(), "new");
        assert!(!fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_file_that_says_something_else_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let name = NewName {
            stem: folder.path().join("a.b"),
            ending: ".c.json",
        };
        let new = |text, equal| {
            let path = write_new(folder.path(), &name, text, equal).unwrap();
            path.file_name().unwrap().to_str().unwrap().to_owned()
        };
        let names = ["one", "two", "one", "two"].map(|text| new(text, Equal::Serves));
        assert_eq!(names, ["a.b.c.json", "a.b-2.c.json"].repeat(2)[..]);
        assert_eq!(new("one", Equal::IsAnother), "a.b-3.c.json");
        assert_eq!(read_text(&name.numbered(1)).unwrap(), "one");
        // What is settled on is what lies there first, and another file otherwise.
        let (first, third) = (name.numbered(1), name.numbered(3));
        assert_eq!(settle(&name, &third, "new").unwrap(), third);
        assert_eq!(settle(&name, &third, "one").unwrap(), first);
        // Nothing else is left.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn modes_of_files_are_those_of_any_file() {
        let folder = tempfile::tempdir().unwrap();
        let [usual, ours] = ["usual", "ours"].map(|name| folder.path().join(name));
        fs::write(&usual, "").unwrap();
        write_whole(&ours, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&usual));
        fs::set_permissions(&ours, Permissions::from_mode(0o600)).unwrap();
        write_whole(&ours, "again").unwrap();
        assert_eq!(mode(&ours) & 0o777, 0o600);
    }

    #[test]
    fn what_never_ends_is_too_large_and_a_byte_order_mark_is_no_text() {
        let error = read(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        fs::write(&path, "\u{feff}{}").unwrap();
        assert_eq!(read_text(&path).unwrap(), "{}");
        fs::write(&path, b"\xff\xfe{\0}\0").unwrap();
        let error = read_text(&path).unwrap_err().to_string();
        assert!(error.contains("UTF-16"), "{error}");
    }
}
