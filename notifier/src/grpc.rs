//! `ordermesh.notifier.v1.NotifierService`.

use std::{sync::Arc, time::Duration};

use chassis::{
    error::{Error, Reason, Violation},
    page::PageRequest,
};
use proto::{
    id::{NotificationId, OrderId, UserId},
    notifier::v1::{
        BatchGetOrderNotificationsRequest, BatchGetOrderNotificationsResponse,
        GetNotificationRequest, GetNotificationResponse, ListNotificationsRequest,
        ListNotificationsResponse, Notification, NotificationStatus, OrderNotifications,
        notifier_service_server::NotifierService,
    },
    time::UnixMicros,
};
use tonic::{Request, Response, Status as GrpcStatus};
use uuid::Uuid;

use crate::{
    mail::{Status, StoredMail},
    store::{Filter, Position, Store},
};

/// Most orders in one call.
const MAX_ORDERS: usize = 1_000;

/// Where a page ended: when the mail was written, and its id.
type Cursor = (i64, Uuid);

/// Answers for the mails of a store.
pub struct Api(Arc<dyn Store>);

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Api")
    }
}

impl Api {
    /// Answers from this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(store)
    }

    async fn get(&self, request: GetNotificationRequest) -> Result<Notification, Error> {
        let id: NotificationId =
            request
                .notification_id
                .parse()
                .map_err(|error: proto::id::InvalidId| {
                    Error::invalid_field("notification_id", error.to_string())
                })?;
        let mail = self.0.mail(id).await?;
        Ok(mail.ok_or_else(not_found)?.into())
    }

    async fn batch(
        &self,
        request: BatchGetOrderNotificationsRequest,
    ) -> Result<Vec<OrderNotifications>, Error> {
        let ids = order_ids(&request.order_ids)?;
        let orders = self.0.of_orders(&ids).await?;
        Ok(orders
            .into_iter()
            .map(|order| OrderNotifications {
                order_id: order.order_id.to_string(),
                notifications: order.mails.into_iter().map(Into::into).collect(),
                complete: order.complete,
            })
            .collect())
    }

    async fn list(
        &self,
        request: ListNotificationsRequest,
    ) -> Result<ListNotificationsResponse, Error> {
        let mut violations = Vec::new();
        let filter = filter(&request, &mut violations);
        let page = PageRequest::<Cursor>::parse(request.page_size, &request.page_token, &filter);
        let page = match page {
            Ok(page) if violations.is_empty() => page,
            Ok(_) => return Err(Error::invalid(violations)),
            Err(error) => {
                violations.extend_from_slice(error.violations());
                return Err(Error::invalid(violations));
            }
        };
        let after = page
            .after
            .map_or(Position::START, |(created_at, id)| Position {
                created_at: UnixMicros::from_micros(created_at),
                id: NotificationId::from_uuid(id),
            });
        let mails = self.0.list(filter, after, page.rows_to_read()).await?;
        let page = page.page(mails, |mail| {
            (mail.created_at.as_micros(), *mail.id.as_uuid())
        });
        Ok(ListNotificationsResponse {
            notifications: page.rows.into_iter().map(Into::into).collect(),
            next_page_token: page.next_page_token,
        })
    }
}

/// It may only be late: mails are written a moment after the order.
fn not_found() -> Error {
    Error::new(
        Reason::NotFound,
        "there is no such notification, or not yet",
    )
    .retry_after(Duration::from_secs(1))
}

/// Each once, however often it was asked for.
fn order_ids(texts: &[String]) -> Result<Vec<OrderId>, Error> {
    if texts.is_empty() || texts.len() > MAX_ORDERS {
        let problem = format!("must be 1 to {MAX_ORDERS} ids, not {}", texts.len());
        return Err(Error::invalid_field("order_ids", problem));
    }
    let mut violations = Vec::new();
    let mut ids = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        match text.parse() {
            Ok(id) => ids.push(id),
            Err(error) => {
                let error: proto::id::InvalidId = error;
                violations.push(Violation::new(
                    format!("order_ids[{index}]"),
                    error.to_string(),
                ));
            }
        }
    }
    if !violations.is_empty() {
        return Err(Error::invalid(violations));
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn filter(request: &ListNotificationsRequest, violations: &mut Vec<Violation>) -> Filter {
    let mut order_id = None;
    if !request.order_id.is_empty() {
        match request.order_id.parse::<OrderId>() {
            Ok(id) => order_id = Some(id),
            Err(error) => violations.push(Violation::new("order_id", error.to_string())),
        }
    }
    let mut user_id = None;
    if let Some(number) = request.user_id {
        match UserId::try_from(number) {
            Ok(id) => user_id = Some(id),
            Err(error) => violations.push(Violation::new("user_id", error.to_string())),
        }
    }
    let known = NotificationStatus::try_from(request.status);
    if known.is_err() {
        violations.push(Violation::new("status", "must be a known status"));
    }
    let status = known.ok().and_then(Status::from_api);
    Filter::new(order_id, user_id, status)
}

impl From<StoredMail> for Notification {
    fn from(mail: StoredMail) -> Self {
        Self {
            notification_id: mail.id.to_string(),
            order_id: mail.order_id.to_string(),
            user_id: mail.user_id,
            kind: mail.kind,
            line: mail.line,
            status: NotificationStatus::from(mail.status).into(),
            recipient: mail.recipient.0,
            message_id: mail.message_id,
            subject: mail.content.subject,
            text_body: mail.content.text,
            html_body: mail.content.html,
            attempts: mail.attempts,
            last_error: mail.last_error,
            created_at: Some(mail.created_at.into()),
            sent_at: mail.sent_at.map(Into::into),
        }
    }
}

#[tonic::async_trait]
impl NotifierService for Api {
    async fn get_notification(
        &self,
        request: Request<GetNotificationRequest>,
    ) -> Result<Response<GetNotificationResponse>, GrpcStatus> {
        let notification = self.get(request.into_inner()).await?;
        Ok(Response::new(GetNotificationResponse {
            notification: Some(notification),
        }))
    }

    async fn batch_get_order_notifications(
        &self,
        request: Request<BatchGetOrderNotificationsRequest>,
    ) -> Result<Response<BatchGetOrderNotificationsResponse>, GrpcStatus> {
        let orders = self.batch(request.into_inner()).await?;
        Ok(Response::new(BatchGetOrderNotificationsResponse { orders }))
    }

    async fn list_notifications(
        &self,
        request: Request<ListNotificationsRequest>,
    ) -> Result<Response<ListNotificationsResponse>, GrpcStatus> {
        Ok(Response::new(self.list(request.into_inner()).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_is_asked_for_twice_is_answered_once() {
        let (one, other) = (OrderId::random(), OrderId::random());
        let texts = [one, other, one].map(|id| id.to_string());
        let ids = order_ids(&texts).unwrap();
        assert_eq!(ids.len(), 2);
        assert!(ids.contains(&one) && ids.contains(&other));
    }

    #[test]
    fn every_wrong_id_is_named() {
        let texts = [
            "no".to_owned(),
            OrderId::random().to_string(),
            String::new(),
        ];
        let error = order_ids(&texts).unwrap_err();
        let fields: Vec<_> = error.violations().iter().map(|v| v.field.clone()).collect();
        assert_eq!(fields, ["order_ids[0]", "order_ids[2]"]);
        assert!(order_ids(&[]).is_err());
    }
}
