//! Writes mails: subject, text and HTML, from templates in the binary.
//!
//! Invariant: what a shop puts into a product's name stays text. HTML templates
//! escape every value and hold no raw block; subjects are one line without
//! control characters.

use handlebars::Handlebars;
use proto::{
    event::{PlacedLine, PlacedOrder},
    events::v1::{DeclineCode, NotificationKind},
    id::NotificationId,
    money::Money,
};
use serde::Serialize;

use crate::{
    fact::Outcome,
    mail::{Content, NewMail},
};

/// One confirmation for each product, or one for the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailPer {
    /// One for each line of the order.
    Line,
    /// One for the whole order.
    Order,
}

impl chassis::config::Setting for MailPer {
    const EXPECTS: &'static str = "line or order";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "line" => Some(Self::Line),
            "order" => Some(Self::Order),
            _ => None,
        }
    }
}

/// A template could not be read or filled in. Both are mistakes of ours, which
/// the tests find.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// A template is not one.
    #[error("template: {0}")]
    Template(#[from] Box<handlebars::TemplateError>),
    /// A template names what there is not.
    #[error("rendering: {0}")]
    Render(#[from] Box<handlebars::RenderError>),
}

/// Each template's name with its subject, text and HTML.
const TEMPLATES: [(&str, [&str; 3]); 3] = [
    (
        "confirmation_line",
        [
            include_str!("../templates/confirmation_line.subject.hbs"),
            include_str!("../templates/confirmation_line.text.hbs"),
            include_str!("../templates/confirmation_line.html.hbs"),
        ],
    ),
    (
        "confirmation_order",
        [
            include_str!("../templates/confirmation_order.subject.hbs"),
            include_str!("../templates/confirmation_order.text.hbs"),
            include_str!("../templates/confirmation_order.html.hbs"),
        ],
    ),
    (
        "payment_declined",
        [
            include_str!("../templates/payment_declined.subject.hbs"),
            include_str!("../templates/payment_declined.text.hbs"),
            include_str!("../templates/payment_declined.html.hbs"),
        ],
    ),
];

/// Writes the mails of an order.
#[derive(Debug)]
pub struct Composer {
    subjects: Handlebars<'static>,
    texts: Handlebars<'static>,
    htmls: Handlebars<'static>,
    per: MailPer,
    message_id_domain: String,
}

/// What templates can name.
#[derive(Serialize)]
struct Values {
    order_id: String,
    placed_at: String,
    total: String,
    reason: &'static str,
    lines: Vec<LineValues>,
    line: Option<LineValues>,
}

#[derive(Serialize, Clone)]
struct LineValues {
    name: String,
    quantity: i32,
    unit_price: String,
    amount: String,
}

impl Composer {
    /// Reads the templates. `message_id_domain` is the part behind the `@` of
    /// every Message-ID.
    pub fn new(per: MailPer, message_id_domain: String) -> Result<Self, ComposeError> {
        let registry = |escape: fn(&str) -> String, part: usize| {
            let mut registry = Handlebars::new();
            // A name that is not there is a mistake, not an empty text.
            registry.set_strict_mode(true);
            registry.register_escape_fn(escape);
            for (name, parts) in TEMPLATES {
                registry
                    .register_template_string(name, parts[part].trim_end())
                    .map_err(Box::new)?;
            }
            Ok::<_, ComposeError>(registry)
        };
        Ok(Self {
            subjects: registry(handlebars::no_escape, 0)?,
            texts: registry(handlebars::no_escape, 1)?,
            htmls: registry(handlebars::html_escape, 2)?,
            per,
            message_id_domain,
        })
    }

    /// Every mail that an order with this outcome will ever have.
    pub fn mails(
        &self,
        order: &PlacedOrder,
        outcome: Outcome,
    ) -> Result<Vec<NewMail>, ComposeError> {
        let mut values = Values::of(order);
        if let Some(code) = outcome.decline_code() {
            values.reason = reason(code);
            let kind = NotificationKind::PaymentDeclined;
            return Ok(vec![self.mail(
                order,
                kind,
                None,
                "payment_declined",
                &values,
            )?]);
        }
        let kind = NotificationKind::OrderConfirmation;
        if self.per == MailPer::Order {
            return Ok(vec![self.mail(
                order,
                kind,
                None,
                "confirmation_order",
                &values,
            )?]);
        }
        // An order has at most 100 lines.
        (0_u16..)
            .zip(values.lines.clone())
            .map(|(index, line)| {
                values.line = Some(line);
                self.mail(order, kind, Some(index), "confirmation_line", &values)
            })
            .collect()
    }

    fn mail(
        &self,
        order: &PlacedOrder,
        kind: NotificationKind,
        line: Option<u16>,
        template: &str,
        values: &Values,
    ) -> Result<NewMail, ComposeError> {
        let render =
            |registry: &Handlebars<'_>| registry.render(template, values).map_err(Box::new);
        let id = NotificationId::of(order.order_id, kind, line);
        let subject = render(&self.subjects)?;
        Ok(NewMail {
            id,
            order_id: order.order_id,
            user_id: order.user_id.get(),
            kind,
            line,
            recipient: order.email.clone(),
            message_id: format!("<{id}@{}>", self.message_id_domain),
            content: Content {
                subject: subject.chars().filter(|c| !c.is_control()).collect(),
                text: render(&self.texts)?,
                html: render(&self.htmls)?,
            },
        })
    }
}

impl Values {
    fn of(order: &PlacedOrder) -> Self {
        Self {
            order_id: order.order_id.to_string(),
            placed_at: order.placed_at.to_string(),
            total: order.total.to_string(),
            reason: "",
            lines: order
                .lines
                .iter()
                .map(|line| LineValues::of(line, order))
                .collect(),
            line: None,
        }
    }
}

impl LineValues {
    fn of(line: &PlacedLine, order: &PlacedOrder) -> Self {
        let money = |minor| Money::new(minor, order.total.currency).to_string();
        Self {
            name: line.name.clone(),
            quantity: line.quantity,
            unit_price: money(line.unit_price),
            amount: money(line.amount()),
        }
    }
}

/// Why, in words for the buyer.
const fn reason(code: DeclineCode) -> &'static str {
    match code {
        DeclineCode::InsufficientFunds => "there is not enough money on the account",
        DeclineCode::ExpiredCard => "the card has expired",
        DeclineCode::GenericDecline | DeclineCode::Unspecified => {
            "the bank did not say why; it can tell you more"
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::{
        event::ContentHash,
        id::{OrderId, ProductId, UserId},
        money::Currency,
        time::UnixMicros,
    };

    use super::*;

    fn line(name: &str, unit_price: i64, quantity: i32) -> PlacedLine {
        let product_id = ProductId::try_from(1).unwrap();
        PlacedLine {
            product_id,
            name: name.into(),
            unit_price,
            quantity,
        }
    }

    fn order(lines: Vec<PlacedLine>) -> PlacedOrder {
        let total = lines.iter().map(PlacedLine::amount).sum();
        PlacedOrder {
            order_id: OrderId::random(),
            user_id: UserId::try_from(42).unwrap(),
            lines,
            total: Money::new(total, Currency::USD),
            email: "jane@example.com".parse().unwrap(),
            payment_token: None,
            placed_at: UnixMicros::from_micros(1_769_860_800_000_000),
            content_hash: ContentHash([7; 32]),
        }
    }

    fn composer(per: MailPer) -> Composer {
        Composer::new(per, "mail.example".into()).unwrap()
    }

    const CAPTURED: Outcome = Outcome::from_number(0);

    #[test]
    fn a_paid_order_has_one_confirmation_a_line() {
        let order = order(vec![line("Keyboard", 999, 2), line("Mouse", 499, 1)]);
        let mails = composer(MailPer::Line).mails(&order, CAPTURED).unwrap();
        assert_eq!(mails.len(), 2);
        assert_eq!(
            mails[0].content.subject,
            "Your order of Keyboard is confirmed"
        );
        assert!(mails[0].content.text.contains("2 x Keyboard"));
        assert!(
            mails[0]
                .content
                .text
                .contains("9.99 USD each, 19.98 USD together")
        );
        assert!(
            mails[1].content.html.contains("24.97 USD"),
            "the order's total"
        );
        let ids: Vec<_> = mails.iter().map(|mail| mail.message_id.as_str()).collect();
        assert_eq!(ids[0], format!("<{}@mail.example>", mails[0].id));
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn or_one_for_the_order() {
        let order = order(vec![line("Keyboard", 999, 2), line("Mouse", 499, 1)]);
        let mails = composer(MailPer::Order).mails(&order, CAPTURED).unwrap();
        assert_eq!(mails.len(), 1);
        assert_eq!(
            mails[0].content.subject,
            "Your order is confirmed: 24.97 USD"
        );
        assert!(mails[0].content.text.contains("1 x Mouse, 4.99 USD"));
        assert_eq!(mails[0].line, None);
    }

    #[test]
    fn a_declined_order_has_one_notice_and_no_confirmation() {
        let order = order(vec![line("Keyboard", 999, 1), line("Mouse", 499, 1)]);
        let declined = Outcome::from_number(DeclineCode::ExpiredCard.into());
        let mails = composer(MailPer::Line).mails(&order, declined).unwrap();
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].kind, NotificationKind::PaymentDeclined);
        assert!(mails[0].content.text.contains("the card has expired"));
    }

    #[test]
    fn a_product_s_name_cannot_become_markup() {
        let order = order(vec![line("<script>alert('x')</script> & Tïger 🐯", 1, 1)]);
        for per in [MailPer::Line, MailPer::Order] {
            let mail = &composer(per).mails(&order, CAPTURED).unwrap()[0];
            assert!(
                !mail.content.html.contains("<script>"),
                "{}",
                mail.content.html
            );
            assert!(mail.content.html.contains("&lt;script&gt;"));
            assert!(
                mail.content
                    .text
                    .contains("<script>alert('x')</script> & Tïger 🐯")
            );
        }
    }

    #[test]
    fn every_value_of_every_template_is_text() {
        const MARKUP: &str = "<img src=x onerror=alert(1)>\"'&{{total}}";
        let line = LineValues {
            name: MARKUP.into(),
            quantity: 1,
            unit_price: MARKUP.into(),
            amount: MARKUP.into(),
        };
        let values = Values {
            order_id: MARKUP.into(),
            placed_at: MARKUP.into(),
            total: MARKUP.into(),
            reason: MARKUP,
            lines: vec![line.clone()],
            line: Some(line),
        };
        let composer = composer(MailPer::Line);
        for (name, [subject, text, html]) in TEMPLATES {
            // Of all values only the quantity, a number, is not hostile.
            let hostile = |template: &str| {
                let blocks = ["{{#", "{{/"].map(|block| template.matches(block).count());
                let numbers = template.matches("quantity}}").count();
                template.matches("{{").count() - blocks[0] - blocks[1] - numbers
            };
            let shown = composer.htmls.render(name, &values).unwrap();
            assert!(!shown.contains("<img"), "{name}: {shown}");
            let escaped = "&lt;img src&#x3D;x onerror&#x3D;alert(1)&gt;&quot;&#x27;&amp;{{total}}";
            assert_eq!(
                shown.matches(escaped).count(),
                hostile(html),
                "{name}: {shown}"
            );
            for (registry, template) in [(&composer.subjects, subject), (&composer.texts, text)] {
                let shown = registry.render(name, &values).unwrap();
                assert_eq!(
                    shown.matches(MARKUP).count(),
                    hostile(template),
                    "{name}: {shown}"
                );
            }
        }
    }

    #[test]
    fn a_subject_is_one_line_even_of_a_name_that_is_none() {
        let hostile = "Tea\r\nBcc: all@example.com\u{0}\u{85}";
        let order = order(vec![line(hostile, 1, 1)]);
        let mail = &composer(MailPer::Line).mails(&order, CAPTURED).unwrap()[0];
        assert_eq!(
            mail.content.subject,
            "Your order of TeaBcc: all@example.com is confirmed"
        );
    }

    #[test]
    fn no_template_has_a_raw_block() {
        for (name, parts) in TEMPLATES {
            for part in parts {
                assert!(!part.contains("{{{") && !part.contains("{{&"), "{name}");
            }
        }
    }
}
