//! The rules of an order.

use proto::{
    event::{PlacedLine, checked_total, valid_name},
    id::{ProductId, UserId},
    limits::{MAX_LINES, MAX_NAME_CHARS, MAX_QUANTITY, MAX_TOTAL, MAX_UNIT_PRICE},
    money::{Currency, Money},
    orders::v1::{PlaceOrderRequest, Product},
    private::{Email, PaymentToken},
};

use super::{
    IdempotencyKey, Name, Path, Violations,
    names::{
        CURRENCY_CODE, EMAIL, ID, IDEMPOTENCY_KEY, NAME, PAYMENT_TOKEN, PRICE, PRODUCTS, QUANTITY,
        USER_ID,
    },
};

/// An order as a caller sent it. Absent is what was not sent, or what a door
/// could not read and has told of already.
#[derive(Default)]
pub(crate) struct OrderDraft {
    pub(crate) user_id: Option<i64>,
    pub(crate) products: Vec<ProductDraft>,
    pub(crate) currency_code: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) payment_token: Option<String>,
    pub(crate) idempotency_key: Option<String>,
}

/// A product as a caller sent it.
#[derive(Default)]
pub(crate) struct ProductDraft {
    pub(crate) id: Option<i64>,
    pub(crate) name: Option<String>,
    pub(crate) price: Option<i64>,
    pub(crate) quantity: Option<i64>,
}

impl From<PlaceOrderRequest> for OrderDraft {
    fn from(request: PlaceOrderRequest) -> Self {
        Self {
            user_id: Some(request.user_id),
            products: request.products.into_iter().map(Into::into).collect(),
            currency_code: request.currency_code,
            email: request.email,
            payment_token: request.payment_token,
            idempotency_key: request.idempotency_key,
        }
    }
}

impl From<Product> for ProductDraft {
    fn from(product: Product) -> Self {
        Self {
            id: Some(product.id),
            name: Some(product.name),
            price: product.price,
            quantity: product.quantity.map(i64::from),
        }
    }
}

/// An order that satisfies every rule, defaults applied; but an absent mail
/// address stays absent, because its default is a setting that may change
/// between a request and its retry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValidOrder {
    /// Who orders.
    pub(crate) user_id: UserId,
    /// What is ordered.
    pub(crate) lines: Vec<PlacedLine>,
    /// The exact sum over all lines.
    pub(crate) total: Money,
    /// Where mails go; absent: by the configured pattern.
    pub(crate) email: Option<Email>,
    /// The payment method; absent: the provider's default.
    pub(crate) payment_token: Option<PaymentToken>,
    /// Makes a retry safe.
    pub(crate) idempotency_key: Option<IdempotencyKey>,
}

/// Checks an order against every rule.
pub(crate) fn order(
    draft: OrderDraft,
    mut violations: Violations,
) -> Result<ValidOrder, chassis::error::Error> {
    let at = Path::Root;
    let user_id = violations
        .required(at.field(USER_ID), draft.user_id)
        .and_then(|id| violations.check(at.field(USER_ID), UserId::try_from(id)));
    let lines = lines(draft.products, &mut violations);
    let currency = match draft.currency_code {
        None => Some(Currency::USD),
        Some(code) => violations.check(at.field(CURRENCY_CODE), code.parse()),
    };
    let mut optional = Optional(&mut violations);
    let email = optional.parse(EMAIL, draft.email);
    let payment_token = optional.parse(PAYMENT_TOKEN, draft.payment_token);
    let idempotency_key = optional.parse(IDEMPOTENCY_KEY, draft.idempotency_key);
    let total = lines.as_deref().and_then(|lines| {
        let rule = format!("must come to a total of at most {MAX_TOTAL}");
        violations.check(at.field(PRODUCTS), checked_total(lines).ok_or(rule))
    });
    let valid = (|| {
        Some(ValidOrder {
            user_id: user_id?,
            lines: lines?,
            total: Money::new(total?, currency?),
            email,
            payment_token,
            idempotency_key,
        })
    })();
    violations.finish(valid)
}

/// Reads fields that may be missing.
struct Optional<'v>(&'v mut Violations);

impl Optional<'_> {
    fn parse<T>(&mut self, name: Name, text: Option<String>) -> Option<T>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        self.0.check(Path::Root.field(name), text?.parse())
    }
}

fn lines(products: Vec<ProductDraft>, violations: &mut Violations) -> Option<Vec<PlacedLine>> {
    let at = Path::Root.field(PRODUCTS);
    if !(1..=MAX_LINES).contains(&products.len()) {
        violations.add(at, format_args!("must hold 1 to {MAX_LINES} products"));
    }
    let mut lines = Vec::with_capacity(products.len().min(MAX_LINES));
    let mut all_valid = true;
    for (index, product) in products.into_iter().enumerate() {
        match line(product, at.item(index), violations) {
            Some(line) => lines.push(line),
            None => all_valid = false,
        }
    }
    all_valid.then_some(lines)
}

