//! `ordermesh.payments.v1.PaymentService`: reads payments.
//!
//! Reading never waits for charging: it goes to the store alone, and works while
//! Kafka or the provider is away.

use std::sync::Arc;

use async_trait::async_trait;
use chassis::{
    error::{Error, Reason, Violation},
    page::PageRequest,
};
use proto::{
    event::PaymentResult,
    events::v1::DeclineCode,
    id::{InvalidId, OrderId, PaymentId, UserId},
    payments::v1::{
        self, BatchGetPaymentsRequest, BatchGetPaymentsResponse, CapturedAmount, DeclineCount,
        GetPaymentRequest, GetPaymentResponse, GetPaymentStatsRequest, GetPaymentStatsResponse,
        ListPaymentsRequest, ListPaymentsResponse, PaymentStatus,
        get_payment_request::Id,
        payment_service_server::{PaymentService, PaymentServiceServer},
    },
};
use tonic::{Request, Response, Status};

use crate::{
    payment::Payment,
    store::{Cursor, Filter, Stats, Store},
};

/// Most ids in one batch request (AIP-231).
const MAX_BATCH: usize = 1_000;

/// Largest request, in bytes: [`MAX_BATCH`] ids are 38 KiB; somewhat more than
/// that still gets an answer that says what the bound is.
const MAX_REQUEST: usize = 256 * 1024;

/// Answers calls out of a store.
pub struct Api {
    store: Arc<dyn Store>,
}

impl Api {
    /// Answers out of this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// As a service with its limits.
    pub fn server(self) -> PaymentServiceServer<Self> {
        PaymentServiceServer::new(self).max_decoding_message_size(MAX_REQUEST)
    }

    async fn one(&self, request: GetPaymentRequest) -> Result<Payment, Error> {
        let payment_id = wanted(request)?;
        let found = self.store.get(vec![payment_id]).await?;
        found
            .into_iter()
            .next()
            .ok_or_else(|| Error::new(Reason::NotFound, "there is no such payment, or not yet"))
    }
}

#[async_trait]
impl PaymentService for Api {
    async fn get_payment(
        &self,
        request: Request<GetPaymentRequest>,
    ) -> Result<Response<GetPaymentResponse>, Status> {
        let payment = self.one(request.into_inner()).await?;
        Ok(Response::new(GetPaymentResponse {
            payment: Some(payment.into()),
        }))
    }

    async fn batch_get_payments(
        &self,
        request: Request<BatchGetPaymentsRequest>,
    ) -> Result<Response<BatchGetPaymentsResponse>, Status> {
        let payment_ids = batch(&request.into_inner())?;
        let found = self.store.get(payment_ids).await.map_err(Error::from)?;
        let payments = found.into_iter().map(Into::into).collect();
        Ok(Response::new(BatchGetPaymentsResponse { payments }))
    }

    async fn list_payments(
        &self,
        request: Request<ListPaymentsRequest>,
    ) -> Result<Response<ListPaymentsResponse>, Status> {
        let (filter, page) = list(&request.into_inner())?;
        let rows = self.store.list(filter, &page).await.map_err(Error::from)?;
        let page = page.page(rows, Cursor::after);
        Ok(Response::new(ListPaymentsResponse {
            payments: page.rows.into_iter().map(Into::into).collect(),
            next_page_token: page.next_page_token,
        }))
    }

    async fn get_payment_stats(
        &self,
        _: Request<GetPaymentStatsRequest>,
    ) -> Result<Response<GetPaymentStatsResponse>, Status> {
        let stats = self.store.stats().await.map_err(Error::from)?;
        Ok(Response::new(stats.into()))
    }
}

/// The payment that is asked for. An order's payment has an id that follows from
/// the order's, so both ways lead to the same row.
fn wanted(request: GetPaymentRequest) -> Result<PaymentId, Error> {
    match request.id {
        Some(Id::PaymentId(text)) => text
            .parse()
            .map_err(|error: InvalidId| invalid("payment_id", error.to_string())),
        Some(Id::OrderId(text)) => text
            .parse()
            .map(PaymentId::of)
            .map_err(|error: InvalidId| invalid("order_id", error.to_string())),
        None => Err(invalid("id", "one of payment_id and order_id must be set")),
    }
}

