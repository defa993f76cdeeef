//! `ordermesh top`: the console's overview in a terminal, for people on ssh.
//!
//! It reads `GET /ops/live`, as the console does, and asks nothing else.

mod draw;
mod follow;
mod model;
mod once;
mod screen;
mod sse;
mod view;

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::Args;
use serde_json::json;
use tokio::sync::mpsc;

use self::{
    follow::{News, Source, Token},
    view::View,
};
use crate::{load::host_and_port, output::Format};

/// News that wait to be shown.
const QUEUE: usize = 16;

/// Which system, and how it is shown.
#[derive(Debug, Args)]
#[command(after_help = "Keys: q or Esc ends it, Space holds the picture.\n\
    With --json, a line of JSON every second: the documents `services`, `orders` and\n\
    `analytics` of GET /ops/live, null where one is not known.")]
pub(crate) struct TopArguments {
    /// The gateway's REST address; plain HTTP.
    #[arg(
        long,
        env = "ORDERMESH_REST",
        default_value = "127.0.0.1:3000",
        value_name = "HOST:PORT"
    )]
    address: String,
    /// The operator's token, where the gateway has one. Better in the environment:
    /// a command line can be seen by others.
    #[arg(
        long,
        env = "ORDERMESH_OPERATOR_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    token: Option<String>,
    /// Shows it once and ends.
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(arguments: TopArguments, format: Format) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(execute(arguments, format)),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => format.failed(&error),
    }
}

async fn execute(arguments: TopArguments, format: Format) -> anyhow::Result<()> {
    let address = host_and_port(&arguments.address)?.to_owned();
    let is_on_screen = !arguments.once && format == Format::People;
    anyhow::ensure!(
        !is_on_screen || (io::stdout().is_terminal() && io::stdin().is_terminal()),
        "this is no terminal; --once prints the picture, --json prints a line a second"
    );
    let source = Source {
        address: address.clone(),
        token: arguments.token.map(Token),
    };
    // Unset or empty, there are colours (no-color.org).
    let has_colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut view = View::new(address, has_colours && is_on_screen);
    let (sender, news) = mpsc::channel(QUEUE);
    let following = follow::follow(source, sender);
    let showing = async {
        if is_on_screen {
            screen::show(&mut view, news).await
        } else if arguments.once {
            once::print(&mut view, news, format).await
        } else {
            lines(&mut view, news).await
        }
    };
    tokio::select! {
        refused = following => refused,
        shown = showing => shown,
    }
}

/// A line a second, until the reader has enough.
async fn lines(view: &mut View, mut news: mpsc::Receiver<News>) -> anyhow::Result<()> {
    while let Some(one) = news.recv().await {
        let is_second = matches!(&one, News::Event(event) if event.name == "services");
        if let News::Lost { why, .. } = &one {
            // Not among the lines, which are documents.
            let _ = writeln!(io::stderr(), "{}", json!({ "error": why.as_str() }));
        }
        let is_news = view.learn(one);
        if is_second && is_news && writeln!(io::stdout(), "{}", view.model.json()).is_err() {
            // A closed pipe is the reader's way to say "enough".
            return Ok(());
        }
    }
    Ok(())
}