fn line(product: ProductDraft, at: Path<'_>, violations: &mut Violations) -> Option<PlacedLine> {
    let product_id = violations
        .required(at.field(ID), product.id)
        .and_then(|id| violations.check(at.field(ID), ProductId::try_from(id)));
    let name = violations
        .required(at.field(NAME), product.name)
        .and_then(|name| {
            let rule =
                format_args!("must be 1 to {MAX_NAME_CHARS} characters, none of them control");
            violations.check(
                at.field(NAME),
                valid_name(&name).then_some(name).ok_or(rule),
            )
        });
    let unit_price = violations
        .required(at.field(PRICE), product.price)
        .and_then(|price| within(price, 0, MAX_UNIT_PRICE, at.field(PRICE), violations));
    let quantity = product.quantity.unwrap_or(1);
    let quantity = within(
        quantity,
        1,
        MAX_QUANTITY.into(),
        at.field(QUANTITY),
        violations,
    );
    Some(PlacedLine {
        product_id: product_id?,
        name: name?,
        unit_price: unit_price?,
        quantity: i32::try_from(quantity?).ok()?,
    })
}

fn within(
    number: i64,
    least: i64,
    most: i64,
    at: Path<'_>,
    violations: &mut Violations,
) -> Option<i64> {
    let rule = format_args!("must be between {least} and {most}");
    violations.check(
        at,
        (least..=most)
            .contains(&number)
            .then_some(number)
            .ok_or(rule),
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::validate::Naming;

    /// The order that both doors are shown in the documentation.
    pub(crate) fn keyboard_and_mouse() -> PlaceOrderRequest {
        let product = |id, name: &str, price| Product {
            id,
            name: name.to_owned(),
            price: Some(price),
            quantity: None,
        };
        PlaceOrderRequest {
            user_id: 42,
            products: vec![product(1, "Keyboard", 999), product(2, "Mouse", 499)],
            ..PlaceOrderRequest::default()
        }
    }

    fn check(request: PlaceOrderRequest) -> Result<ValidOrder, Vec<String>> {
        order(request.into(), Violations::new(Naming::Proto))
            .map_err(|error| error.violations().iter().map(|v| v.field.clone()).collect())
    }

    fn refused(change: impl FnOnce(&mut PlaceOrderRequest)) -> Vec<String> {
        let mut request = keyboard_and_mouse();
        change(&mut request);
        check(request).unwrap_err()
    }

    #[test]
    fn defaults_are_one_piece_in_us_dollars() {
        let order = check(keyboard_and_mouse()).unwrap();
        assert_eq!(order.total, Money::new(1498, Currency::USD));
        assert!(order.lines.iter().all(|line| line.quantity == 1));
        assert_eq!(
            (order.email, order.payment_token, order.idempotency_key),
            (None, None, None)
        );
    }

    #[test]
    fn all_broken_rules_are_told_together() {
        let fields = refused(|request| {
            request.user_id = 0;
            request.products[0].id = -1;
            request.products[0].name = "a".repeat(201);
            request.products[1].price = None;
            request.products[1].quantity = Some(0);
            request.currency_code = Some("usd".into());
            request.email = Some("jane@example.com\r\nBcc: all@example.com".into());
            request.payment_token = Some(String::new());
            request.idempotency_key = Some("with space".into());
        });
        assert_eq!(
            fields,
            [
                "user_id",
                "products[0].id",
                "products[0].name",
                "products[1].price",
                "products[1].quantity",
                "currency_code",
                "email",
                "payment_token",
                "idempotency_key",
            ]
        );
    }

    #[test]
    fn bounds_are_inclusive() {
        let mut request = keyboard_and_mouse();
        request.user_id = proto::limits::MAX_ID;
        request.products[0].name = "ü".repeat(200);
        request.products[0].price = Some(MAX_UNIT_PRICE);
        request.products[1].price = Some(0);
        request.products[1].quantity = Some(MAX_QUANTITY);
        check(request).unwrap();
    }

    #[rstest::rstest]
    #[case(|r: &mut PlaceOrderRequest| r.products.clear(), "products")]
    #[case(|r: &mut PlaceOrderRequest| r.products = vec![r.products[0].clone(); 101], "products")]
    #[case(|r: &mut PlaceOrderRequest| r.user_id = proto::limits::MAX_ID + 1, "user_id")]
    #[case(|r: &mut PlaceOrderRequest| r.products[1].name = "a\u{7}b".into(), "products[1].name")]
    #[case(|r: &mut PlaceOrderRequest| r.products[1].name = String::new(), "products[1].name")]
    #[case(|r: &mut PlaceOrderRequest| r.products[1].price = Some(-1), "products[1].price")]
    #[case(|r: &mut PlaceOrderRequest| r.products[1].price = Some(MAX_UNIT_PRICE + 1), "products[1].price")]
    #[case(|r: &mut PlaceOrderRequest| r.products[1].quantity = Some(10_001), "products[1].quantity")]
    fn one_broken_rule_names_its_field(
        #[case] change: fn(&mut PlaceOrderRequest),
        #[case] field: &str,
    ) {
        assert_eq!(refused(change), [field]);
    }

    #[test]
    fn a_total_beyond_the_bound_is_told_of_all_products() {
        let fields = refused(|request| {
            for product in &mut request.products {
                product.price = Some(MAX_UNIT_PRICE);
                product.quantity = Some(MAX_QUANTITY);
            }
        });
        assert_eq!(fields, ["products"]);
    }

    #[test]
    fn what_a_caller_sent_in_private_is_never_quoted() {
        let mut request = keyboard_and_mouse();
        request.email = Some("jane@@example.com".into());
        request.payment_token = Some("tok secret".into());
        let error = order(request.into(), Violations::new(Naming::Json)).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(
            !text.contains("jane@@") && !text.contains("tok secret"),
            "{text}"
        );
    }
}
