//! Which suites are offered, and which of those offered is taken.

use zeroize::Zeroizing;

use super::{CryptoLine, InlineKey, Suite};

/// What flags say of suites and parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CryptoRules {
    /// `no-<suite>`: neither offered nor passed on.
    pub without: Vec<Suite>,
    /// `only-<suite>`: offered, and nothing else; `without` is then ignored.
    pub only: Vec<Suite>,
    /// `nonew`: what came is passed on, and nothing is added; `without` and `only` are then ignored.
    pub no_new: bool,
    /// `order:<suites>`: these come first, in this order.
    pub order: Vec<Suite>,
    /// `offerer_pref:<suites>`: which of the offered ones to take, best first.
    pub prefer: Vec<Suite>,
    /// `pad`: base64 is written with `=`.
    pub pad: bool,
    /// `lifetime`: keys are written with `2^31`.
    pub lifetime: bool,
    /// `static`: an earlier choice stays although a new offer prefers another suite.
    pub keep: bool,
    /// `unencrypted_srtp` or `encrypted_srtp`; `None`: encrypted.
    pub unencrypted_srtp: Option<bool>,
    /// `unencrypted_srtcp` or `encrypted_srtcp`; `None`: encrypted.
    pub unencrypted_srtcp: Option<bool>,
    /// `unauthenticated_srtp` or `authenticated_srtp`; media without authentication is never taken.
    pub unauthenticated_srtp: Option<bool>,
}

/// Both directions of an m-line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CryptoPair {
    /// What the peer encrypts with.
    pub theirs: CryptoLine,
    /// What we encrypt with.
    pub ours: CryptoLine,
}

/// Fills a key with random bytes.
pub type Fill<'a> = &'a mut dyn FnMut(&mut [u8]);

impl CryptoRules {
    /// The NULL suites leave media in the clear: they are used only if a flag names them.
    fn names(&self, suite: Suite) -> bool {
        [&self.only, &self.order, &self.prefer].into_iter().any(|list| list.contains(&suite))
    }

    /// Whether a suite may be used at all.
    fn allows(&self, suite: Suite) -> bool {
        suite.profile().is_some() && (!suite.is_null() || self.names(suite))
    }

    /// Whether a suite that came is passed on or taken.
    fn passes(&self, suite: Suite) -> bool {
        self.no_new
            || if self.only.is_empty() { !self.without.contains(&suite) } else { self.only.contains(&suite) }
    }

    /// Whether an offered line can be used: the engine can, and what weakens it was asked for.
    pub fn takes(&self, line: &CryptoLine) -> bool {
        let weak = line.parameters.unencrypted_srtp || line.parameters.unencrypted_srtcp;
        let asked = self.unencrypted_srtp == Some(true) && self.unencrypted_srtcp == Some(true);
        self.allows(line.suite) && line.keying().is_some() && (!weak || asked)
    }

    fn weaken(&self, line: &mut CryptoLine) {
        // One without the other the engine cannot do.
        let both = self.unencrypted_srtp == Some(true) && self.unencrypted_srtcp == Some(true);
        if both && matches!(line.suite, Suite::Aes128CmSha1_80 | Suite::Aes128CmSha1_32) {
            line.parameters.unencrypted_srtp = true;
            line.parameters.unencrypted_srtcp = true;
        }
    }

    fn key(&self, suite: Suite, fill: Fill<'_>) -> InlineKey {
        let mut secret = Zeroizing::new(vec![0; suite.key_len()]);
        fill(&mut secret);
        InlineKey { secret, lifetime: self.lifetime.then(|| "2^31".to_owned()), mki: None }
    }
}

