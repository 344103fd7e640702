//! Sounds that requests name or bring, and names of files that requests choose: nothing outside of the folders that the
//! operator set is ever opened.

use std::path::{Component, Path, PathBuf};

use kaname_engine::audio::{Prompt, Rate, file};

use crate::ng::flags::Play;

/// Prompts are kept at the rate of wide-band telephony: workers bring them to whatever a phone takes.
const RATE: Rate = Rate::K16;

/// Bytes of a file: ten minutes of 48 kHz WAV, the longest prompt there is.
const FILE_BYTES: u64 = 128 << 20;

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
        let bytes = match self {
            Source::Blob(bytes) => bytes,
            Source::File(path, folder) => read_file(&path, &folder)?,
        };
        file::read(&bytes, RATE).map_err(|error| error.to_string())
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

/// A call-id as part of a file's name.
pub(super) fn safe(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() || "-_.@".contains(c) { c } else { '_' };
    let safe: String = name.chars().map(letter).take(100).collect();
    // Neither hidden nor a folder of its own.
    format!("call-{safe}")
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
        assert_eq!(safe("a/../b\n\0c"), "call-a_.._b__c");
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
