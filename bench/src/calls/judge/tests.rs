use kaname_media::Rate;

use super::*;
use crate::calls::sound::Library;

const BEGIN_NS: i64 = 5_000_000_000;
const PACKET_NS: u64 = 20_000_000;

/// What a stream's receiver gets from a node that delays by so much and changes nothing.
fn arrived(sound: Sound, stream: usize, delay_ms: u64, numbers: std::ops::Range<u64>) -> Capture {
    let material = Library::default().voice(sound, stream).unwrap();
    let packets = numbers
        .map(|number| {
            let mut payload = Vec::new();
            material.payload(number, &mut payload);
            let at_ns = BEGIN_NS as u64 + number * PACKET_NS + delay_ms * 1_000_000;
            let timestamp = 77u32.wrapping_add(number as u32 * sound.ticks());
            Kept { number, timestamp, at_ns, payload }
        })
        .collect();
    Capture { sound, material, begin_ns: BEGIN_NS, packets, at_s: 0.0 }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn what_came_whole_is_like_what_was_sent_in_every_codec() {
    for (sound, least, look_ahead_ms) in [
        (Sound::Pcma, 0.995, 0.0..0.2),
        (Sound::Pcmu, 0.995, 0.0..0.2),
        (Sound::G722, 0.97, 1.0..2.0),
        (Sound::Opus, 0.98, 5.0..9.0),
    ] {
        let verdict = judge(&arrived(sound, 3, 35, 100..300), None);
        assert!(verdict.quality > least, "{sound:?}: {}", verdict.quality);
        let delay = median(verdict.delays_ms) - 35.0;
        assert!(look_ahead_ms.contains(&delay), "{sound:?}: {delay}");
        assert!(verdict.level_db.abs() < 0.7, "{sound:?}: {}", verdict.level_db);
        assert_eq!((verdict.gaps, verdict.undecodable), (0, 0), "{sound:?}");
    }
}

#[test]
fn sound_that_lies_between_two_samples_is_as_whole_as_any() {
    for (later, sound) in (0..6).flat_map(|later| [(later, Sound::Pcma), (later, Sound::G722)]) {
        let Material::Voice { voice, .. } = Library::default().voice(sound, 2).unwrap() else { panic!() };
        let rate = sound.judged_at();
        let heard = Heard::whole(&voice.reference(rate, later));
        let verdict = compare(&Reference::new(&voice, rate, 0), &heard, 0);
        assert!(verdict.quality > 0.999, "{sound:?} {later}: {}", verdict.quality);
    }
}

#[test]
fn a_gap_is_found() {
    let mut capture = arrived(Sound::Pcma, 1, 5, 50..250);
    let whole = judge(&capture, None);
    capture.packets.retain(|packet| !(100..115).contains(&packet.number));
    let holed = judge(&capture, None);
    assert!(holed.gaps >= 5 && whole.gaps == 0, "{}", holed.gaps);
    assert!(holed.quality < whole.quality - 0.02, "{} {}", holed.quality, whole.quality);
}

/// Five seconds of a voice at 8 kHz, and its energy in each 20 ms.
fn five_seconds() -> (Reference, Vec<f32>, Vec<f32>) {
    let Material::Voice { voice, .. } = Library::default().voice(Sound::Pcma, 1).unwrap() else { panic!() };
    let reference = Reference::new(&voice, Rate::K8, 0);
    let sound = reference.stretch(0, 40_000);
    let loud = sound.chunks_exact(160).map(energy).collect();
    (reference, sound, loud)
}

fn gaps_of(reference: &Reference, samples: Vec<f32>) -> u64 {
    compare(reference, &Heard { samples, ..Heard::default() }, 0).gaps
}

/// Packets at which a word begins after a pause, and ones in the midst of sound; away from the window's ends.
fn onsets_and_middles(loud: &[f32]) -> (Vec<usize>, Vec<usize>) {
    let least = 16.0 * QUIET * 160.0;
    let all = 30..loud.len() - 30;
    let is_onset = |at: &usize| loud[*at] > least && loud[at - 3..*at].iter().all(|e| *e < QUIET);
    let is_middle = |at: &usize| loud[at - 3..at + 4].iter().all(|energy| *energy > least);
    (all.clone().filter(is_onset).collect(), all.filter(is_middle).collect())
}

#[test]
fn a_pause_that_grows_is_no_gap_and_lost_sound_or_silence_within_it_is() {
    let (reference, sound, loud) = five_seconds();
    let (onsets, middles) = onsets_and_middles(&loud);
    assert!(onsets.len() >= 3 && middles.len() >= 10, "{onsets:?} {middles:?}");
    assert_eq!(gaps_of(&reference, sound.clone()), 0);
    let silenced = |packet: usize| {
        let mut heard = sound.clone();
        heard[packet * 160..(packet + 1) * 160].fill(0.0);
        gaps_of(&reference, heard)
    };
    let prolonged = |packet: usize, ms: usize| {
        let mut heard = sound.clone();
        heard.splice(packet * 160..packet * 160, vec![0.0; ms * 8]);
        gaps_of(&reference, heard)
    };
    for &onset in &onsets {
        assert_eq!(silenced(onset), 1, "the beginning of a word is lost at {onset}");
        for ms in [10, 20, 40] {
            assert_eq!(prolonged(onset, ms), 0, "{ms} ms of pause more at {onset}");
        }
    }
    for &middle in middles.iter().step_by(5) {
        assert_eq!(silenced(middle), 1, "sound is lost at {middle}");
        assert!(prolonged(middle, 60) >= 1, "silence within a word at {middle}");
    }
}

#[test]
fn a_wrong_packet_is_found() {
    let mut capture = arrived(Sound::Pcma, 1, 5, 50..250);
    let whole = judge(&capture, None).quality;
    let other = arrived(Sound::Pcma, 2, 5, 50..250);
    for place in 20..40 {
        capture.packets[place].payload = other.packets[place].payload.clone();
    }
    let mixed = judge(&capture, None).quality;
    assert!(mixed < whole - 0.05, "{mixed} {whole}");
    capture.packets[10].payload = vec![];
    capture.packets[11].timestamp = 0x7000_0000;
    assert_eq!(judge(&capture, None).undecodable, 2);
}

#[test]
fn another_call_or_a_wrong_codec_is_not_taken_for_the_right_one() {
    let mut crossed = arrived(Sound::Pcma, 1, 5, 50..250);
    crossed.packets = arrived(Sound::Pcma, 6, 5, 50..250).packets;
    assert!(judge(&crossed, None).quality < 0.5);
    // µ-law where A-law was agreed: of the right length, and noise.
    let mut wrong = arrived(Sound::Pcmu, 1, 5, 50..250);
    wrong.sound = Sound::Pcma;
    let quality = judge(&wrong, None).quality;
    assert!(quality < 0.9, "{quality}");
    let mut narrow = arrived(Sound::Pcma, 1, 5, 50..250);
    narrow.sound = Sound::G722;
    assert!(judge(&narrow, None).quality < 0.5);
}

#[test]
fn a_delay_that_grows_is_seen_to_grow() {
    let mut capture = arrived(Sound::Pcma, 4, 10, 0..250);
    for packet in capture.packets.iter_mut().filter(|packet| packet.number >= 125) {
        packet.at_ns += 60_000_000;
    }
    let delays = judge(&capture, None).delays_ms;
    assert!((delays[20] - 10.0).abs() < 1.0 && (delays[240] - 70.0).abs() < 1.0, "{delays:?}");
}

#[test]
fn nothing_is_nothing() {
    let silent = Capture { packets: vec![], ..arrived(Sound::Opus, 0, 0, 0..1) };
    assert_eq!(judge(&silent, None), Verdict::default());
}

#[test]
#[ignore = "full suite: ffmpeg"]
fn a_foreign_decoder_hears_what_we_encode_and_what_came() {
    let foreign = Foreign::find().expect("ffmpeg is installed by ./test --full");
    for (sound, least) in
        [(Sound::Pcma, 0.995), (Sound::Pcmu, 0.995), (Sound::G722, 0.97), (Sound::Opus, 0.98)]
    {
        let capture = arrived(sound, 3, 35, 100..300);
        let Material::Voice { voice, .. } = &capture.material else { panic!("no voice") };
        let source = source_likeness(&foreign, voice).unwrap();
        assert!(source > least, "{sound:?}: {source}");
        let verdict = judge(&capture, Some(&foreign));
        let heard = verdict.foreign.unwrap();
        assert!((heard - verdict.quality).abs() < 0.005, "{sound:?}: {heard} {}", verdict.quality);
    }
}