/// What to offer to the other side: the suites that came keep their tags, others are added behind. `earlier` is our line
/// that is in use with it (or those of an offer that was never answered): its suite keeps its key, so that counters go
/// on over a re-offer. Lines that were in use once must not be among them: a key is never taken up again.
pub fn offer(
    received: &[CryptoLine],
    rules: &CryptoRules,
    earlier: &[CryptoLine],
    fill: Fill<'_>,
) -> Vec<CryptoLine> {
    let mut suites: Vec<(u32, Suite)> = Vec::new();
    for line in received {
        let known = suites.iter().any(|(tag, suite)| *tag == line.tag || *suite == line.suite);
        if !known && rules.allows(line.suite) && rules.passes(line.suite) {
            suites.push((line.tag, line.suite));
        }
    }
    if !rules.no_new || received.is_empty() {
        for suite in Suite::ALL {
            if rules.allows(suite) && rules.passes(suite) && !suites.iter().any(|(_, s)| *s == suite) {
                let mut free = (1..).filter(|tag| !suites.iter().any(|(t, _)| t == tag));
                suites.push((free.next().unwrap_or(u32::MAX), suite));
            }
        }
    }
    let rank = |suite: Suite| rules.order.iter().position(|s| *s == suite).unwrap_or(usize::MAX);
    suites.sort_by_key(|(_, suite)| rank(*suite));
    let line = |(tag, suite)| {
        let before = earlier.iter().find(|line| line.suite == suite);
        let mut line = match before {
            Some(before) => CryptoLine { tag, ..before.clone() },
            None => CryptoLine::new(tag, suite, rules.key(suite, fill)),
        };
        rules.weaken(&mut line);
        line
    };
    suites.into_iter().map(line).collect()
}

/// Which offered line to take, with our half of the answer. The first that can be used, unless `prefer` says
/// otherwise; suites that the flags exclude are taken only if there is nothing else. `earlier` is the choice that stands:
/// with the same suite our key stays, so that counters go on over a re-offer. `None`: nothing can be used.
pub fn answer(
    received: &[CryptoLine],
    rules: &CryptoRules,
    earlier: Option<&CryptoPair>,
    fill: Fill<'_>,
) -> Option<CryptoPair> {
    let usable: Vec<&CryptoLine> = received.iter().filter(|line| rules.takes(line)).collect();
    let passed: Vec<&CryptoLine> = usable.iter().copied().filter(|line| rules.passes(line.suite)).collect();
    let among = if passed.is_empty() { usable } else { passed };
    let of_suite = |suite: Suite| among.iter().copied().find(|line| line.suite == suite);
    let kept = earlier.filter(|_| rules.keep).and_then(|pair| of_suite(pair.ours.suite));
    let preferred = rules.prefer.iter().find_map(|suite| of_suite(*suite));
    let theirs = kept.or(preferred).or(among.first().copied())?.clone();
    let key = match earlier.filter(|pair| pair.ours.suite == theirs.suite) {
        Some(pair) => pair.ours.keys.first()?.clone(),
        None => rules.key(theirs.suite, fill),
    };
    let mut ours = CryptoLine::new(theirs.tag, theirs.suite, key);
    ours.alias = theirs.alias;
    ours.parameters = super::Parameters { wsh: None, ..theirs.parameters };
    Some(CryptoPair { theirs, ours })
}

/// What an answer to our offer settled. The tag says which line was taken; phones that always write 1 are understood
/// by the suite. `None`: the answer takes nothing that was offered.
pub fn agreed(offered: &[CryptoLine], answered: &[CryptoLine]) -> Option<CryptoPair> {
    answered.iter().filter(|theirs| theirs.keying().is_some()).find_map(|theirs| {
        let same = |ours: &&CryptoLine| {
            let (a, b) = (ours.parameters, theirs.parameters);
            ours.suite == theirs.suite
                && (a.unencrypted_srtp, a.unencrypted_srtcp) == (b.unencrypted_srtp, b.unencrypted_srtcp)
        };
        let tagged = offered.iter().filter(same).find(|ours| ours.tag == theirs.tag);
        let ours = tagged.or_else(|| offered.iter().find(same))?;
        Some(CryptoPair { theirs: theirs.clone(), ours: ours.clone() })
    })
}
