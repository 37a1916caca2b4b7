//! The masking of RFC 6455 §5.3, in place. Its purpose is to confuse proxies, not to hide anything.

/// XORs `bytes` with the key. `key[0]` belongs to `bytes[0]`: rotate the key for a payload that goes on.
///
/// Masking and unmasking are the same operation. A zero key, also the stand-in for an unmasked frame,
/// leaves the bytes alone and costs nothing.
pub(crate) fn apply(bytes: &mut [u8], key: [u8; 4]) {
    if key == [0; 4] {
        return;
    }
    let [a, b, c, d] = key;
    let wide_key = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, tail) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide_key).to_ne_bytes();
    }
    for (byte, key_byte) in tail.iter_mut().zip([a, b, c, d, a, b, c]) {
        *byte ^= key_byte;
    }
}

#[cfg(test)]
mod tests {
    use super::apply;

    #[test]
    fn equals_the_definition_for_every_length_and_phase() {
        for length in 0..40_u8 {
            for phase in 0..4 {
                let mut key = [0x37, 0xfa, 0x21, 0x3d];
                key.rotate_left(phase);
                let plain: Vec<u8> = (0..length).collect();
                let mut masked = plain.clone();
                apply(&mut masked, key);
                for (i, byte) in masked.iter().enumerate() {
                    assert_eq!(*byte, plain[i] ^ key[i % 4], "octet {i} of {length}");
                }
                apply(&mut masked, key);
                assert_eq!(masked, plain);
            }
        }
    }
}
