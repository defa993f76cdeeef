//! Bad input at both doors gets the answer of the error table, is told whole, and
//! changes nothing.

use bytes::Bytes;
use e2e::{
    footing::Footing,
    orders::{example, example_request, example_with, new_user},
};
use http::{Method, StatusCode, header};
use http_body_util::Full;
use proto::{
    analytics::v1::GetUserBehaviorRequest,
    history::v1::{GetOrderRequest, ListOrdersRequest},
    orders::v1::{PlaceOrderRequest, TrackEventRequest},
    payments::v1::GetPaymentRequest,
};
use serde_json::{Value, json};
use testkit::harness::Test;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::on_both;

pub(crate) fn tests() -> Vec<Test> {
    [
        on_both(
            "bad orders by rest are told every violation by path",
            rest_orders,
        ),
        on_both(
            "bad orders by grpc are told every violation by path",
            grpc_orders,
        ),
        on_both(
            "what is no json order is 400, too large 413, compressed 415",
            rest_bodies,
        ),
        on_both(
            "wrong paths, methods and parameters are told",
            rest_requests,
        ),
        on_both("wrong queries by grpc are told", grpc_queries),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Orders that break one rule each, by the path that must be named.
fn bad_orders(user: i64) -> Vec<(Value, &'static str)> {
    let with = |field: &str, value: Value| example_with(user, field, value);
    let product = |field: &str, value: Value| {
        let mut order = example(user);
        order["products"][1][field] = value;
        order
    };
    let mut many = example(user);
    many["products"] = vec![json!({ "id": 1, "name": "x", "price": 1 }); 101].into();
    let mut overflow = example(user);
    overflow["products"] =
        vec![json!({ "id": 1, "name": "x", "price": 1_000_000_000, "quantity": 10_000 }); 100]
            .into();
    vec![
        (with("userId", json!(0)), "userId"),
        (with("userId", json!(-1)), "userId"),
        (with("userId", json!(9_007_199_254_740_992_i64)), "userId"),
        (with("userId", json!("no number")), "userId"),
        (with("products", json!([])), "products"),
        (with("products", json!({})), "products"),
        (many, "products"),
        (overflow, "products"),
        (product("price", json!(-1)), "products[1].price"),
        (product("price", json!(1_000_000_001)), "products[1].price"),
        (product("price", json!(1.5)), "products[1].price"),
        (product("price", Value::Null), "products[1].price"),
        (product("quantity", json!(0)), "products[1].quantity"),
        (product("quantity", json!(10_001)), "products[1].quantity"),
        (
            product("id", json!(9_007_199_254_740_992_i64)),
            "products[1].id",
        ),
        (product("name", json!("")), "products[1].name"),
        (product("name", json!("x".repeat(201))), "products[1].name"),
        (product("name", json!("bell\u{7}")), "products[1].name"),
        (product("colour", json!("red")), "products[1].colour"),
        (with("currencyCode", json!("usd")), "currencyCode"),
        (with("currencyCode", json!("ZZZ")), "currencyCode"),
        (with("email", json!("nobody")), "email"),
        (
            with("email", json!("a@b.example\r\nBcc: c@d.example")),
            "email",
        ),
        (with("paymentToken", json!("")), "paymentToken"),
        (with("discount", json!(1)), "discount"),
    ]
}

async fn rest_orders(footing: &'static Footing) -> anyhow::Result<()> {
    let user = new_user();
    for (order, path) in bad_orders(user) {
        let answer = footing.rest.post("/order", &order).await?;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{path}: {order} {answer:?}"
        );
        assert_eq!(
            answer.header(header::CONTENT_TYPE),
            "application/problem+json"
        );
        assert_eq!(answer.fields(), [path], "{order}");
        assert_eq!(answer.json()["reason"], "INVALID_REQUEST");
    }
    let all_wrong = json!({
        "userId": 0, "colour": 1, "currencyCode": "x",
        "products": [{ "id": 0, "name": "", "price": -1, "quantity": 0 }],
    });
    let mut fields = footing.rest.post("/order", &all_wrong).await?.fields();
    fields.sort();
    let expected = [
        "colour",
        "currencyCode",
        "products[0].id",
        "products[0].name",
        "products[0].price",
        "products[0].quantity",
        "userId",
    ];
    assert_eq!(fields, expected, "all violations come together");
    let orders = footing
        .rest
        .get(&format!("/users/{user}/orders"))
        .await?
        .json();
    assert_eq!(orders["orders"], json!([]), "nothing was placed");
    Ok(())
}

async fn grpc_orders(footing: &'static Footing) -> anyhow::Result<()> {
    let wrong = |change: fn(&mut PlaceOrderRequest)| {
        let mut request = example_request(new_user());
        change(&mut request);
        request
    };
    for (request, path) in [
        (wrong(|r| r.user_id = 0), "user_id"),
        (wrong(|r| r.user_id = 1 << 53), "user_id"),
        (wrong(|r| r.products.clear()), "products"),
        (
            wrong(|r| r.products[1].price = Some(-1)),
            "products[1].price",
        ),
        (wrong(|r| r.products[1].price = None), "products[1].price"),
        (
            wrong(|r| r.products[1].quantity = Some(0)),
            "products[1].quantity",
        ),
        (
            wrong(|r| r.products[1].name = "bell\u{7}".into()),
            "products[1].name",
        ),
        (
            wrong(|r| r.currency_code = Some("usd".into())),
            "currency_code",
        ),
        (
            wrong(|r| r.email = Some("a@b.example\r\nBcc: c@d".into())),
            "email",
        ),
        (
            wrong(|r| r.idempotency_key = Some(String::new())),
            "idempotency_key",
        ),
        (
            wrong(|r| r.idempotency_key = Some("x".repeat(256))),
            "idempotency_key",
        ),
    ] {
        let status = footing
            .clients
            .orders
            .clone()
            .place_order(request)
            .await
            .err();
        let status = status.unwrap_or_else(|| tonic::Status::ok("must be refused"));
        assert_eq!(status.code(), Code::InvalidArgument, "{path}: {status:?}");
        assert_eq!(violated(&status), [path]);
        let info = status.get_details_error_info();
        let info = info.map(|info| (info.reason, info.domain));
        assert_eq!(info, Some(("INVALID_REQUEST".into(), "ordermesh".into())));
    }

    let mut large = example_request(new_user());
    large.products[0].name = "x".repeat(300 * 1024);
    let status = footing
        .clients
        .orders
        .clone()
        .place_order(large)
        .await
        .err();
    let code = status.map(|status| status.code());
    assert!(
        matches!(code, Some(Code::OutOfRange | Code::ResourceExhausted)),
        "{code:?}"
    );

    let event = TrackEventRequest {
        user_id: 1,
        r#type: 99,
        product_id: None,
        occurred_at: None,
    };
    let status = footing
        .clients
        .orders
        .clone()
        .track_event(event)
        .await
        .err();
    assert_eq!(
        status.map(|status| status.code()),
        Some(Code::InvalidArgument)
    );
    Ok(())
}

/// What it is, its headers, its body, and the status it gets.
type Case<'c> = (&'c str, &'c [(&'c str, &'c str)], Vec<u8>, StatusCode);

async fn rest_bodies(footing: &'static Footing) -> anyhow::Result<()> {
    let good = example(new_user()).to_string();
    let twice = good.replacen('{', r#"{"userId":7,"#, 1);
    let too_large = vec![b' '; 257 * 1024];
    let cases: [Case<'_>; 11] = [
        ("no body", &[], Vec::new(), StatusCode::BAD_REQUEST),
        (
            "not json",
            &[],
            b"{userId: 1}".to_vec(),
            StatusCode::BAD_REQUEST,
        ),
        (
            "cut off",
            &[],
            good.as_bytes()[..40].to_vec(),
            StatusCode::BAD_REQUEST,
        ),
        ("a list", &[], b"[]".to_vec(), StatusCode::BAD_REQUEST),
        (
            "deep",
            &[],
            "[".repeat(10_000).into_bytes(),
            StatusCode::BAD_REQUEST,
        ),
        (
            "a field twice",
            &[],
            twice.into_bytes(),
            StatusCode::BAD_REQUEST,
        ),
        (
            "not utf-8",
            &[],
            b"{\"userId\":\"\xff\xfe\"}".to_vec(),
            StatusCode::BAD_REQUEST,
        ),
        ("too large", &[], too_large, StatusCode::PAYLOAD_TOO_LARGE),
        (
            "compressed",
            &[("content-encoding", "gzip")],
            good.clone().into_bytes(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            "a form",
            &[("content-type", "application/x-www-form-urlencoded")],
            b"userId=1".to_vec(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            "a key with a space",
            &[("idempotency-key", "two words")],
            good.clone().into_bytes(),
            StatusCode::BAD_REQUEST,
        ),
    ];
    for (what, headers, body, expected) in cases {
        let answer = footing
            .rest
            .post_with("/order", headers, Bytes::from(body))
            .await?;
        assert_eq!(answer.status, expected, "{what}: {answer:?}");
        assert_eq!(
            answer.header(header::CONTENT_TYPE),
            "application/problem+json",
            "{what}"
        );
        assert!(
            answer.json()["detail"]
                .as_str()
                .is_some_and(|d| !d.is_empty()),
            "{what}"
        );
    }
    let long = "x".repeat(20 * 1024);
    let answer = footing
        .rest
        .post_with("/order", &[("x-long", &long)], good)
        .await?;
    assert_eq!(answer.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    Ok(())
}

async fn rest_requests(footing: &'static Footing) -> anyhow::Result<()> {
    let rest = &footing.rest;
    let unknown = uuid::Uuid::now_v7();
    for (path, expected, field) in [
        ("/nowhere".to_owned(), StatusCode::NOT_FOUND, None),
        (format!("/orders/{unknown}"), StatusCode::NOT_FOUND, None),
        (
            format!("/orders/{unknown}/payment"),
            StatusCode::NOT_FOUND,
            None,
        ),
        (
            "/orders/no-uuid".to_owned(),
            StatusCode::BAD_REQUEST,
            Some("orderId"),
        ),
        (
            format!("/orders/{unknown}?wait=soon"),
            StatusCode::BAD_REQUEST,
            Some("wait"),
        ),
        (
            format!("/orders/{unknown}?wait=31s"),
            StatusCode::BAD_REQUEST,
            Some("wait"),
        ),
        (
            format!("/orders/{unknown}?until=never"),
            StatusCode::BAD_REQUEST,
            Some("until"),
        ),
        (
            format!("/orders/{unknown}?colour=red"),
            StatusCode::BAD_REQUEST,
            Some("colour"),
        ),
        (
            "/users/0/orders".to_owned(),
            StatusCode::BAD_REQUEST,
            Some("userId"),
        ),
        (
            "/users/1/orders?pageSize=-1".to_owned(),
            StatusCode::BAD_REQUEST,
            Some("pageSize"),
        ),
        (
            "/users/1/orders?pageToken=x".to_owned(),
            StatusCode::BAD_REQUEST,
            Some("pageToken"),
        ),
        (
            "/analytics/rate?width=CENTURY".to_owned(),
            StatusCode::BAD_REQUEST,
            Some("width"),
        ),
        (
            format!("/analytics/users/{}", new_user()),
            StatusCode::NOT_FOUND,
            None,
        ),
    ] {
        let answer = rest.get(&path).await?;
        assert_eq!(answer.status, expected, "{path}: {answer:?}");
        assert_eq!(
            answer.header(header::CONTENT_TYPE),
            "application/problem+json",
            "{path}"
        );
        assert_eq!(
            answer.fields().first().map(String::as_str),
            field,
            "{path}: {answer:?}"
        );
    }
    let missing = rest.get(&format!("/orders/{unknown}")).await?;
    assert_eq!(
        missing.header(header::RETRY_AFTER),
        "1",
        "it may not be stored yet"
    );

    let put = rest
        .send(rest.request(Method::PUT, "/order").body(Full::default())?)
        .await?;
    assert_eq!(put.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(put.header(header::ALLOW).contains("POST"), "{put:?}");
    assert_eq!(put.header(header::CONTENT_TYPE), "application/problem+json");
    Ok(())
}

async fn grpc_queries(footing: &'static Footing) -> anyhow::Result<()> {
    let clients = footing.clients.clone();
    let code = |status: Option<tonic::Status>| status.map(|status| status.code());
    let bad_id = || "no-uuid".to_owned();
    let unknown = || uuid::Uuid::now_v7().to_string();

    let get = |order_id| {
        clients
            .history
            .clone()
            .get_order_owned(GetOrderRequest { order_id })
    };
    assert_eq!(code(get(bad_id()).await.err()), Some(Code::InvalidArgument));
    let missing = get(unknown()).await.err();
    assert!(
        missing
            .as_ref()
            .is_some_and(|status| status.get_details_retry_info().is_some()),
        "an unknown order may only be late: {missing:?}"
    );
    assert_eq!(code(missing), Some(Code::NotFound));

    let list = ListOrdersRequest {
        page_size: -1,
        page_token: "x".into(),
        user_id: Some(0),
    };
    let status = clients.history.clone().list_orders(list).await.err();
    let mut fields = status.as_ref().map(violated).unwrap_or_default();
    fields.sort();
    assert_eq!(fields, ["page_size", "page_token", "user_id"]);
    assert_eq!(code(status), Some(Code::InvalidArgument));

    let none = GetPaymentRequest { id: None };
    let status = clients.payments.clone().get_payment(none).await.err();
    assert_eq!(code(status), Some(Code::InvalidArgument));
    let nobody = GetUserBehaviorRequest {
        user_id: new_user(),
    };
    let status = clients
        .analytics
        .clone()
        .get_user_behavior(nobody)
        .await
        .err();
    assert_eq!(code(status), Some(Code::NotFound));
    Ok(())
}

/// The fields that a status names, in order.
fn violated(status: &tonic::Status) -> Vec<String> {
    let request = status.get_details_bad_request();
    let violations = request
        .map(|request| request.field_violations)
        .unwrap_or_default();
    violations
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}

/// `get_order` by value, so that a closure can make the call.
trait GetOrderOwned {
    async fn get_order_owned(
        self,
        request: GetOrderRequest,
    ) -> Result<tonic::Response<proto::history::v1::GetOrderResponse>, tonic::Status>;
}

impl GetOrderOwned
    for proto::history::v1::history_service_client::HistoryServiceClient<tonic::transport::Channel>
{
    async fn get_order_owned(
        mut self,
        request: GetOrderRequest,
    ) -> Result<tonic::Response<proto::history::v1::GetOrderResponse>, tonic::Status> {
        self.get_order(request).await
    }
}
