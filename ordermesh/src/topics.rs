//! `ordermesh topics`: makes and lists the topics on a Kafka cluster.

use std::{path::Path, process::ExitCode};

use chassis::{
    config::{Config, EXIT_CODE},
    kafka::{self, KafkaOptions},
};
use clap::Subcommand;
use serde_json::json;

use crate::{
    layout,
    output::{Format, table},
};

#[derive(Debug, Subcommand)]
pub(crate) enum TopicsCommand {
    /// Makes the topics that are missing; those that exist stay as they are.
    Create {
        /// Partitions of each event topic.
        #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(i32).range(1..=1_000))]
        partitions: i32,
        /// How many brokers hold each record; 1 for a single broker.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=9))]
        replication: i32,
    },
    /// Lists the topics with how many records they hold.
    List,
}

pub(crate) fn run(command: &TopicsCommand, config: Option<&Path>, format: Format) -> ExitCode {
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
        TopicsCommand::Create {
            partitions,
            replication,
        } => create(&options, *partitions, *replication, format),
        TopicsCommand::List => list(&options, format),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = format!("{error:#}; is Kafka at KAFKA__BROKERS?");
            format.fail(&json!({ "error": text }), &text)
        }
    }
}

fn create(
    options: &KafkaOptions,
    partitions: i32,
    replication: i32,
    format: Format,
) -> anyhow::Result<()> {
    let specs = layout::topic_specs(partitions, replication);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let made = runtime.block_on(kafka::ensure_topics(options, &specs))?;
    let mut rows = table(["TOPIC", "RESULT"]);
    let mut json = Vec::new();
    for (name, new) in made {
        json.push(json!({ "topic": name, "created": new }));
        rows.add_row([name.as_str(), if new { "created" } else { "was there" }]);
    }
    format.print(&json.into(), rows);
    Ok(())
}

fn list(options: &KafkaOptions, format: Format) -> anyhow::Result<()> {
    let ours: Vec<String> = layout::topic_specs(1, 1)
        .into_iter()
        .map(|spec| spec.name)
        .collect();
    let topics = kafka::list_topics(options, |name| ours.iter().any(|our| our == name))?;
    let mut rows = table(["TOPIC", "PARTITIONS", "REPLICATION", "RECORDS"]);
    let mut json = Vec::new();
    for name in &ours {
        let Some(topic) = topics.iter().find(|topic| topic.name == *name) else {
            json.push(json!({ "topic": name, "exists": false }));
            rows.add_row([name.as_str(), "missing", "", ""]);
            continue;
        };
        json.push(json!({
            "topic": name, "exists": true, "partitions": topic.partitions,
            "replication": topic.replication, "records": topic.records,
        }));
        rows.add_row([
            name.clone(),
            topic.partitions.to_string(),
            topic.replication.to_string(),
            topic.records.to_string(),
        ]);
    }
    format.print(&json.into(), rows);
    Ok(())
}