fn invalid(field: &str, description: impl Into<String>) -> Error {
    Error::invalid_field(field, description)
}

fn batch(request: &BatchGetPaymentsRequest) -> Result<Vec<PaymentId>, Error> {
    let count = request.order_ids.len();
    if !(1..=MAX_BATCH).contains(&count) {
        return Err(invalid(
            "order_ids",
            format!("must be 1 to {MAX_BATCH} ids, not {count}"),
        ));
    }
    let mut violations = Vec::new();
    let mut payment_ids = Vec::with_capacity(count);
    for (index, text) in request.order_ids.iter().enumerate() {
        match text.parse::<OrderId>() {
            Ok(order_id) => payment_ids.push(PaymentId::of(order_id)),
            Err(error) => {
                let field = format!("order_ids[{index}]");
                violations.push(Violation::new(field, error.to_string()));
            }
        }
    }
    if !violations.is_empty() {
        return Err(Error::invalid(violations));
    }
    // An id that is asked for twice is answered once.
    payment_ids.sort_unstable();
    payment_ids.dedup();
    Ok(payment_ids)
}

fn list(request: &ListPaymentsRequest) -> Result<(Filter, PageRequest<Cursor>), Error> {
    let mut violations = Vec::new();
    let mut filter = Filter::default();
    if let Some(user_id) = request.user_id {
        match UserId::try_from(user_id) {
            Ok(user_id) => filter.user_id = Some(user_id),
            Err(error) => violations.push(Violation::new("user_id", error.to_string())),
        }
    }
    match PaymentStatus::try_from(request.status) {
        Ok(PaymentStatus::Unspecified) => {}
        Ok(status) => filter.status = Some(status),
        Err(_) => violations.push(Violation::new("status", "must be a known status")),
    }
    // A token cannot be told to be wrong while it is not known what for.
    let token = if violations.is_empty() {
        request.page_token.as_str()
    } else {
        ""
    };
    match PageRequest::parse(request.page_size, token, &filter) {
        Ok(page) if violations.is_empty() => Ok((filter, page)),
        Ok(_) => Err(Error::invalid(violations)),
        Err(error) => {
            violations.extend_from_slice(error.violations());
            Err(Error::invalid(violations))
        }
    }
}

impl From<Payment> for v1::Payment {
    fn from(payment: Payment) -> Self {
        let (status, decline_code) = match payment.outcome.as_ref().map(|outcome| outcome.result) {
            None => (PaymentStatus::Pending, DeclineCode::Unspecified),
            Some(PaymentResult::Captured) => (PaymentStatus::Captured, DeclineCode::Unspecified),
            Some(PaymentResult::Declined(code)) => (PaymentStatus::Declined, code),
        };
        let (provider_reference, settled_at) = payment
            .outcome
            .map(|outcome| (outcome.provider_reference, outcome.settled_at.into()))
            .unzip();
        Self {
            payment_id: payment.payment_id.to_string(),
            order_id: payment.order_id.to_string(),
            user_id: payment.user_id.get(),
            amount: payment.amount.minor,
            currency_code: payment.amount.currency.code().to_owned(),
            status: status.into(),
            decline_code: decline_code.into(),
            provider_reference: provider_reference.unwrap_or_default(),
            created_at: Some(payment.created_at.into()),
            settled_at,
        }
    }
}

