//! What this machine can do, as proof tokens: a value of one of these types exists only where the features it names
//! were found, so that a kernel which asks for the token cannot run where it would fault.

use std::sync::OnceLock;

/// Names a backend that must not be used, comma separated: `vaes512`, `vaes256`, `aesni`. For tests and for comparing.
pub(crate) const DISABLE: &str = "KANAME_CPU_DISABLE";

/// Proof of AES-NI, PCLMULQDQ, SHA-NI, SSSE3 and SSE4.1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct AesNi(());

/// Proof of VAES and VPCLMULQDQ on 256 bits with AVX2, and of [`AesNi`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vaes256(AesNi);

/// Proof of VAES and VPCLMULQDQ on 512 bits with AVX-512 F, BW, DQ, VL and BMI2, and of [`AesNi`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vaes512 {
    aesni: AesNi,
    worth_sixteen: u8,
}

/// Messages from which one pass of sixteen AVX-512 lanes is faster than SHA-NI, message by message. Measured: a pass costs
/// 410 cycles a block on Sapphire Rapids and SHA-NI 115, whatever is interleaved; on Zen 4 it is 538 and, four at a
/// time, 49.
const WORTH_SIXTEEN_INTEL: u8 = 3;
const WORTH_SIXTEEN: u8 = 11;

impl Vaes256 {
    pub(crate) fn aesni(self) -> AesNi {
        self.0
    }
}

impl Vaes512 {
    pub(crate) fn aesni(self) -> AesNi {
        self.aesni
    }

    /// Messages from which sixteen lanes of AVX-512 are faster than SHA-NI.
    pub(crate) fn worth_sixteen(self) -> usize {
        usize::from(self.worth_sixteen)
    }
}

/// The tokens of this machine.
#[derive(Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) aesni: Option<AesNi>,
    pub(crate) vaes256: Option<Vaes256>,
    pub(crate) vaes512: Option<Vaes512>,
}

impl Cpu {
    /// Looked up once; what [`DISABLE`] names is left out.
    pub(crate) fn get() -> Cpu {
        static CPU: OnceLock<Cpu> = OnceLock::new();
        *CPU.get_or_init(|| Cpu::detect().without(&std::env::var(DISABLE).unwrap_or_default()))
    }

    fn detect() -> Cpu {
        use std::arch::is_x86_feature_detected as has;
        let aesni = (has!("aes") && has!("pclmulqdq") && has!("sha") && has!("ssse3") && has!("sse4.1"))
            .then_some(AesNi(()));
        let wide = has!("vaes") && has!("vpclmulqdq") && has!("avx2");
        let widest = wide
            && has!("avx512f")
            && has!("avx512bw")
            && has!("avx512dq")
            && has!("avx512vl")
            && has!("bmi2");
        let worth_sixteen = if is_intel() { WORTH_SIXTEEN_INTEL } else { WORTH_SIXTEEN };
        let vaes512 = |aesni| Vaes512 { aesni, worth_sixteen };
        Cpu {
            aesni,
            vaes256: aesni.filter(|_| wide).map(Vaes256),
            vaes512: aesni.filter(|_| widest).map(vaes512),
        }
    }

    fn without(mut self, names: &str) -> Cpu {
        for name in names.split(',') {
            match name.trim() {
                "aesni" => self.aesni = None,
                "vaes256" => self.vaes256 = None,
                "vaes512" => self.vaes512 = None,
                // An unknown name cannot switch anything off; there is nobody to tell from here.
                _ => {}
            }
        }
        self
    }
}

/// Whether Intel made this processor: only speed depends on it.
fn is_intel() -> bool {
    let vendor = std::arch::x86_64::__cpuid(0);
    [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).as_flattened() == b"GenuineIntel"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_switch_off() {
        let all = Cpu::detect();
        let less = all.without("vaes512, aesni,,nonsense");
        assert!(less.vaes512.is_none() && less.aesni.is_none());
        assert_eq!(less.vaes256.is_some(), all.vaes256.is_some());
    }
}
