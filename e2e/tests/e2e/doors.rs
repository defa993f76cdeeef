//! What every door offers to tools: reflection, health, documents.

use std::{collections::BTreeSet, time::Duration};

use e2e::{
    clients::channel,
    footing::{Footing, SERVICES},
};
use futures::StreamExt as _;
use http::StatusCode;
use testkit::{harness::Test, wait::until};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::{v1, v1alpha};

use crate::on_both;

pub(crate) fn tests() -> Vec<Test> {
    [
        on_both(
            "every service lists itself by reflection, old and new",
            reflection,
        ),
        on_both("every service tells its health", health),
        on_both("the api is documented without any outside host", documents),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn full_name(service: &str) -> &'static str {
    match service {
        "gateway" => "ordermesh.orders.v1.OrderService",
        "payments" => "ordermesh.payments.v1.PaymentService",
        "history" => "ordermesh.history.v1.HistoryService",
        "notifier" => "ordermesh.notifier.v1.NotifierService",
        _ => "ordermesh.analytics.v1.AnalyticsService",
    }
}

async fn reflection(footing: &'static Footing) -> anyhow::Result<()> {
    for service in SERVICES {
        let address = footing.addresses.grpc(service);
        let listed = list_v1(&address).await?;
        assert!(listed.contains(full_name(service)), "{service}: {listed:?}");
        assert!(
            listed.contains("grpc.health.v1.Health"),
            "{service}: {listed:?}"
        );
        let others = SERVICES.iter().filter(|other| **other != service);
        assert!(
            others
                .into_iter()
                .all(|other| !listed.contains(full_name(other))),
            "{listed:?}"
        );
        assert!(knows_error_details(&address).await?, "{service}");
        let of_old = list_v1alpha(&address).await?;
        assert!(of_old.contains(full_name(service)), "{service}: {of_old:?}");
    }
    Ok(())
}

async fn ask_v1(
    address: &str,
    question: v1::server_reflection_request::MessageRequest,
) -> anyhow::Result<Option<v1::server_reflection_response::MessageResponse>> {
    use v1::{ServerReflectionRequest, server_reflection_client::ServerReflectionClient};
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(question),
    };
    let mut client = ServerReflectionClient::new(channel(address)?);
    let requests = futures::stream::once(async { request });
    let mut answers = client.server_reflection_info(requests).await?.into_inner();
    let answer = answers.next().await.transpose()?;
    Ok(answer.and_then(|answer| answer.message_response))
}

async fn list_v1(address: &str) -> anyhow::Result<BTreeSet<String>> {
    use v1::{
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let question = MessageRequest::ListServices(String::new());
    Ok(match ask_v1(address, question).await? {
        Some(MessageResponse::ListServicesResponse(list)) => list
            .service
            .into_iter()
            .map(|service| service.name)
            .collect(),
        _ => BTreeSet::new(),
    })
}

/// Whether tools can read the details of errors.
async fn knows_error_details(address: &str) -> anyhow::Result<bool> {
    use v1::{
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let question = MessageRequest::FileContainingSymbol("google.rpc.BadRequest".to_owned());
    let answer = ask_v1(address, question).await?;
    Ok(matches!(
        answer,
        Some(MessageResponse::FileDescriptorResponse(_))
    ))
}

async fn list_v1alpha(address: &str) -> anyhow::Result<BTreeSet<String>> {
    use v1alpha::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(channel(address)?);
    let requests = futures::stream::once(async { request });
    let mut answers = client.server_reflection_info(requests).await?.into_inner();
    let answer = answers
        .next()
        .await
        .transpose()?
        .and_then(|answer| answer.message_response);
    Ok(match answer {
        Some(MessageResponse::ListServicesResponse(list)) => list
            .service
            .into_iter()
            .map(|service| service.name)
            .collect(),
        _ => BTreeSet::new(),
    })
}

async fn health(footing: &'static Footing) -> anyhow::Result<()> {
    for service in SERVICES {
        let mut client = HealthClient::new(channel(&footing.addresses.grpc(service))?);
        for name in ["", full_name(service)] {
            until(
                "the service to be healthy",
                Duration::from_secs(20),
                async || {
                    let request = HealthCheckRequest {
                        service: name.to_owned(),
                    };
                    let status = client.clone().check(request).await?.into_inner().status();
                    let serving = tonic_health::pb::health_check_response::ServingStatus::Serving;
                    anyhow::ensure!(status == serving, "{service} {name:?}: {status:?}");
                    anyhow::Ok(())
                },
            )
            .await?;
        }
        let unknown = HealthCheckRequest {
            service: "no.such.Service".to_owned(),
        };
        let status = client
            .check(unknown)
            .await
            .err()
            .map(|status| status.code());
        assert_eq!(status, Some(tonic::Code::NotFound));

        let admin = testkit::rest::Rest::new(&footing.addresses.admin(service));
        assert_eq!(admin.get("/livez").await?.status, StatusCode::OK);
        assert_eq!(admin.get("/readyz").await?.status, StatusCode::OK);
        let metrics = admin.get("/metrics").await?;
        let text = String::from_utf8(metrics.body.to_vec())?;
        assert!(text.contains("ordermesh_build_info"), "{service}: {text}");
        let status = admin.get("/status").await?.json();
        assert_eq!(status["service"], service);
    }
    Ok(())
}

async fn documents(footing: &'static Footing) -> anyhow::Result<()> {
    let openapi = footing.rest.get("/openapi.json").await?;
    assert_eq!(openapi.status, StatusCode::OK);
    assert!(openapi.json()["paths"]["/order"]["post"].is_object());
    let docs = footing.rest.get("/docs").await?;
    assert_eq!(docs.status, StatusCode::OK);
    let page = String::from_utf8(docs.body.to_vec())?;
    let outside = page
        .split('"')
        .find(|part| part.starts_with("http") || part.starts_with("//"));
    assert_eq!(outside, None, "the page must not need another host");
    Ok(())
}
