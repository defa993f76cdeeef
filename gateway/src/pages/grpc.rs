//! gRPC by hand: a command for each method, with what the schemas say of it.

use anyhow::Context as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto};
use serde::Serialize;

use super::render::Template;

pub(super) const PATH: &str = "/docs/grpc";

/// Which service is asked where, by its port unless configured otherwise.
const PORTS: [(&str, u16); 5] = [
    ("ordermesh.orders.v1.OrderService", 50051),
    ("ordermesh.analytics.v1.AnalyticsService", 50052),
    ("ordermesh.payments.v1.PaymentService", 50053),
    ("ordermesh.history.v1.HistoryService", 50054),
    ("ordermesh.notifier.v1.NotifierService", 50055),
];

/// What a method is asked, where an empty message would not do.
const REQUESTS: [(&str, &str); 11] = [
    (
        "OrderService/PlaceOrder",
        r#"{"userId":42,"products":[{"id":1,"name":"Keyboard","price":999}]}"#,
    ),
    ("OrderService/GetOrder", r#"{"orderId":"'$ORDER_ID'"}"#),
    ("OrderService/WatchOrder", r#"{"orderId":"'$ORDER_ID'"}"#),
    (
        "OrderService/TrackEvent",
        r#"{"userId":42,"type":"USER_EVENT_TYPE_PRODUCT_VIEWED","productId":1}"#,
    ),
    ("AnalyticsService/GetUserBehavior", r#"{"userId":42}"#),
    ("PaymentService/GetPayment", r#"{"orderId":"'$ORDER_ID'"}"#),
    (
        "PaymentService/BatchGetPayments",
        r#"{"orderIds":["'$ORDER_ID'"]}"#,
    ),
    ("HistoryService/GetOrder", r#"{"orderId":"'$ORDER_ID'"}"#),
    (
        "HistoryService/BatchGetOrders",
        r#"{"orderIds":["'$ORDER_ID'"]}"#,
    ),
    (
        "NotifierService/GetNotification",
        r#"{"notificationId":"'$NOTIFICATION_ID'"}"#,
    ),
    (
        "NotifierService/BatchGetOrderNotifications",
        r#"{"orderIds":["'$ORDER_ID'"]}"#,
    ),
];

#[derive(Debug, Serialize)]
struct Service {
    package: String,
    short: String,
    about: String,
    port: u16,
    methods: Vec<Method>,
}

#[derive(Debug, Serialize)]
struct Method {
    name: String,
    about: String,
    streams: bool,
    command: String,
}

pub(super) fn page() -> anyhow::Result<Template> {
    Ok(Template {
        name: "grpc",
        path: PATH,
        title: "gRPC",
        description: "A grpcurl command for each method of Ordermesh's services.",
        styles: &["reference.css"],
        scripts: &["copy.js"],
        frames: false,
        values: serde_json::json!({ "services": services()? }),
    })
}

fn services() -> anyhow::Result<Vec<Service>> {
    let set: FileDescriptorSet =
        prost::Message::decode(proto::DESCRIPTORS).context("the schemas")?;
    PORTS
        .iter()
        .map(|(name, port)| service(&set, name, *port).with_context(|| format!("no {name}")))
        .collect()
}

fn service(set: &FileDescriptorSet, full_name: &str, port: u16) -> Option<Service> {
    let (package, short) = full_name.rsplit_once('.')?;
    let file = set.file.iter().find(|file| file.package() == package)?;
    let (index, service) = (0..)
        .zip(&file.service)
        .find(|(_, service)| service.name() == short)?;
    let methods = (0..).zip(&service.method).map(|(number, method)| {
        // Field numbers of descriptor.proto: services are 6, their methods 2.
        let about = comment(file, &[6, index, 2, number]);
        described(full_name, port, method, about)
    });
    Some(Service {
        package: package.to_owned(),
        short: short.to_owned(),
        about: comment(file, &[6, index]),
        port,
        methods: methods.collect(),
    })
}

fn described(service: &str, port: u16, method: &MethodDescriptorProto, about: String) -> Method {
    let name = method.name();
    let path = format!("{service}/{name}");
    let request = REQUESTS
        .iter()
        .find(|(of, _)| path.rsplit('.').next() == Some(of))
        .map_or_else(String::new, |(_, request)| format!("-d '{request}' "));
    Method {
        command: format!("grpcurl -plaintext {request}$NAME:{port} {path}"),
        name: name.to_owned(),
        about,
        streams: method.server_streaming(),
    }
}

/// What is written above a definition, as one line.
fn comment(file: &FileDescriptorProto, path: &[i32]) -> String {
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    locations
        .filter(|location| location.path == path)
        .map(|location| {
            location
                .leading_comments()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        })
        .next()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn methods() -> Vec<Method> {
        let services = services().unwrap();
        services
            .into_iter()
            .flat_map(|service| service.methods)
            .collect()
    }

    #[test]
    fn every_method_is_there_with_its_comment() {
        let methods = methods();
        let set: FileDescriptorSet = prost::Message::decode(proto::DESCRIPTORS).unwrap();
        let ours = set
            .file
            .iter()
            .filter(|file| file.package().starts_with("ordermesh."));
        let all: usize = ours
            .flat_map(|file| &file.service)
            .map(|service| service.method.len())
            .sum();
        assert_eq!(methods.len(), all);
        for method in methods {
            assert!(method.about.len() > 10, "{method:?}");
        }
    }

    #[test]
    fn every_request_belongs_to_a_method() {
        let commands: Vec<_> = methods().into_iter().map(|method| method.command).collect();
        for (method, request) in REQUESTS {
            let uses = commands.iter().filter(|command| command.contains(request));
            assert!(uses.count() > 0, "{method}");
            assert!(
                commands.iter().any(|command| command.contains(method)),
                "{method}"
            );
        }
        let asked = commands
            .iter()
            .filter(|command| command.contains(" -d "))
            .count();
        assert_eq!(asked, REQUESTS.len());
    }
}
