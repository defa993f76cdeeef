use std::time::Duration;

use chassis::page::MAX_SIZE;
use prost_types::Timestamp;
use proto::analytics::v1::{BucketWidth, ProductRanking, RateBucket};

use super::*;
use crate::{
    calendar::{Day, Width},
    store::{Bucket, StageCount},
};

/// A noon in 2027, and half a minute.
const NOW: UnixMicros = UnixMicros::from_micros(1_800_014_430_000_000);

fn seconds(time: UnixMicros) -> i64 {
    time.as_micros() / 1_000_000
}

fn before(duration: Duration) -> Timestamp {
    NOW.saturating_sub(duration).into()
}

fn fields(error: &Error) -> Vec<&str> {
    let violations = error.violations().iter();
    violations
        .map(|violation| violation.field.as_str())
        .collect()
}

fn rate(
    width: BucketWidth,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
) -> Result<request::RateQuery, Error> {
    let request = GetOrderRateRequest {
        width: width.into(),
        start_time,
        end_time,
    };
    request::order_rate(request, NOW)
}

#[test]
fn without_a_word_the_rate_is_of_the_last_sixty_minutes() {
    let query = rate(BucketWidth::Unspecified, None, None).unwrap();
    assert_eq!(query.width, Width::Minute);
    assert_eq!(seconds(query.until), 1_800_014_460);
    assert_eq!(seconds(query.from), 1_800_014_460 - 3_600);
}

#[test]
fn every_moment_asked_for_lies_in_a_bucket() {
    let start = Some(before(Duration::from_secs(5_000)));
    let query = rate(BucketWidth::Hour, start, Some(before(Duration::ZERO))).unwrap();
    assert!(query.from <= NOW.saturating_sub(Duration::from_secs(5_000)));
    assert!(query.until >= NOW);
    assert_eq!(answer::rate(query, Vec::new()).len(), 3);
}

#[test]
fn fifteen_hundred_buckets_are_the_most() {
    let end = Some(Width::Minute.floor(NOW).into());
    let start = |minutes| {
        let start = Width::Minute.floor(NOW);
        Some(start.saturating_sub(Duration::from_mins(minutes)).into())
    };
    assert!(rate(BucketWidth::Minute, start(1_500), end).is_ok());
    let error = rate(BucketWidth::Minute, start(1_501), end).unwrap_err();
    assert_eq!(fields(&error), ["start_time"]);
    assert!(rate(BucketWidth::Hour, start(1_501), end).is_ok());
}

#[test]
fn a_stretch_of_time_ends_after_it_starts() {
    let early = Some(before(Duration::from_secs(9)));
    let late = Some(before(Duration::ZERO));
    let fails = |start, end| {
        let error = rate(BucketWidth::Minute, start, end).unwrap_err();
        fields(&error).join(",")
    };
    assert_eq!(fails(late, early), "end_time");
    assert_eq!(fails(late, late), "end_time");
    let tomorrow = Some(NOW.saturating_add(Duration::from_hours(24)).into());
    assert_eq!(fails(tomorrow, None), "start_time");
}

#[test]
fn the_ends_of_time_are_asked_for_without_harm() {
    let first = Some(Timestamp {
        seconds: -62_135_596_800,
        nanos: 0,
    });
    let last = Some(Timestamp {
        seconds: 253_402_300_799,
        nanos: 999_999_999,
    });
    let error = rate(BucketWidth::Day, first, last).unwrap_err();
    assert_eq!(fields(&error), ["start_time"]);
    // Sixty buckets before the first second would be before the year 1.
    let just_after = Some(Timestamp {
        seconds: -62_135_596_800,
        nanos: 1_000,
    });
    let query = rate(BucketWidth::Day, None, just_after).unwrap();
    assert_eq!(answer::rate(query, Vec::new()).len(), 1);
    assert!(!answer::rate(rate(BucketWidth::Day, None, last).unwrap(), Vec::new()).is_empty());
}

