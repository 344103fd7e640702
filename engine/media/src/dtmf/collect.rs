//! Collecting a number that somebody types, as a room's PIN.

use super::Key;

/// What is to be collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectorConfig {
    /// Most digits; with the last of them the number is complete.
    pub digits_max: usize,
    /// The key that completes a shorter number.
    pub end: Option<Key>,
    /// The key that begins it anew.
    pub clear: Option<Key>,
    /// Longest wait for the first key, in nanoseconds.
    pub first_ns: u64,
    /// Longest wait for each further key.
    pub next_ns: u64,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Collected {
    /// The number was typed.
    Number(String),
    /// No more keys came; these had.
    TimedOut(String),
}

/// Collects one number.
#[derive(Clone, Debug)]
pub struct Collector {
    config: CollectorConfig,
    digits: String,
    deadline_ns: u64,
}

impl Collector {
    /// Begins now.
    pub fn new(config: CollectorConfig, now_ns: u64) -> Self {
        let digits = String::with_capacity(config.digits_max);
        Collector { config, digits, deadline_ns: now_ns.saturating_add(config.first_ns) }
    }

    /// Takes a key; gives the number when it is complete.
    pub fn key(&mut self, key: Key, now_ns: u64) -> Option<Collected> {
        self.deadline_ns = now_ns.saturating_add(self.config.next_ns);
        if Some(key) == self.config.end {
            return Some(Collected::Number(std::mem::take(&mut self.digits)));
        }
        if Some(key) == self.config.clear {
            self.digits.clear();
            return None;
        }
        self.digits.push(key.name());
        (self.digits.len() >= self.config.digits_max)
            .then(|| Collected::Number(std::mem::take(&mut self.digits)))
    }

    /// Lets time pass.
    pub fn tick(&mut self, now_ns: u64) -> Option<Collected> {
        (now_ns >= self.deadline_ns).then(|| Collected::TimedOut(std::mem::take(&mut self.digits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_ends_by_length_by_key_or_by_time() {
        let key = |name| Key::from_char(name).unwrap();
        let config = CollectorConfig {
            digits_max: 4,
            end: Some(key('#')),
            clear: Some(key('*')),
            first_ns: 100,
            next_ns: 10,
        };
        let mut collector = Collector::new(config, 0);
        assert_eq!((collector.key(key('9'), 50), collector.key(key('*'), 55)), (None, None));
        for name in ['1', '2', '3'] {
            assert_eq!(collector.key(key(name), 60), None);
        }
        assert_eq!(collector.clone().key(key('4'), 61), Some(Collected::Number("1234".into())));
        assert_eq!(collector.clone().key(key('#'), 61), Some(Collected::Number("123".into())));
        assert_eq!(collector.tick(69), None);
        assert_eq!(collector.tick(70), Some(Collected::TimedOut("123".into())));
        assert_eq!(Collector::new(config, 0).tick(99), None);
    }
}
