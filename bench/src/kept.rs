//! Figures kept in a folder, so that a run that was broken off can go on.
//!
//! Invariant: a file is there whole or not at all, and it counts only for the plan
//! it was measured by.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Plan, figures::Name};

/// Where figures are kept.
#[derive(Debug)]
pub(crate) struct Kept {
    folder: PathBuf,
    plan: Plan,
}

/// A file.
#[derive(Serialize, Deserialize)]
struct Entry<Found> {
    plan: Plan,
    found: Found,
}

impl Kept {
    pub(crate) fn new(folder: &Path, plan: Plan) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
            plan,
        })
    }

    /// What was measured before by the same plan; `None` when it is to be measured.
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
        Ok((entry.plan == self.plan).then_some(entry.found))
    }

    pub(crate) fn keep<Found: Serialize>(&self, name: Name, found: &Found) -> anyhow::Result<()> {
        let entry = Entry {
            plan: self.plan,
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
    fn a_figure_is_kept_for_its_plan_alone() {
        let scratch = Scratch::new("kept").unwrap();
        let plan = |rounds| Plan {
            rounds,
            turn: Duration::from_secs(5),
            quick: false,
            store: 1,
        };
        let kept = Kept::new(scratch.path(), plan(5)).unwrap();
        assert_eq!(kept.find::<u32>(Name::Doors).unwrap(), None);
        kept.keep(Name::Doors, &7_u32).unwrap();
        assert_eq!(kept.find(Name::Doors).unwrap(), Some(7_u32));
        assert_eq!(kept.find::<u32>(Name::Soak).unwrap(), None);
        let other = Kept::new(scratch.path(), plan(3)).unwrap();
        assert_eq!(other.find::<u32>(Name::Doors).unwrap(), None);
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
        let kept = Kept::new(scratch.path(), plan).unwrap();
        let error = kept.find::<u32>(Name::Doors).unwrap_err();
        assert!(error.to_string().contains("doors.json"), "{error}");
    }
}
