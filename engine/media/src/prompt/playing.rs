//! Prompts that sound at once for the same listeners.

use thiserror::Error;

use super::{Player, Prompt};
use crate::Rate;
use crate::limits::PROMPTS_MAX;

/// [`PROMPTS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{PROMPTS_MAX} prompts sound already; stop one")]
pub struct PromptsFull;

/// How a prompt is to be played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Playing {
    /// Names it when it is over, and to stop it.
    pub token: u64,
    /// So many times, or until it is stopped.
    pub times: Option<u32>,
    /// Louder or softer, as a factor.
    pub gain: f32,
    /// Instead of what else there is to be heard, while it lasts.
    pub alone: bool,
}

/// Prompts that sound at once.
#[derive(Default)]
pub(crate) struct Prompts {
    players: Vec<(Playing, Player)>,
}

impl Prompts {
    pub(crate) fn new() -> Self {
        Prompts { players: Vec::with_capacity(PROMPTS_MAX) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.players.is_empty()
    }

    /// Whether one of them is to sound alone.
    pub(crate) fn is_alone(&self) -> bool {
        self.players.iter().any(|(playing, _)| playing.alone)
    }

    pub(crate) fn play(&mut self, rate: Rate, prompt: &Prompt, playing: Playing) -> Result<(), PromptsFull> {
        if self.players.len() == PROMPTS_MAX {
            return Err(PromptsFull);
        }
        self.players.push((playing, Player::new(prompt.clone(), rate, playing.times, playing.gain)));
        Ok(())
    }

    /// Ends one, or all; tells which.
    pub(crate) fn stop(&mut self, token: Option<u64>, ended: &mut dyn FnMut(u64)) {
        self.players.retain(|(playing, _)| {
            let stops = token.is_none_or(|token| token == playing.token);
            if stops {
                ended(playing.token);
            }
            !stops
        });
    }

    /// They go on at another rate.
    pub(crate) fn set_rate(&mut self, rate: Rate) {
        self.players.iter_mut().for_each(|(_, player)| player.set_rate(rate));
    }

    /// Adds what sounds now to a mix; tells which came to their end.
    pub(crate) fn add_to(&mut self, sums: &mut [i32], over: &mut dyn FnMut(u64)) {
        self.players.retain_mut(|(playing, player)| {
            player.add_to(sums);
            if player.is_over() {
                over(playing.token);
            }
            !player.is_over()
        });
    }
}
