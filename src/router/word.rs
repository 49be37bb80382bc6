//! Bytes, eight at a time.

/// How many bytes a word holds.
pub(super) const WORD: usize = size_of::<u64>();

/// One in each byte.
pub(super) const ONES: u64 = u64::MAX / 0xff;

const HIGH_BITS: u64 = ONES << 7;

/// The word that begins at `at`, if there are eight bytes left.
#[inline]
pub(super) fn chunk(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|chunk| u64::from_le_bytes(*chunk))
}

/// Marks, by its high bit, each byte of `word` that is `byte`. A byte that differs from it in the
/// lowest bit only may be marked too where it follows a marked one: the first mark is always right.
#[inline]
pub(super) const fn mark(word: u64, byte: u8) -> u64 {
    let differences = word ^ (ONES * byte as u64);
    differences.wrapping_sub(ONES) & !differences & HIGH_BITS
}

/// How many bytes of a word come before its first mark.
#[inline]
pub(super) const fn before(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}
