//! What stands in `deploy/` says the same as the code.

use std::{collections::BTreeMap, fs, path::Path};

#[test]
fn kubernetes_makes_the_topics_that_the_command_makes() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("deploy");
    let text = fs::read_to_string(deploy.join("kubernetes/kafka/topics.yaml")).unwrap();
    let written: BTreeMap<&str, BTreeMap<&str, &str>> = text
        .split("---\n")
        .map(|topic| {
            let fields = topic
                .lines()
                .filter_map(|line| line.trim().split_once(": "));
            let fields: BTreeMap<_, _> = fields.collect();
            (fields["name"], fields)
        })
        .collect();
    let specs = ordermesh::topic_specs(12, 3);
    assert_eq!(written.len(), specs.len());
    for spec in specs {
        let fields = &written[spec.name.as_str()];
        assert_eq!(
            fields["partitions"],
            spec.partitions.to_string(),
            "{}",
            spec.name
        );
        assert_eq!(
            fields["replicas"],
            spec.replication.to_string(),
            "{}",
            spec.name
        );
        for (key, value) in &spec.config {
            assert_eq!(fields[key], value, "{} of {}", key, spec.name);
        }
    }
}
