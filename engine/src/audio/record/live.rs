//! What is heard, for somebody who listens meanwhile.

use kaname_media::Rate;
use kaname_media::resample::Resampler;

use crate::audio::Listener;

pub(super) struct Live {
    to: Box<dyn Listener>,
    rate: Rate,
    resampler: Resampler,
    converted: Vec<i16>,
}

impl Live {
    pub(super) fn new(to: Box<dyn Listener>, rate: Rate) -> Live {
        Live { to, rate, resampler: Resampler::new(rate, rate), converted: Vec::new() }
    }

    pub(super) fn put(&mut self, rate: Rate, samples: &[i16]) {
        let Live { to, resampler, converted, .. } = self;
        if resampler.from() != rate {
            *resampler = Resampler::new(rate, self.rate);
        }
        converted.resize(resampler.output_len(samples.len()), 0);
        resampler.process(samples, converted);
        to.hear(converted);
    }
}
