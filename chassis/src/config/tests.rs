use std::{io::Write as _, time::Duration};

use secrecy::SecretString;

use super::*;

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn read(config: &mut Config) -> (Duration, u16) {
    let mut section = config.section("PAYMENTS");
    (
        section.get("LATENCY", "1s", "how long a charge takes"),
        section.get("PORT", "50053", "where to listen"),
    )
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "[payments]\nlatency = \"2s\"\nport = 7").unwrap();
    let environment = environment(&[("PAYMENTS__LATENCY", "3s")]);
    let mut config = Config::load(Some(file.path()), environment);
    assert_eq!(read(&mut config), (Duration::from_secs(3), 7));
    assert_eq!(config.described()[1].origin, Origin::File);
    config.finish().unwrap();

    let mut config = Config::load(None, []);
    assert_eq!(read(&mut config), (Duration::from_secs(1), 50053));
}

#[test]
fn a_suggestion_takes_the_place_of_the_default_alone() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "[payments]\nport = 7").unwrap();
    let mut config = Config::load(Some(file.path()), []);
    config.suggest("PAYMENTS__LATENCY", "2s");
    config.suggest("PAYMENTS__PORT", "8");
    assert!(config.is_given("PAYMENTS__PORT"));
    assert!(!config.is_given("PAYMENTS__LATENCY"));
    assert_eq!(config.shown("PAYMENTS__PORT"), None);
    assert_eq!(read(&mut config), (Duration::from_secs(2), 7));
    assert_eq!(config.shown("PAYMENTS__PORT"), Some("7"));
    config.finish().unwrap();
}

#[test]
fn all_mistakes_and_unknown_keys_come_together() {
    let environment = environment(&[
        ("PAYMENTS__LATENCY", "soon"),
        ("PAYMENTS__PORT", "99999"),
        ("PAYMENTS__LATENYC", "1s"),
        ("HISTORY__ANYTHING", "belongs to another service"),
        ("PATH", "/bin"),
    ]);
    let mut config = Config::load(None, environment);
    read(&mut config);
    let ConfigError(mistakes) = config.finish().unwrap_err();
    let keys: Vec<_> = mistakes
        .iter()
        .map(|mistake| mistake.key.as_str())
        .collect();
    assert_eq!(
        keys,
        ["PAYMENTS__LATENCY", "PAYMENTS__PORT", "PAYMENTS__LATENYC"]
    );
    assert!(
        mistakes[2]
            .problem
            .contains("did you mean PAYMENTS__LATENCY")
    );
}

#[test]
fn secrets_show_neither_in_listings_nor_in_mistakes() {
    let environment = environment(&[
        ("NOTIFIER__SMTP_URL", "smtp://me:hunter2@mail"),
        ("NOTIFIER__DATABASE_URL", "hunter2"),
    ]);
    let mut config = Config::load(None, environment);
    let mut section = config.section("NOTIFIER");
    let _: Option<SecretString> = section.optional("SMTP_URL", "mail server");
    let _: Option<crate::db::DatabaseUrl> = section.optional("DATABASE_URL", "database");
    assert!(!format!("{:?}", config.described()).contains("hunter2"));
    assert!(!config.finish().unwrap_err().to_string().contains("hunter2"));
}

#[test]
fn what_is_out_of_bounds_names_the_bounds() {
    let mut config = Config::load(None, environment(&[("GATEWAY__LIMIT", "0")]));
    assert_eq!(
        config
            .section("GATEWAY")
            .within("LIMIT", "10", 1..=100_usize, "most at once"),
        1
    );
    let error = config.finish().unwrap_err().to_string();
    assert!(error.contains("between 1 and 100"), "{error}");
}

#[test]
fn the_rest_of_a_section_is_handed_on() {
    let environment = environment(&[
        ("KAFKA__BROKERS", "a:1"),
        ("KAFKA__SECURITY_PROTOCOL", "SSL"),
    ]);
    let mut config = Config::load(None, environment);
    let mut section = config.section("KAFKA");
    let _: List = section.get("BROKERS", "", "brokers");
    let rest = section.rest();
    assert_eq!(
        rest.into_iter().collect::<Vec<_>>(),
        [("SECURITY_PROTOCOL".into(), "SSL".into())]
    );
    config.finish().unwrap();
}

#[test]
fn a_file_that_cannot_be_read_is_a_mistake_too() {
    let config = Config::load(Some(Path::new("/nowhere/ordermesh.toml")), []);
    assert!(
        config
            .finish()
            .unwrap_err()
            .to_string()
            .contains("cannot be read")
    );
}
