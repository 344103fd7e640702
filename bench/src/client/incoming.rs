//! What a client receives of one track: decoded, and compared with what its sender must have sent.

use str0m::rtp::RtpPacket;

use super::ClientError;
use super::state::{Heard, Kind};
use crate::media::h264::{PictureCheck, Seen};
use crate::media::packets::Assembler;
use crate::media::sound::SoundCheck;

/// One received track.
pub struct Incoming {
    check: Check,
}

enum Check {
    Sound(Box<SoundCheck>),
    Picture { check: Box<PictureCheck>, assembler: Assembler },
}

impl Incoming {
    /// Expects sound or pictures of a sender.
    pub fn new(kind: Kind, sender: u16) -> Result<Incoming, ClientError> {
        let check = match kind {
            Kind::Audio => Check::Sound(Box::new(SoundCheck::new(sender)?)),
            Kind::Video => Check::Picture {
                check: Box::new(PictureCheck::new(sender)?),
                assembler: Assembler::default(),
            },
        };
        Ok(Incoming { check })
    }

    /// Takes a packet and enters in `heard` what it turned out to be.
    pub fn take(&mut self, packet: &RtpPacket, heard: &mut Heard) {
        heard.packets += 1;
        let ssrc = *packet.header.ssrc;
        if !heard.ssrcs.contains(&ssrc) {
            heard.ssrcs.push(ssrc);
        }
        match &mut self.check {
            Check::Sound(check) => match check.hear(&packet.payload) {
                Ok(true) => heard.right += 1,
                Ok(false) | Err(_) => heard.wrong += 1,
            },
            Check::Picture { check, assembler } => {
                let header = &packet.header;
                let units = assembler.push(*packet.seq_no, header.timestamp, header.marker, &packet.payload);
                heard.gaps = assembler.gaps();
                for unit in units {
                    match check.see(&unit) {
                        Seen::Frame(_) => heard.right += 1,
                        Seen::Wrong => heard.wrong += 1,
                        Seen::Nothing => {}
                    }
                }
            }
        }
    }
}
