//! An order's half as it is stored: what each of its products cost.
//!
//! Product id and amount, 8 bytes each, most significant first, one pair after
//! the other. Such rows live until the payment comes, mostly for milliseconds; a
//! text or a table of lines would cost each order more than it is worth.

/// As stored bytes.
pub(super) fn encode(amounts: &[(i64, i64)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(amounts.len() * 16);
    for (product_id, amount) in amounts {
        bytes.extend_from_slice(&product_id.to_be_bytes());
        bytes.extend_from_slice(&amount.to_be_bytes());
    }
    bytes
}

/// From stored bytes.
pub(super) fn decode(bytes: &[u8]) -> Vec<(i64, i64)> {
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0_i64, |number, byte| (number << 8) | i64::from(*byte))
    };
    let (pairs, _) = bytes.as_chunks::<16>();
    pairs
        .iter()
        .map(|pair| (number(&pair[..8]), number(&pair[8..])))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_come_back_as_they_were() {
        for amounts in [
            vec![],
            vec![(1, 0)],
            vec![((1 << 53) - 1, 1_000_000_000_000), (2, 998)],
        ] {
            assert_eq!(decode(&encode(&amounts)), amounts);
        }
    }
}
