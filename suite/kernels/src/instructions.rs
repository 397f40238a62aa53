//! Processor families that loops are compiled for; one is chosen at run time.

use pulp::Arch;

mod known {
    /// Types with a value only if the processor has the instructions.
    pub trait Known {}

    #[cfg(target_arch = "x86_64")]
    impl Known for pulp::x86::V4 {}
    #[cfg(target_arch = "x86_64")]
    impl Known for pulp::x86::V3 {}
    impl Known for super::Portable {}
}

/// A processor family. A value of the type proves that this processor belongs to it, so only this crate can implement
/// the trait.
pub trait Instructions: Copy + Send + Sync + known::Known {
    /// Whether the processor has a fused multiply-add instruction; without one, it is a slow function call.
    const FUSED: bool;

    /// Whether there are 32 registers of sixteen f32, instead of sixteen registers of eight.
    const REGISTERS_OF_512_BITS: bool;

    /// Calls `work`, compiled with the instructions if it is inlined.
    fn run<R>(self, work: impl FnOnce() -> R) -> R;
}

#[cfg(target_arch = "x86_64")]
impl Instructions for pulp::x86::V4 {
    const FUSED: bool = true;
    const REGISTERS_OF_512_BITS: bool = true;

    #[inline(always)]
    fn run<R>(self, work: impl FnOnce() -> R) -> R {
        self.vectorize(work)
    }
}

#[cfg(target_arch = "x86_64")]
impl Instructions for pulp::x86::V3 {
    const FUSED: bool = true;
    const REGISTERS_OF_512_BITS: bool = false;

    #[inline(always)]
    fn run<R>(self, work: impl FnOnce() -> R) -> R {
        self.vectorize(work)
    }
}

/// Any other processor.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Instructions for Portable {
    const FUSED: bool = cfg!(target_arch = "aarch64");
    const REGISTERS_OF_512_BITS: bool = false;

    #[inline(always)]
    fn run<R>(self, work: impl FnOnce() -> R) -> R {
        #[cfg(target_arch = "x86_64")]
        return work();
        #[cfg(not(target_arch = "x86_64"))]
        Arch::new().dispatch(work)
    }
}

/// The best instructions of this processor.
pub(crate) enum Best {
    #[cfg(target_arch = "x86_64")]
    V4(pulp::x86::V4),
    #[cfg(target_arch = "x86_64")]
    V3(pulp::x86::V3),
    Portable(Portable),
}

impl Best {
    #[inline(always)]
    pub fn new() -> Self {
        #[cfg(target_arch = "x86_64")]
        match Arch::new() {
            Arch::V4(instructions) => return Self::V4(instructions),
            Arch::V3(instructions) => return Self::V3(instructions),
            _ => {}
        }
        Self::Portable(Portable)
    }
}

/// Evaluates an expression with the best [`Instructions`], once compiled for each of them.
macro_rules! with_instructions {
    ($instructions:ident => $body:expr) => {
        match $crate::instructions::Best::new() {
            #[cfg(target_arch = "x86_64")]
            $crate::instructions::Best::V4($instructions) => $body,
            #[cfg(target_arch = "x86_64")]
            $crate::instructions::Best::V3($instructions) => $body,
            $crate::instructions::Best::Portable($instructions) => $body,
        }
    };
}
pub(crate) use with_instructions;
