//! Requests, checked.
//!
//! Invariant: a request that breaks rules is told all of them at once.

use chassis::{
    error::{Error, Violation},
    page::PageRequest,
};
use proto::{
    history::v1::{BatchGetOrdersRequest, GetOrderRequest, ListOrdersRequest},
    id::{OrderId, UserId},
    time::UnixMicros,
};
use uuid::Uuid;

use crate::store::Position;

/// Most ids in one request.
pub(super) const MAX_IDS: usize = 1_000;

/// Most wrong ids that are told one by one; the rest are counted. Violations
/// travel in a response's headers, of which gRPC clients take 8 KiB by default
/// (C core, Java; tonic 16 KiB), and a larger answer reaches its caller as a
/// broken stream.
const MAX_TOLD: usize = 50;

/// Where a page starts: [`Position`], as tokens carry it.
pub(super) type Cursor = (i64, Uuid);

/// A wish for a list of orders.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) user_id: Option<UserId>,
    pub(super) page: PageRequest<Cursor>,
}

impl Listing {
    pub(super) fn after(&self) -> Position {
        self.page
            .after
            .map_or(Position::START, |(placed_at, order_id)| Position {
                placed_at: UnixMicros::from_micros(placed_at),
                order_id: OrderId::from_uuid(order_id),
            })
    }
}

pub(super) fn order_id(request: &GetOrderRequest) -> Result<OrderId, Error> {
    request
        .order_id
        .parse()
        .map_err(|error: proto::id::InvalidId| Error::invalid_field("order_id", error.to_string()))
}

pub(super) fn order_ids(request: &BatchGetOrdersRequest) -> Result<Vec<OrderId>, Error> {
    let ids = &request.order_ids;
    if !(1..=MAX_IDS).contains(&ids.len()) {
        return Err(Error::invalid_field(
            "order_ids",
            format!("must be 1 to {MAX_IDS} ids, but are {}", ids.len()),
        ));
    }
    let mut parsed = Vec::with_capacity(ids.len());
    let mut violations = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        match id.parse::<OrderId>() {
            Ok(id) => parsed.push(id),
            Err(error) => {
                violations.push(Violation::new(
                    format!("order_ids[{index}]"),
                    error.to_string(),
                ));
            }
        }
    }
    if violations.is_empty() {
        return Ok(parsed);
    }
    if violations.len() > MAX_TOLD {
        let more = violations.len() - MAX_TOLD;
        violations.truncate(MAX_TOLD);
        violations.push(Violation::new(
            "order_ids",
            format!("holds {more} more that are wrong"),
        ));
    }
    Err(Error::invalid(violations))
}

pub(super) fn listing(request: &ListOrdersRequest) -> Result<Listing, Error> {
    let page = PageRequest::parse(request.page_size, &request.page_token, &request.user_id);
    let user_id = request.user_id.map(UserId::try_from).transpose();
    match (user_id, page) {
        (Ok(user_id), Ok(page)) => Ok(Listing { user_id, page }),
        (user_id, page) => {
            let mut violations = Vec::new();
            if let Err(error) = user_id {
                violations.push(Violation::new("user_id", error.to_string()));
            }
            if let Err(error) = page {
                violations.extend_from_slice(error.violations());
            }
            Err(Error::invalid(violations))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(error: &Error) -> Vec<&str> {
        let violations = error.violations().iter();
        violations
            .map(|violation| violation.field.as_str())
            .collect()
    }

    fn batch(order_ids: Vec<String>) -> Result<Vec<OrderId>, Error> {
        self::order_ids(&BatchGetOrdersRequest { order_ids })
    }

    #[test]
    fn every_wrong_id_of_a_batch_is_named() {
        let right = OrderId::random().to_string();
        let error = batch(vec!["x".into(), right.clone(), String::new()]).unwrap_err();
        assert_eq!(fields(&error), ["order_ids[0]", "order_ids[2]"]);
        assert_eq!(batch(vec![right]).unwrap().len(), 1);
    }

    #[test]
    fn a_batch_has_one_to_a_thousand_ids() {
        let ids = |count| vec![OrderId::random().to_string(); count];
        assert_eq!(fields(&batch(ids(0)).unwrap_err()), ["order_ids"]);
        assert_eq!(batch(ids(1_000)).unwrap().len(), 1_000);
        assert_eq!(fields(&batch(ids(1_001)).unwrap_err()), ["order_ids"]);
    }

    #[test]
    fn a_thousand_wrong_ids_are_told_within_what_headers_hold() {
        let error = batch(vec!["x".into(); 1_000]).unwrap_err();
        assert_eq!(error.violations().len(), MAX_TOLD + 1);
        assert_eq!(
            error
                .violations()
                .last()
                .map(|last| last.description.as_str()),
            Some("holds 950 more that are wrong")
        );
        let details = tonic::Status::from(error).details().len();
        // Base64 adds a third.
        assert!(details * 4 / 3 < 7 * 1024, "{details} bytes of details");
    }

    #[test]
    fn a_list_tells_the_filter_s_mistakes_with_the_page_s() {
        let request = ListOrdersRequest {
            user_id: Some(0),
            page_size: -1,
            page_token: "!".into(),
        };
        let error = listing(&request).unwrap_err();
        assert_eq!(fields(&error), ["user_id", "page_size", "page_token"]);
    }

    #[test]
    fn a_token_of_one_user_s_list_does_not_continue_another_s() {
        let request = |user_id, page_token: &str| ListOrdersRequest {
            user_id,
            page_size: 1,
            page_token: page_token.to_owned(),
        };
        let cursor = (1, *OrderId::random().as_uuid());
        let first = listing(&request(Some(1), "")).unwrap();
        let token = first.page.page(vec![(); 2], |()| cursor).next_page_token;
        let next = listing(&request(Some(1), &token)).unwrap();
        assert_eq!(next.page.after, Some(cursor));
        for other in [None, Some(2)] {
            let error = listing(&request(other, &token)).unwrap_err();
            assert_eq!(fields(&error), ["page_token"]);
        }
    }
}
