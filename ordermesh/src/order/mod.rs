//! `ordermesh order`: places orders and looks at them, over gRPC.

mod arguments;
mod render;

use std::{io::Read as _, process::ExitCode, time::Duration};

use anyhow::Context as _;
use chassis::error::Error;
use clap::Subcommand;
use proto::{
    history::v1::{ListOrdersRequest, history_service_client::HistoryServiceClient},
    json::{JsonError, from_json, to_json},
    orders::v1::{
        GetOrderRequest, OrderView, PlaceOrderRequest, WatchOrderRequest,
        order_service_client::OrderServiceClient,
    },
};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

use crate::output::Format;

/// How long a server may take to be reached.
const CONNECT: Duration = Duration::from_secs(5);

#[derive(Debug, Subcommand)]
pub(crate) enum OrderCommand {
    /// Places an order and prints its id.
    Place(arguments::Place),
    /// Shows one order as all services know it now.
    Get {
        /// The order's id.
        id: String,
        #[command(flatten)]
        gateway: arguments::GatewayAddress,
    },
    /// Shows an order at every change until nothing more will happen to it.
    Watch {
        /// The order's id.
        id: String,
        #[command(flatten)]
        gateway: arguments::GatewayAddress,
    },
    /// Lists orders, newest first.
    List(arguments::List),
}

/// Why a command failed: a server's word, or our own.
enum Failure {
    Answered(Error),
    Own(anyhow::Error),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Answered(status.into())
    }
}

impl From<JsonError> for Failure {
    fn from(error: JsonError) -> Self {
        anyhow::Error::from(error).into()
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Own(error)
    }
}

pub(crate) fn run(command: OrderCommand, format: Format) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(execute(command, format)),
        Err(error) => Err(Failure::Own(error.into())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Answered(error)) => {
            let json = serde_json::to_value(error.problem()).unwrap_or_default();
            format.fail(&json, render::failure(&error))
        }
        Err(Failure::Own(error)) => format.failed(&error),
    }
}

async fn execute(command: OrderCommand, format: Format) -> Result<(), Failure> {
    match command {
        OrderCommand::Place(place) => self::place(place, format).await,
        OrderCommand::Get { id, gateway } => {
            let mut client = OrderServiceClient::new(connect(&gateway.address).await?);
            let answer = client
                .get_order(GetOrderRequest { order_id: id })
                .await?
                .into_inner();
            print_view(&answer.order.unwrap_or_default(), format)
        }
        OrderCommand::Watch { id, gateway } => {
            let mut client = OrderServiceClient::new(connect(&gateway.address).await?);
            watch(&mut client, id, format).await
        }
        OrderCommand::List(list) => self::list(list, format).await,
    }
}

async fn place(place: arguments::Place, format: Format) -> Result<(), Failure> {
    let (request, gateway, and_watch) = place.into_request(read_order)?;
    let mut client = OrderServiceClient::new(connect(&gateway.address).await?);
    let answer = client.place_order(request).await?.into_inner();
    format.print(&to_json(&answer)?, render::placed(&answer));
    if and_watch {
        watch(&mut client, answer.order_id, format).await?;
    }
    Ok(())
}

/// An order's JSON from a file, or from standard input for `-`.
fn read_order(path: &str) -> anyhow::Result<PlaceOrderRequest> {
    let mut text = String::new();
    if path == "-" {
        std::io::stdin()
            .read_to_string(&mut text)
            .context("standard input")?;
    } else {
        text = std::fs::read_to_string(path).with_context(|| path.to_owned())?;
    }
    from_json(&text).with_context(|| format!("{path} is not an order"))
}

async fn watch(
    client: &mut OrderServiceClient<Channel>,
    id: String,
    format: Format,
) -> Result<(), Failure> {
    let mut changes = client
        .watch_order(WatchOrderRequest { order_id: id })
        .await?
        .into_inner();
    while let Some(change) = changes.message().await? {
        print_view(&change.order.unwrap_or_default(), format)?;
    }
    Ok(())
}

async fn list(list: arguments::List, format: Format) -> Result<(), Failure> {
    let mut client = HistoryServiceClient::new(connect(&list.history).await?);
    let request = ListOrdersRequest {
        user_id: list.user,
        page_size: list.page_size,
        page_token: list.page_token.unwrap_or_default(),
    };
    let answer = client.list_orders(request).await?.into_inner();
    format.print(&to_json(&answer)?, render::orders(&answer));
    Ok(())
}

fn print_view(view: &OrderView, format: Format) -> Result<(), Failure> {
    format.print(&to_json(view)?, render::view(view));
    Ok(())
}

async fn connect(address: &str) -> anyhow::Result<Channel> {
    let url = if address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    };
    Endpoint::from_shared(url)
        .with_context(|| format!("{address} is no address; write host:port"))?
        .connect_timeout(CONNECT)
        .connect()
        .await
        .with_context(|| format!("nothing answers at {address}; is the system up?"))
}
