//! Figures kept in a folder, so that a run that was broken off can go on.
//!
//! Invariant: a file is there whole or not at all, and it counts only for the plan, the
//! commit and the machine that it was measured with.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Plan, figures::Name, setting::CHANGED};

/// Where figures are kept.
#[derive(Debug)]
pub(crate) struct Kept {
    folder: PathBuf,
    plan: Plan,
    /// Commit and machine.
    setting: String,
}

/// A file.
#[derive(Serialize, Deserialize)]
struct Entry<Found> {
    plan: Plan,
    setting: String,
    found: Found,
}

impl Kept {
    /// `setting` names commit and machine.
    pub(crate) fn new(folder: &Path, plan: Plan, setting: &str) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
            plan,
            setting: setting.to_owned(),
        })
    }

    /// What was measured before in the same way; `None` when it is to be measured.
    pub(crate) fn find<Found: DeserializeOwned>(
        &self,
        name: Name,
    ) -> anyhow::Result<Option<Found>> {
        let file = self.file(name);
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context(file.display().to_string()),
        };
        let entry: Entry<Found> = serde_json::from_slice(&text)
            .with_context(|| format!("{} cannot be read; remove it", file.display()))?;
        // Changes that no commit holds may have been others.
        let counts = entry.plan == self.plan
            && entry.setting == self.setting
            && !entry.setting.contains(CHANGED);
        Ok(counts.then_some(entry.found))
    }

    pub(crate) fn keep<Found: Serialize>(&self, name: Name, found: &Found) -> anyhow::Result<()> {
        let entry = Entry {
            plan: self.plan,
            setting: self.setting.clone(),
            found,
        };
        let part = self.file(name).with_extension("part");
        fs::write(&part, serde_json::to_vec(&entry)?)?;
        fs::rename(part, self.file(name))?;
        Ok(())
    }

    fn file(&self, name: Name) -> PathBuf {
        self.folder.join(format!("{name:?}.json").to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use testkit::process::Scratch;

    use super::*;

    #[test]
    fn a_figure_is_kept_for_its_plan_and_setting_alone() {
        let scratch = Scratch::new("kept").unwrap();
        let plan = |rounds| Plan {
            rounds,
            turn: Duration::from_secs(5),
            quick: false,
            store: 1,
        };
        let kept = Kept::new(scratch.path(), plan(5), "a").unwrap();
        assert_eq!(kept.find::<u32>(Name::Doors).unwrap(), None);
        kept.keep(Name::Doors, &7_u32).unwrap();
        assert_eq!(kept.find(Name::Doors).unwrap(), Some(7_u32));
        assert_eq!(kept.find::<u32>(Name::Soak).unwrap(), None);
        for (plan, setting) in [(plan(3), "a"), (plan(5), "b"), (plan(5), "a with changes")] {
            let other = Kept::new(scratch.path(), plan, setting).unwrap();
            assert_eq!(other.find::<u32>(Name::Doors).unwrap(), None);
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let scratch = Scratch::new("kept").unwrap();
        fs::write(scratch.path().join("doors.json"), "{").unwrap();
        let plan = Plan {
            rounds: 5,
            turn: Duration::from_secs(5),
            quick: false,
            store: 1,
        };
        let kept = Kept::new(scratch.path(), plan, "a").unwrap();
        let error = kept.find::<u32>(Name::Doors).unwrap_err();
        assert!(error.to_string().contains("doors.json"), "{error}");
    }
}
