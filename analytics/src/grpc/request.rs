//! What requests ask for, checked. All broken rules of a request are told at once.

use std::{ops::RangeInclusive, time::Duration};

use chassis::{
    error::{Error, Violation},
    page::PageRequest,
};
use prost_types::Timestamp;
use proto::{
    analytics::v1::{
        BucketWidth, GetFunnelRequest, GetOrderRateRequest, ListProductPairsRequest,
        ListTopProductsRequest, ProductRanking,
    },
    id::{ProductId, UserId},
    money::Currency,
    time::UnixMicros,
};

use crate::{
    calendar::{Day, Width},
    store::{PairPosition, ProductPosition},
};

/// Most buckets of one answer: a day by minutes, with an hour to spare.
pub(super) const MAX_BUCKETS: i64 = 1_500;
/// Buckets of an answer when the request names no start.
const DEFAULT_BUCKETS: i64 = 60;
/// Days of the funnel when the request names no start: a month.
const DEFAULT_DAYS: i32 = 30;
/// What a page size of 0 means for rankings: they are looked at from the top.
const DEFAULT_PAGE: usize = 10;
/// The first moment that a timestamp can tell: 0001-01-01T00:00:00Z.
const FIRST_TIME: UnixMicros = UnixMicros::from_micros(-62_135_596_800_000_000);

/// Which buckets of the order rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RateQuery {
    pub(super) width: Width,
    /// Start of the first bucket.
    pub(super) from: UnixMicros,
    /// End of the last one.
    pub(super) until: UnixMicros,
}

/// By what products are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ranking {
    Units,
    Revenue,
}

/// Which page of the best sold products.
#[derive(Debug)]
pub(super) struct ProductsQuery {
    pub(super) ranking: Ranking,
    pub(super) currency: Currency,
    pub(super) page: PageRequest<ProductPosition>,
}

/// Which page of the pairs.
#[derive(Debug)]
pub(super) struct PairsQuery {
    pub(super) product_id: Option<i64>,
    pub(super) page: PageRequest<PairPosition>,
}

/// Collects broken rules.
#[derive(Default)]
struct Rules(Vec<Violation>);

impl Rules {
    /// What was right, or nothing and a broken rule.
    fn check<T>(&mut self, field: &str, result: Result<T, impl ToString>) -> Option<T> {
        result
            .map_err(|problem| self.broken(field, problem.to_string()))
            .ok()
    }

    fn broken(&mut self, field: &str, problem: impl Into<String>) {
        self.0.push(Violation::new(field, problem));
    }

    fn time(&mut self, field: &str, time: Option<Timestamp>) -> Option<UnixMicros> {
        time.and_then(|time| self.check(field, UnixMicros::try_from(time)))
    }

    fn page<T>(&mut self, page: Result<PageRequest<T>, Error>) -> Option<PageRequest<T>> {
        page.map_err(|error| self.0.extend_from_slice(error.violations()))
            .ok()
    }

    /// The whole, if nothing was broken. `None` goes with a broken rule.
    fn whole<T>(self, whole: Option<T>) -> Result<T, Error> {
        match whole {
            Some(whole) if self.0.is_empty() => Ok(whole),
            _ => Err(Error::invalid(self.0)),
        }
    }
}

/// Starts are rounded down and ends up to whole buckets, so every moment asked
/// for lies in a bucket of the answer.
pub(super) fn order_rate(
    request: GetOrderRateRequest,
    now: UnixMicros,
) -> Result<RateQuery, Error> {
    let mut rules = Rules::default();
    let width = BucketWidth::try_from(request.width).map_err(|_| "must be a known width");
    let width = rules.check("width", width);
    let start = rules.time("start_time", request.start_time);
    let end = rules.time("end_time", request.end_time);
    let end_or_now = end.unwrap_or(now);
    if let Some(start) = start
        && start >= end_or_now
    {
        let (field, problem) = match end {
            Some(_) => ("end_time", "must be after start_time"),
            None => ("start_time", "must be in the past when end_time is absent"),
        };
        rules.broken(field, problem);
    }
    let query = width.map(Width::asked).map(|width| {
        let until = width.ceil(end_or_now);
        let default = until.saturating_sub(length(width, DEFAULT_BUCKETS));
        let from = width.floor(start.unwrap_or_else(|| default.max(FIRST_TIME)));
        RateQuery { width, from, until }
    });
    if let Some(query) = query
        && query.until > query.from.saturating_add(length(query.width, MAX_BUCKETS))
    {
        let problem = format!(
            "must be at most {MAX_BUCKETS} buckets before end_time; ask for less at a time, or \
             for wider buckets"
        );
        rules.broken("start_time", problem);
    }
    rules.whole(query)
}

fn length(width: Width, buckets: i64) -> Duration {
    Duration::from_micros(width.micros().unsigned_abs() * buckets.unsigned_abs())
}

pub(super) fn top_products(request: &ListTopProductsRequest) -> Result<ProductsQuery, Error> {
    let mut rules = Rules::default();
    let ranking = match ProductRanking::try_from(request.ranking) {
        Ok(ProductRanking::Unspecified | ProductRanking::Units) => Ok(Ranking::Units),
        Ok(ProductRanking::Revenue) => Ok(Ranking::Revenue),
        Err(_) => Err("must be a known ranking"),
    };
    let ranking = rules.check("ranking", ranking);
    let currency = match request.currency_code.as_str() {
        "" => Some(Currency::USD),
        code => rules.check("currency_code", code.parse()),
    };
    // What a page goes on with depends on all of this; said by what it means, so
    // that leaving a default out or writing it down is the same list.
    let filter = (
        ranking == Some(Ranking::Revenue),
        currency.map(Currency::code),
    );
    let page = rules.page(PageRequest::parse_with_default(
        request.page_size,
        &request.page_token,
        &filter,
        DEFAULT_PAGE,
    ));
    let query = ranking.zip(currency).zip(page);
    rules.whole(query.map(|((ranking, currency), page)| ProductsQuery {
        ranking,
        currency,
        page,
    }))
}

pub(super) fn product_pairs(request: &ListProductPairsRequest) -> Result<PairsQuery, Error> {
    let mut rules = Rules::default();
    let product_id = request
        .product_id
        .and_then(|id| rules.check("product_id", ProductId::try_from(id)))
        .map(ProductId::get);
    let page = rules.page(PageRequest::parse_with_default(
        request.page_size,
        &request.page_token,
        &request.product_id,
        DEFAULT_PAGE,
    ));
    rules.whole(page.map(|page| PairsQuery { product_id, page }))
}

pub(super) fn user(user_id: i64) -> Result<UserId, Error> {
    let mut rules = Rules::default();
    let user = rules.check("user_id", UserId::try_from(user_id));
    rules.whole(user)
}

pub(super) fn funnel(
    request: GetFunnelRequest,
    now: UnixMicros,
) -> Result<RangeInclusive<Day>, Error> {
    let mut rules = Rules::default();
    let start = rules.time("start_time", request.start_time).map(Day::of);
    let end = rules.time("end_time", request.end_time).map(Day::of);
    let last = end.unwrap_or_else(|| Day::of(now));
    let first = start.unwrap_or_else(|| last.plus(1 - DEFAULT_DAYS));
    if first > last {
        let (field, problem) = match end {
            Some(_) => ("end_time", "must not be before start_time's day"),
            None => (
                "start_time",
                "must not be in the future when end_time is absent",
            ),
        };
        rules.broken(field, problem);
    }
    rules.whole(Some(first..=last))
}
