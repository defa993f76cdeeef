//! `ordermesh dlq`: finds, shows, replays and purges dead letters.

mod arguments;
mod render;
mod replay;

use std::{path::Path, process::ExitCode};

use chassis::{
    config::{Config, EXIT_CODE},
    kafka::{
        KafkaOptions,
        dead_letters::{self, DeadLetter, Found, Purge},
    },
};
use clap::{Subcommand, builder::PossibleValuesParser};
use serde_json::{Value, json};

use self::arguments::{Filter, LetterId, When};
use crate::{layout::CONSUMERS, output::Format};

#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// Lists dead letters, oldest first.
    List(Filter),
    /// Shows one dead letter: why, its headers, and its decoded value.
    Show {
        /// Its id, as `list` shows it.
        id: LetterId,
    },
    /// Puts dead letters back, to the service that gave them up. What was put
    /// back before stays out.
    Replay(replay::Replay),
    /// Forgets dead letters, for good.
    Purge {
        /// Of this service; several times for several.
        #[arg(long, required = true, value_parser = PossibleValuesParser::new(CONSUMERS))]
        service: Vec<String>,
        /// Those given up before then: a time, or how long ago, such as 7d;
        /// without it all of them.
        #[arg(long, value_name = "WHEN")]
        before: Option<When>,
        /// Does it. Without this, only says what would go.
        #[arg(long)]
        yes: bool,
    },
}

pub(crate) fn run(command: &DlqCommand, config: Option<&Path>, format: Format) -> ExitCode {
    let mut config = Config::load(config, Config::process_environment());
    let options = KafkaOptions::read(&mut config);
    if let Err(error) = config.finish() {
        let mistakes: Vec<_> = error
            .0
            .iter()
            .map(|mistake| json!({ "key": mistake.key, "problem": mistake.problem }))
            .collect();
        format.fail(&json!({ "mistakes": mistakes }), error);
        return ExitCode::from(EXIT_CODE);
    }
    let result = match command {
        DlqCommand::List(filter) => list(&options, filter, format),
        DlqCommand::Show { id } => show(&options, id.clone(), format),
        DlqCommand::Replay(replay) => replay.run(&options, format),
        DlqCommand::Purge {
            service,
            before,
            yes,
        } => purge(&options, service, *before, *yes, format),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => format.failed(&error),
    }
}

/// The letters that a filter lets through, oldest first.
fn find(options: &KafkaOptions, filter: &Filter) -> anyhow::Result<Vec<Found>> {
    let since = filter.since.map(When::millis);
    let admits = |letter: &DeadLetter| filter.admits(letter);
    dead_letters::find(options, &filter.services(), since, admits)
}

fn list(options: &KafkaOptions, filter: &Filter, format: Format) -> anyhow::Result<()> {
    let found = find(options, filter)?;
    let json: Value = found.iter().map(render::summary).collect();
    if found.is_empty() {
        format.print(&json, "There are no such dead letters.");
    } else {
        format.print(&json, render::list(&found));
    }
    Ok(())
}

fn show(options: &KafkaOptions, id: LetterId, format: Format) -> anyhow::Result<()> {
    let filter = Filter {
        ids: vec![id],
        ..Filter::default()
    };
    let found = find(options, &filter)?;
    let Some(found) = found.first() else {
        anyhow::bail!("there is no such dead letter; `ordermesh dlq list` shows those there are");
    };
    format.print(&render::whole(found), render::page(found));
    Ok(())
}

fn purge(
    options: &KafkaOptions,
    services: &[String],
    before: Option<When>,
    yes: bool,
    format: Format,
) -> anyhow::Result<()> {
    let before = before.map_or(i64::MAX, When::millis);
    let mut letters = 0;
    for service in services {
        let purge = Purge::before(options, service, before)?;
        letters += purge.letters;
        if yes {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(dead_letters::purge(options, service, &purge))?;
        }
    }
    let text = if yes {
        format!("{letters} purged.")
    } else {
        format!("{letters} would be purged, for good; add --yes to do it.")
    };
    format.print(&json!({ "letters": letters, "purged": yes }), text);
    Ok(())
}
