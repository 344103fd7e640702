//! Sounds that requests name or bring, and names of files that requests choose: nothing outside of the folders that the
//! operator set is ever opened.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use kaname_engine::audio::{Prompt, Rate, file, file::RawFormat};

use super::error::{CallError, CallRefusal};
use crate::ng::flags::Play;

/// Prompts are kept at the rate of wide-band telephony: workers bring them to whatever a phone takes.
pub(super) const RATE: Rate = Rate::K16;

/// Bytes of a file: ten minutes of 48 kHz WAV, the longest prompt there is.
const FILE_BYTES: u64 = 128 << 20;

/// The operator's folders for sounds.
#[derive(Debug)]
pub struct Folders {
    pub(super) prompts: Option<PathBuf>,
    pub(super) recordings: Option<PathBuf>,
}

impl Folders {
    /// A sound of `calls.prompts`, by its name in there. Reads it aside: it takes its time.
    ///
    /// # Errors
    /// What is wrong with the name or the file.
    pub async fn prompt(&self, file: String) -> Result<Prompt, CallRefusal> {
        let play = Play { file: Some(file), ..Play::default() };
        let source = Source::of(&play, self.prompts.as_deref()).map_err(refused)?;
        let read = tokio::task::spawn_blocking(|| source.read()).await;
        read.unwrap_or_else(|fault| Err(fault.to_string())).map_err(refused)
    }

    /// The file in `calls.recordings` for a recording of a room: the one that is named, or one that says of which room and when.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn recording(&self, name: Option<&str>, room: &str, unix: u64) -> Result<PathBuf, CallRefusal> {
        recording(self.recordings.as_deref(), name, &format!("room-{}", safe(room)), unix).map_err(refused)
    }
}

fn refused(why: String) -> CallRefusal {
    CallRefusal::of(&CallError::Play(why))
}

/// Where a prompt comes from.
#[derive(Debug)]
pub(super) enum Source {
    File(PathBuf, PathBuf),
    Blob(Vec<u8>),
}

impl Source {
    /// What a request names.
    pub(super) fn of(play: &Play, folder: Option<&Path>) -> Result<Source, String> {
        if let Some(name) = &play.file {
            let folder =
                folder.ok_or("files cannot be played; set calls.prompts to the folder that has them")?;
            return Ok(Source::File(inside(folder, name)?, folder.to_owned()));
        }
        if let Some(blob) = &play.blob {
            return Ok(Source::Blob(blob.clone()));
        }
        Err(match play.db_id {
            Some(_) => "this node has no database of sounds (db-id); name a file, or send a blob".to_owned(),
            None => "name what to play: file or blob".to_owned(),
        })
    }

    /// Reads and decodes it. It takes its time.
    pub(super) fn read(self) -> Result<Prompt, String> {
        let (bytes, ending) = match &self {
            Source::Blob(bytes) => (Cow::Borrowed(bytes), None),
            Source::File(path, folder) => (Cow::Owned(read_file(path, folder)?), path.extension()),
        };
        // Raw samples have nothing in them that says what they are, but their file's name.
        let raw = ending.and_then(|ending| RawFormat::of_ending(ending.to_str()?));
        let prompt =
            raw.map_or_else(|| file::read(&bytes, RATE), |format| file::read_raw(&bytes, format, RATE));
        prompt.map_err(|error| error.to_string())
    }
}

fn read_file(path: &Path, folder: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let fault = |error: std::io::Error| format!("{shown}: {error}");
    // Links may lead out of the folder.
    let real = path.canonicalize().map_err(fault)?;
    if !real.starts_with(folder.canonicalize().map_err(fault)?) {
        return Err(format!("{shown} lies outside of calls.prompts"));
    }
    let meta = std::fs::metadata(&real).map_err(fault)?;
    if !meta.is_file() || meta.len() > FILE_BYTES {
        return Err(format!("{shown} is no file, or larger than {FILE_BYTES} bytes"));
    }
    std::fs::read(&real).map_err(fault)
}

/// A path inside of a folder, from what a request says: relative to it, or the whole path.
pub(super) fn inside(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let name = Path::new(name);
    let relative = name.strip_prefix(folder).unwrap_or(name);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if relative.as_os_str().is_empty() || !plain {
        return Err(format!("a file is named by its path within {}, without ..", folder.display()));
    }
    Ok(folder.join(relative))
}

/// Where a recording goes: to the file that is named, or to one that says what and when it is of.
pub(super) fn recording(
    folder: Option<&Path>,
    name: Option<&str>,
    stem: &str,
    unix: u64,
) -> Result<PathBuf, String> {
    let folder = folder.ok_or("recordings are off; set calls.recordings to a folder")?;
    match name {
        Some(name) => inside(folder, name),
        None => Ok(folder.join(format!("{stem}-{unix}.wav"))),
    }
}

/// A call-id as part of a file's name.
pub(super) fn safe(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() || "-_.@".contains(c) { c } else { '_' };
    name.chars().map(letter).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_within_the_folder() {
        let folder = Path::new("/srv/prompts");
        for good in ["a.wav", "de/a.wav", "/srv/prompts/de/a.wav", "./a.wav"] {
            assert!(inside(folder, good).unwrap().starts_with(folder), "{good}");
        }
        for bad in ["", "../a.wav", "de/../../a.wav", "/etc/passwd", "/srv/prompts/../x", "/srv/prompts"] {
            assert!(inside(folder, bad).is_err(), "{bad}");
        }
        assert_eq!(safe("a/../b\n\0c"), "a_.._b__c");
    }

    #[test]
    fn raw_samples_are_what_their_files_name_says() {
        let directory = tempfile::tempdir().unwrap();
        let read = |name: &str, bytes: &[u8]| {
            std::fs::write(directory.path().join(name), bytes).unwrap();
            let play = Play { file: Some(name.into()), ..Play::default() };
            Source::of(&play, Some(directory.path())).unwrap().read()
        };
        // 160 ms each.
        for (name, bytes) in
            [("a.alaw", 1280), ("b.ulaw", 1280), ("c.g722", 1280), ("d.sln", 2560), ("e.sln16", 5120)]
        {
            let prompt = read(name, &vec![0x2a; bytes]).unwrap();
            assert_eq!((prompt.rate(), prompt.samples().len()), (RATE, 2560), "{name}");
        }
        assert!(read("odd.sln", &[0; 3]).unwrap_err().contains("half a sample"));
        assert!(read("what.bin", &[0; 320]).unwrap_err().contains("sln"));
    }

    #[test]
    fn what_cannot_be_played_is_said() {
        let play = Play { db_id: Some(7), ..Play::default() };
        assert!(Source::of(&play, None).unwrap_err().contains("db-id"));
        let play = Play { file: Some("a.wav".into()), ..Play::default() };
        assert!(Source::of(&play, None).unwrap_err().contains("calls.prompts"));
        assert!(Source::of(&Play::default(), None).unwrap_err().contains("file or blob"));
        let play = Play { blob: Some(b"nothing".to_vec()), ..Play::default() };
        assert!(Source::of(&play, None).unwrap().read().unwrap_err().contains("WAV"));
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", directory.path().join("link.wav")).unwrap();
        let play = Play { file: Some("link.wav".into()), ..Play::default() };
        let outcome = Source::of(&play, Some(directory.path())).unwrap().read();
        assert!(outcome.unwrap_err().contains("outside"));
    }
}
