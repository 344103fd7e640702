//! Every capacity, with its reason.

/// The longest packet of audio: what RFC 6716 section 3.2.5 allows Opus; other codecs are held to it.
pub const PACKET_MS_MAX: u32 = 120;
/// Samples of the longest packet at the highest rate.
pub const FRAME_SAMPLES_MAX: usize = 48 * PACKET_MS_MAX as usize;
/// Longest time between two packets that we send: beyond it, delay hurts more than headers cost.
pub const PTIME_MS_MAX: u32 = 60;
/// Shortest: a packet each 10 ms is already more headers than speech.
pub const PTIME_MS_MIN: u32 = 10;
/// Bytes of the largest payload that is kept or written: one Ethernet frame, and a frame of Opus (1275) fits.
pub const PAYLOAD_MAX: usize = 1_500;
/// Packets that a jitter buffer holds: 640 ms of the shortest packets. A power of two, for indices.
pub const JITTER_PACKETS: usize = 64;
/// Most delay that a jitter buffer builds up. Beyond it, people talk over each other, so late audio is lost audio.
pub const JITTER_DELAY_MS_MAX: u32 = 400;
/// A timestamp so far from what is played is another stream, not a late packet.
pub const TIMESTAMP_JUMP_MS: u32 = 2_000;
/// Payload types of one stream: codecs by turns, comfort noise and events for each clock rate.
pub const FORMATS_MAX: usize = 16;
/// Longest run of invented audio. Afterwards silence: a held tone is worse than none.
pub const CONCEAL_MS_MAX: u32 = 60;
/// Keys that wait to be sent or read. People press up to ten a second; machines send a number in one go.
pub const KEYS_MAX: usize = 64;
/// Voices that are heard at once: beyond it nobody understands anybody, and each costs a mix of its own.
pub const SPEAKERS_MAX: usize = 8;
/// Participants of one mixed room: what one core carries with time to spare.
pub const PARTICIPANTS_MAX: usize = 2_000;
/// Samples of a loaded prompt: ten minutes at 48 kHz, 58 MB.
pub const PROMPT_SAMPLES_MAX: usize = 48_000 * 600;
/// Prompts that sound in one room or for one listener at once; the next one waits for nothing, it is refused.
pub const PROMPTS_MAX: usize = 8;
