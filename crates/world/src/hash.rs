//! Hashes over 64-bit words: the same on every platform, without a secret key.

/// Folds `value` into the running 64-bit hash `hash`.
///
/// A multiply-rotate mix over whole words: fast, the same on every platform,
/// and with no secret key. It tells accidents apart, not adversaries.
#[inline]
pub fn mix(hash: u64, value: u64) -> u64 {
    (hash.rotate_left(23) ^ value)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .rotate_left(29)
        .wrapping_add(0xD1B5_4A32_D192_ED03)
}

/// Folds a byte string, and its length, into the running hash `hash`.
#[inline]
pub fn mix_bytes(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        let word: [u8; 8] = word.try_into().expect("chunks of eight bytes");
        hash = mix(hash, u64::from_le_bytes(word));
    }
    let rest = words.remainder();
    let tail = match bytes.last_chunk() {
        _ if rest.is_empty() => 0,
        // The last word, without what came before the rest.
        Some(last) => u64::from_le_bytes(*last) >> (8 * (8 - rest.len())),
        None => {
            let mut tail = [0; 8];
            tail[..rest.len()].copy_from_slice(rest);
            u64::from_le_bytes(tail)
        }
    };
    mix(mix(hash, tail), bytes.len() as u64)
}

/// A hash of many bytes, as those of a file. Compiled here, where it is fast in every build.
#[doc(hidden)] // Of use to the other crates of Squall alone.
#[inline(never)]
pub fn of_bytes(bytes: &[u8]) -> u64 {
    finish(mix_bytes(0, bytes))
}

/// The last step of a hash: spreads every input bit over the whole word (MurmurHash3's finaliser).
#[inline]
pub fn finish(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digests of old runs hang on it.
    #[test]
    fn bytes_are_hashed_word_by_word_the_last_one_filled_up_with_zeros() {
        let bytes: Vec<u8> = (1..=40).collect();
        for length in 0..=bytes.len() {
            let bytes = &bytes[..length];
            let mut filled = bytes.to_vec();
            // Whole words leave an empty one behind.
            filled.resize((length / 8 + 1) * 8, 0);
            let word = |word: &[u8]| u64::from_le_bytes(word.try_into().unwrap());
            let whole = filled.chunks(8).map(word).fold(7, mix);
            assert_eq!(mix_bytes(7, bytes), mix(whole, length as u64));
        }
    }
}
