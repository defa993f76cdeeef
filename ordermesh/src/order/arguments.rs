//! Arguments of `ordermesh order`.

use std::str::FromStr;

use clap::Args;
use proto::orders::v1::{PlaceOrderRequest, Product};

/// Where the gateway is.
#[derive(Debug, Args)]
pub(crate) struct GatewayAddress {
    /// The gateway's gRPC address.
    #[arg(long, env = "ORDERMESH_GATEWAY", default_value = "127.0.0.1:50051")]
    pub(crate) address: String,
}

/// What to order.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Reads the order as JSON from a file, or from standard input for `-`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "product", "currency"])]
    file: Option<String>,
    /// Who orders.
    #[arg(long, required_unless_present = "file")]
    user: Option<i64>,
    /// A product as ID:NAME:PRICE or ID:NAME:PRICE:QUANTITY, the price in minor
    /// units; several times for several products.
    #[arg(
        long,
        required_unless_present = "file",
        value_name = "ID:NAME:PRICE[:QUANTITY]"
    )]
    product: Vec<ProductArgument>,
    /// ISO 4217 code.
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// Where mails go.
    #[arg(long)]
    email: Option<String>,
    /// The payment method's token, for instance tok_declined.
    #[arg(long, value_name = "TOKEN")]
    payment_token: Option<String>,
    /// Makes a retry safe: the same key is the same order.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Goes on to watch the order until nothing more will happen to it.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    gateway: GatewayAddress,
}

/// Which orders to list.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only this user's.
    #[arg(long)]
    pub(crate) user: Option<i64>,
    /// How many.
    #[arg(long, default_value_t = 20)]
    pub(crate) page_size: i32,
    /// Goes on from the page before.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) page_token: Option<String>,
    /// The history service's gRPC address.
    #[arg(long, env = "ORDERMESH_HISTORY", default_value = "127.0.0.1:50054")]
    pub(crate) history: String,
}

/// A product on the command line. The name may hold colons.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProductArgument(Product);

impl FromStr for ProductArgument {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str =
            "must be ID:NAME:PRICE or ID:NAME:PRICE:QUANTITY, such as 1:Keyboard:999";
        let (id, rest) = text.split_once(':').ok_or(FORM)?;
        let (rest, last) = rest.rsplit_once(':').ok_or(FORM)?;
        let last: i64 = last.parse().map_err(|_| FORM)?;
        let with_quantity = rest
            .rsplit_once(':')
            .and_then(|(name, price)| Some((name, price.parse::<i64>().ok()?)));
        let (name, price, quantity) = match with_quantity {
            Some((name, price)) => (name, price, Some(last.try_into().map_err(|_| FORM)?)),
            None => (rest, last, None),
        };
        Ok(Self(Product {
            id: id.parse().map_err(|_| FORM)?,
            name: name.to_owned(),
            price: Some(price),
            quantity,
        }))
    }
}

impl Place {
    /// The request, where to send it, and whether to watch it then.
    pub(crate) fn into_request(
        self,
        read: impl FnOnce(&str) -> anyhow::Result<PlaceOrderRequest>,
    ) -> anyhow::Result<(PlaceOrderRequest, GatewayAddress, bool)> {
        let mut request = match &self.file {
            Some(file) => read(file)?,
            None => PlaceOrderRequest {
                user_id: self.user.unwrap_or_default(),
                products: self
                    .product
                    .into_iter()
                    .map(|ProductArgument(p)| p)
                    .collect(),
                currency_code: self.currency,
                ..Default::default()
            },
        };
        // Given on the command line, they stand over the file.
        request.email = self.email.or(request.email);
        request.payment_token = self.payment_token.or(request.payment_token);
        request.idempotency_key = self.idempotency_key.or(request.idempotency_key);
        Ok((request, self.gateway, self.watch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(text: &str) -> Result<(i64, String, i64, Option<i32>), &'static str> {
        let ProductArgument(product) = text.parse()?;
        Ok((
            product.id,
            product.name,
            product.price.unwrap_or_default(),
            product.quantity,
        ))
    }

    #[test]
    fn products_are_read_with_and_without_a_quantity() {
        assert_eq!(
            product("1:Keyboard:999"),
            Ok((1, "Keyboard".into(), 999, None))
        );
        assert_eq!(
            product("2:Mouse:499:3"),
            Ok((2, "Mouse".into(), 499, Some(3)))
        );
        assert_eq!(
            product("3:Cable: 2 m:5"),
            Ok((3, "Cable: 2 m".into(), 5, None))
        );
    }

    #[test]
    fn anything_else_is_told_its_form() {
        for wrong in [
            "",
            "1",
            "1:Keyboard",
            "x:Keyboard:1",
            "1:Keyboard:free",
            "1:a:1:99999999999",
        ] {
            assert!(product(wrong).is_err(), "{wrong}");
        }
    }
}