impl From<Stats> for GetPaymentStatsResponse {
    fn from(stats: Stats) -> Self {
        let declined = |(code, count): (DeclineCode, i64)| DeclineCount {
            decline_code: code.into(),
            count,
        };
        Self {
            pending: stats.pending,
            captured: stats.captured,
            declined: stats.declined.into_iter().map(declined).collect(),
            captured_amounts: stats
                .captured_amounts
                .into_iter()
                .map(|(currency, amount)| CapturedAmount {
                    currency_code: currency.code().to_owned(),
                    amount,
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::{money::Money, time::UnixMicros};

    use super::*;
    use crate::payment::Outcome;

    fn fields(error: &Error) -> Vec<&str> {
        error
            .violations()
            .iter()
            .map(|violation| violation.field.as_str())
            .collect()
    }

    #[test]
    fn an_order_and_its_payment_lead_to_the_same_row() {
        let order_id = OrderId::random();
        let payment_id = PaymentId::of(order_id);
        for id in [
            Id::OrderId(order_id.to_string()),
            Id::PaymentId(payment_id.to_string()),
        ] {
            assert_eq!(
                wanted(GetPaymentRequest { id: Some(id) }).unwrap(),
                payment_id
            );
        }
    }

    #[test]
    fn what_cannot_be_looked_up_names_its_field() {
        for (id, field) in [
            (None, "id"),
            (Some(Id::OrderId("x".into())), "order_id"),
            (Some(Id::PaymentId(String::new())), "payment_id"),
        ] {
            assert_eq!(
                fields(&wanted(GetPaymentRequest { id }).unwrap_err()),
                [field]
            );
        }
    }

    #[test]
    fn every_wrong_id_of_a_batch_is_named() {
        let request = |order_ids| BatchGetPaymentsRequest { order_ids };
        let good = OrderId::random().to_string();
        let wrong = request(vec!["x".into(), good.clone(), "y".into()]);
        assert_eq!(
            fields(&batch(&wrong).unwrap_err()),
            ["order_ids[0]", "order_ids[2]"]
        );
        assert_eq!(
            fields(&batch(&request(Vec::new())).unwrap_err()),
            ["order_ids"]
        );
        let many = request(vec![good.clone(); MAX_BATCH + 1]);
        assert_eq!(fields(&batch(&many).unwrap_err()), ["order_ids"]);
        assert_eq!(batch(&request(vec![good.clone(), good])).unwrap().len(), 1);
    }

    #[test]
    fn every_wrong_field_of_a_list_is_named() {
        let request = ListPaymentsRequest {
            user_id: Some(0),
            status: 99,
            page_size: -1,
            page_token: "of another list".into(),
        };
        assert_eq!(
            fields(&list(&request).unwrap_err()),
            ["user_id", "status", "page_size"]
        );
        let request = ListPaymentsRequest {
            page_token: "x".into(),
            ..Default::default()
        };
        assert_eq!(fields(&list(&request).unwrap_err()), ["page_token"]);
    }

    #[test]
    fn no_status_means_all_of_them() {
        let (filter, page) = list(&ListPaymentsRequest::default()).unwrap();
        assert_eq!(filter, Filter::default());
        assert_eq!(page.size, chassis::page::DEFAULT_SIZE);
    }

    #[test]
    fn a_pending_payment_tells_no_outcome_and_a_declined_one_tells_why() {
        let order_id = OrderId::random();
        let mut payment = Payment {
            payment_id: PaymentId::of(order_id),
            order_id,
            user_id: UserId::try_from(42).unwrap(),
            amount: Money::new(999, proto::money::Currency::USD),
            order_placed_at: UnixMicros::from_micros(1),
            created_at: UnixMicros::from_micros(2),
            outcome: None,
        };
        let pending = v1::Payment::from(payment.clone());
        assert_eq!(pending.status(), PaymentStatus::Pending);
        assert_eq!(
            (pending.provider_reference.as_str(), pending.settled_at),
            ("", None)
        );
        payment.outcome = Some(Outcome {
            result: PaymentResult::Declined(DeclineCode::ExpiredCard),
            provider_reference: "ch_1".into(),
            settled_at: UnixMicros::from_micros(3),
        });
        let declined = v1::Payment::from(payment);
        assert_eq!(declined.status(), PaymentStatus::Declined);
        assert_eq!(declined.decline_code(), DeclineCode::ExpiredCard);
        assert_eq!(declined.provider_reference, "ch_1");
        assert!(declined.settled_at.is_some());
    }
}
