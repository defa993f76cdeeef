//! An order's lines in one column.
//!
//! Lines are written once, are never searched by, and are read as a whole or not
//! at all. A table of their own would multiply the rows of every write by up to
//! a hundred and add a join to every read, for nothing. Protobuf rather than
//! JSON: half of the bytes, no escaping, decoded straight into what the API
//! answers, and changed by the rules that the events themselves follow (fields
//! are added, never reused), so rows of earlier releases stay readable.

use prost::Message as _;
use proto::{event::PlacedLine, events::v1::OrderLine};

/// The column's content.
#[derive(Clone, PartialEq, prost::Message)]
struct Lines {
    #[prost(message, repeated, tag = "1")]
    lines: Vec<OrderLine>,
}

pub(super) fn encode(lines: &[PlacedLine]) -> Vec<u8> {
    let lines = lines.iter().map(Into::into).collect();
    Lines { lines }.encode_to_vec()
}

pub(super) fn decode(bytes: &[u8]) -> Result<Vec<OrderLine>, prost::DecodeError> {
    Lines::decode(bytes).map(|message| message.lines)
}

#[cfg(test)]
mod tests {
    use proto::id::ProductId;

    use super::*;

    #[test]
    fn lines_come_back_in_their_order() {
        let lines: Vec<PlacedLine> = (1..=3)
            .map(|number| PlacedLine {
                product_id: ProductId::try_from(number).unwrap(),
                name: format!("Läden {number}"),
                unit_price: 10 * number,
                quantity: 1,
            })
            .collect();
        let back = decode(&encode(&lines)).unwrap();
        assert_eq!(back, lines.iter().map(Into::into).collect::<Vec<_>>());
    }

    #[test]
    fn rows_of_earlier_releases_stay_readable() {
        // Written by hand from the schema: one line of product 7, "a", 9, 2.
        let bytes = [10, 9, 8, 7, 18, 1, b'a', 24, 9, 32, 2];
        let line = OrderLine {
            product_id: 7,
            name: "a".to_owned(),
            unit_price: 9,
            quantity: 2,
        };
        assert_eq!(decode(&bytes), Ok(vec![line]));
    }
}