#[test]
fn all_broken_rules_are_told_together() {
    let request = GetOrderRateRequest {
        width: 9,
        start_time: Some(Timestamp {
            seconds: i64::MAX,
            nanos: 0,
        }),
        end_time: Some(Timestamp {
            seconds: 0,
            nanos: -1,
        }),
    };
    let error = request::order_rate(request, NOW).unwrap_err();
    assert_eq!(fields(&error), ["width", "start_time", "end_time"]);

    let request = ListTopProductsRequest {
        ranking: 9,
        currency_code: "usd".into(),
        page_size: -1,
        page_token: "x".into(),
    };
    let error = request::top_products(&request).unwrap_err();
    assert_eq!(
        fields(&error),
        ["ranking", "currency_code", "page_size", "page_token"]
    );

    let request = ListProductPairsRequest {
        product_id: Some(0),
        page_size: -1,
        page_token: String::new(),
    };
    let error = request::product_pairs(&request).unwrap_err();
    assert_eq!(fields(&error), ["product_id", "page_size"]);
    assert_eq!(fields(&request::user(0).unwrap_err()), ["user_id"]);
}

#[test]
fn a_page_is_ten_unless_told_otherwise() {
    let size = |page_size| {
        let request = ListTopProductsRequest {
            page_size,
            ..Default::default()
        };
        request::top_products(&request).unwrap().page.size
    };
    assert_eq!((size(0), size(7), size(9_999)), (10, 7, MAX_SIZE));
}

#[test]
fn a_token_belongs_to_one_ranking_and_one_currency() {
    let list = |ranking: ProductRanking, currency: &str, token: &str| ListTopProductsRequest {
        ranking: ranking.into(),
        currency_code: currency.into(),
        page_size: 1,
        page_token: token.into(),
    };
    let first = list(ProductRanking::Unspecified, "", "");
    let position = ProductPosition {
        figure: 7,
        product_id: 3,
    };
    let page = request::top_products(&first).unwrap().page;
    let token = page.page(vec![(), ()], |()| position).next_page_token;

    // The same list, its defaults written out.
    let second = request::top_products(&list(ProductRanking::Units, "USD", &token)).unwrap();
    assert_eq!(second.page.after, Some(position));
    for other in [
        list(ProductRanking::Revenue, "USD", &token),
        list(ProductRanking::Units, "EUR", &token),
    ] {
        let error = request::top_products(&other).unwrap_err();
        assert_eq!(fields(&error), ["page_token"]);
    }
}

#[test]
fn gaps_are_filled() {
    let from = Width::Minute.floor(NOW);
    let minute = |index: i64| UnixMicros::from_micros(from.as_micros() + index * 60_000_000);
    let query = request::RateQuery {
        width: Width::Minute,
        from,
        until: minute(4),
    };
    let counted = [1, 3].map(|index| Bucket {
        start: minute(index),
        orders: 10 + index,
        orders_paid: index,
    });
    let expected = [(0, 0, 0), (1, 11, 1), (2, 0, 0), (3, 13, 3)];
    let expected = expected.map(|(index, orders, orders_paid)| RateBucket {
        start_time: Some(minute(index).into()),
        orders,
        orders_paid,
    });
    assert_eq!(answer::rate(query, counted.into()), expected);
}

#[test]
fn the_funnel_is_of_the_last_thirty_days_and_has_all_stages() {
    let days = request::funnel(GetFunnelRequest::default(), NOW).unwrap();
    assert_eq!(days, Day::of(NOW).plus(-29)..=Day::of(NOW));
    let backwards = GetFunnelRequest {
        start_time: Some(before(Duration::ZERO)),
        end_time: Some(before(Duration::from_hours(24))),
    };
    let error = request::funnel(backwards, NOW).unwrap_err();
    assert_eq!(fields(&error), ["end_time"]);

    let reached = StageCount {
        stage: crate::stage::Stage::Ordered,
        users: 5,
    };
    let stages = answer::funnel(&[reached]);
    let users: Vec<_> = stages.iter().map(|stage| stage.users).collect();
    assert_eq!(users, [0, 0, 0, 5, 0]);
}
