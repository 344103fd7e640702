//! ffmpeg reads what we write, and we read what it writes. In the full suite.

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;
use std::process::Command;

use kaname_media::Rate;
use kaname_media::codec::opus::OpusConfig;
use kaname_media::codec::{Codec, Codecs};
use kaname_media::dtmf::Detector;
use kaname_media::file::{OggOpusRecorder, WavRecorder, read};

/// Four seconds of tones that rise and fall.
fn sound(rate: Rate) -> Vec<i16> {
    (0..rate.samples(4_000))
        .map(|n| {
            let at = n as f32 / rate.hz() as f32;
            let tone = |hz: f32| (std::f32::consts::TAU * hz * at).sin();
            (6_000.0 * (tone(310.0) + 0.5 * tone(1_130.0) + 0.3 * tone(2_410.0)) * (1.2 + tone(1.5)) * 0.4)
                as i16
        })
        .collect()
}

fn bytes_of(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|s| s.to_le_bytes()).collect()
}

fn samples_of(bytes: &[u8]) -> Vec<i16> {
    bytes.as_chunks::<2>().0.iter().map(|b| i16::from_le_bytes(*b)).collect()
}

/// A folder of this process's own, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("kaname-media-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// Runs ffmpeg over a file; gives what it wrote.
    fn ffmpeg(&self, input: &[u8], from: &[&str], to: &[&str], name: &str) -> Vec<u8> {
        let (input_path, output_path) = (self.0.join("in"), self.0.join(name));
        fs::write(&input_path, input).unwrap();
        let run = Command::new("ffmpeg")
            .args(["-y", "-loglevel", "error"])
            .args(from)
            .arg("-i")
            .arg(&input_path)
            .args(to)
            .arg(&output_path)
            .output()
            .expect("ffmpeg is installed by ./test");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        fs::read(output_path).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn correlation(a: &[i16], b: &[i16]) -> f64 {
    let dot = |a: &[i16], b: &[i16]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let len = a.len().min(b.len());
    dot(&a[..len], &b[..len]) / (dot(&a[..len], &a[..len]) * dot(&b[..len], &b[..len])).sqrt()
}

#[test]
#[ignore = "full suite: ffmpeg"]
fn ffmpeg_decodes_our_codecs_to_the_same_samples() {
    let folder = Folder::new("codecs");
    let codecs = Codecs::built_in();
    for (codec, rate, name) in
        [(Codec::Pcma, Rate::K8, "alaw"), (Codec::Pcmu, Rate::K8, "mulaw"), (Codec::G722, Rate::K16, "g722")]
    {
        let (mut encoder, mut decoder) =
            (codecs.encoder(codec, rate).unwrap(), codecs.decoder(codec, rate).unwrap());
        let (mut coded, mut ours) = (Vec::new(), Vec::new());
        for frame in sound(rate).chunks_exact(rate.samples(20)) {
            let (mut payload, mut out) = ([0; 400], [0; 400]);
            let len = encoder.encode(frame, &mut payload).unwrap();
            coded.extend_from_slice(&payload[..len]);
            let len = decoder.decode(&payload[..len], &mut out).unwrap();
            ours.extend_from_slice(&out[..len]);
        }
        let hz = rate.hz().to_string();
        let raw: &[&str] =
            if codec == Codec::G722 { &["-f", "g722"] } else { &["-f", name, "-ar", &hz, "-ac", "1"] };
        let theirs = samples_of(&folder.ffmpeg(&coded, raw, &["-f", "s16le"], "out.raw"));
        // ffmpeg's G.722 keeps one bit less behind its filters.
        let most = if codec == Codec::G722 { 2 } else { 0 };
        let worst = ours.iter().zip(&theirs).map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs()).max();
        assert!(ours.len().abs_diff(theirs.len()) <= 2 && worst <= Some(most), "{name}: {worst:?}");
    }
}

#[test]
#[ignore = "full suite: ffmpeg"]
fn recordings_play_there_and_theirs_here() {
    let folder = Folder::new("files");
    let rate = Rate::K16;
    let sound = sound(rate);
    let mut wav = WavRecorder::new(Cursor::new(Vec::new()), rate, 1).unwrap();
    wav.write(&sound).unwrap();
    let wav = wav.finish().unwrap().into_inner();
    assert_eq!(samples_of(&folder.ffmpeg(&wav, &[], &["-f", "s16le"], "wav.raw")), sound);

    let mut ogg =
        OggOpusRecorder::new(Vec::new(), rate, OpusConfig { bitrate: 64_000, ..OpusConfig::default() }, 1)
            .unwrap();
    ogg.write(&sound).unwrap();
    let ogg = ogg.finish().unwrap();
    let theirs = samples_of(&folder.ffmpeg(&ogg, &[], &["-ar", "16000", "-f", "s16le"], "ogg.raw"));
    assert!(theirs.len().abs_diff(sound.len()) <= 16, "{} {}", theirs.len(), sound.len());
    assert!(correlation(&sound, &theirs) > 0.9);

    let raw = ["-f", "s16le", "-ar", "16000", "-ac", "1"];
    for (to, name) in [
        (&["-c:a", "libopus", "-b:a", "64k"][..], "theirs.ogg"),
        (&["-c:a", "pcm_mulaw", "-ar", "8000"], "mulaw.wav"),
        (&["-c:a", "pcm_s24le"], "wide.wav"),
        (&["-c:a", "pcm_f32le", "-ac", "2"], "float.wav"),
    ] {
        let file = folder.ffmpeg(&bytes_of(&sound), &raw, to, name);
        let prompt = read(&file, rate).unwrap();
        let len = prompt.samples().len();
        assert!(len.abs_diff(sound.len()) <= 320, "{name}: {len}");
        let best =
            (0..160).map(|lag| correlation(&sound[..60_000], &prompt.samples()[lag..])).fold(0.0, f64::max);
        assert!(best > 0.95, "{name}: {best}");
    }
}

#[test]
#[ignore = "full suite: espeak-ng, ffmpeg"]
fn spoken_words_are_no_keys() {
    let folder = Folder::new("speech");
    let text = "Please hold the line. One, two, three, four, five, six, seven, eight, nine, zero, star, pound. \
                We see the sea breeze freeze these trees. Who knew you threw the new blue shoe through? \
                Meet me at the airport at seventeen minutes past nine, and bring the green umbrella, please. \
                Ahhhh. Eeee. Oooo. Mmmm. Yes. No. Hello? Are you still there?";
    for voice in ["en+f1", "en+f3", "en+m1", "en+m5", "de+f2", "fr+m3"] {
        for pitch in ["20", "60", "95"] {
            let path = folder.0.join("speech.wav");
            let spoken = Command::new("espeak-ng")
                .args(["-v", voice, "-p", pitch, "-w"])
                .arg(&path)
                .arg(text)
                .status();
            assert!(spoken.expect("espeak-ng is installed by ./test --full").success());
            let to = ["-ar", "8000", "-ac", "1", "-f", "s16le"];
            let samples = samples_of(&folder.ffmpeg(&fs::read(&path).unwrap(), &[], &to, "speech.raw"));
            assert!(samples.len() > 8_000 * 10);
            let mut keys = Vec::new();
            Detector::new(Rate::K8).listen(&samples, &mut |event| keys.push(event));
            assert!(keys.is_empty(), "{voice} at pitch {pitch}: {keys:?}");
        }
    }
}
