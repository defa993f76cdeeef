//! A payment that is declined.

use e2e::{
    footing::Footing,
    orders::{example_with, new_user},
};
use testkit::harness::Test;

use crate::on_both;

pub(crate) fn tests() -> Vec<Test> {
    on_both(
        "a declined order is told, noticed once, and not confirmed",
        declined,
    )
    .into()
}

async fn declined(footing: &'static Footing) -> anyhow::Result<()> {
    for (token, code) in [
        ("tok_declined", "DECLINE_CODE_GENERIC_DECLINE"),
        ("tok_insufficient_funds", "DECLINE_CODE_INSUFFICIENT_FUNDS"),
        ("tok_expired", "DECLINE_CODE_EXPIRED_CARD"),
    ] {
        let order = example_with(new_user(), "paymentToken", token.into());
        let placed = footing.rest.post("/order", &order).await?.json();
        let id = placed["orderId"].as_str().unwrap_or_default();
        let order = footing
            .rest
            .get(&format!("/orders/{id}?wait=20s&until=final"))
            .await?
            .json();
        assert_eq!(order["order"]["status"], "ORDER_STATUS_DECLINED", "{order}");
        assert_eq!(order["order"]["declineCode"], code);
        assert_eq!(order["payment"]["status"], "PAYMENT_STATUS_DECLINED");
        let mails = order["notifications"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        assert_eq!(mails.len(), 1, "one notice, no confirmation: {order}");
        assert_eq!(mails[0]["kind"], "NOTIFICATION_KIND_PAYMENT_DECLINED");
        let message_id = mails[0]["messageId"].as_str().unwrap_or_default();
        assert_eq!(footing.smtp.by_message_id(message_id).len(), 1);
    }
    Ok(())
}
