//! The settings in `docs/configuration.md` are those that the services read.
//! `make docs` writes them there.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{collections::BTreeSet, fmt::Write as _, path::PathBuf};

use chassis::{
    config::{Config, Described},
    service::prepare,
};

const BEGIN: &str = "<!-- settings: written by `make docs` -->\n";
const END: &str = "<!-- end of settings -->\n";

/// Each section with what stands above its table.
const SECTIONS: [(&str, &str); 7] = [
    ("GATEWAY", "The gateway"),
    ("PAYMENTS", "Payments"),
    ("HISTORY", "History"),
    ("NOTIFIER", "Notifier"),
    ("ANALYTICS", "Analytics"),
    ("KAFKA", "Kafka, in every service"),
    ("TELEMETRY", "Logs and traces, in every service"),
];

/// Of all five services, each once.
fn settings() -> Vec<Described> {
    let mut config = Config::load(None, []);
    prepare::<gateway::Gateway>(&mut config);
    prepare::<payments::Payments>(&mut config);
    prepare::<history::History>(&mut config);
    prepare::<notifier::Notifier>(&mut config);
    prepare::<analytics::Analytics>(&mut config);
    let mut described = config.described().to_vec();
    config.finish().unwrap();
    let mut seen = BTreeSet::new();
    described.retain(|setting| seen.insert(setting.key.clone()));
    described
}

fn tables(settings: &[Described]) -> String {
    let mut text = String::new();
    for (section, title) in SECTIONS {
        let prefix = format!("{section}__");
        write!(text, "\n### {title}\n\n").unwrap();
        writeln!(
            text,
            "| setting | default | what it is for |\n|---|---|---|"
        )
        .unwrap();
        for setting in settings.iter().filter(|s| s.key.starts_with(&prefix)) {
            let default = match setting.default.as_str() {
                "" => String::new(),
                default => format!("`{default}`"),
            };
            writeln!(text, "| `{}` | {default} | {} |", setting.key, setting.help).unwrap();
        }
    }
    text.push('\n');
    text
}

#[test]
fn every_setting_is_documented_as_it_is() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    let settings = settings();
    let read = tables(&settings);
    for setting in &settings {
        assert!(
            read.contains(&setting.key),
            "{} has no section",
            setting.key
        );
    }
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{read}{END}{after}")).unwrap();
    } else {
        assert_eq!(written, read, "`make docs` writes what is true");
    }
}
