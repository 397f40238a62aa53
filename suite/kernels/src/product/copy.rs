//! Copies of part of an array.

/// Copies `from`, at most `N` numbers, to the start of `to`.
#[inline(always)]
pub(crate) fn copy_up_to<T: Copy, const N: usize>(to: &mut [T; N], from: &[T]) {
    match <&[T; N]>::try_from(from) {
        Ok(from) => *to = *from,
        Err(_) => copy_some(to, from),
    }
}

/// Copies `from` to the start of `to`. Out of line, so that copying a whole array stays a few instructions: the compiler
/// would make one call of both.
#[cold]
#[inline(never)]
fn copy_some<T: Copy>(to: &mut [T], from: &[T]) {
    to[..from.len()].copy_from_slice(from);
}
