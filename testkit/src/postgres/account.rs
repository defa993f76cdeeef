//! The user that PostgreSQL runs as.
//!
//! Invariant: never root, because PostgreSQL refuses to run as root. A test
//! process that is root drops to `nobody` for the server alone; any other
//! stays who it is.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use rustix::process::geteuid;

use crate::process::Account;

const USER: &str = "nobody";
const USERS: &str = "/etc/passwd";

/// The account to drop to, or `None` where the test process's own will do.
pub(super) fn server() -> anyhow::Result<Option<Account>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string(USERS).with_context(|| format!("reading {USERS}"))?;
    find(&users, USER).map(Some).with_context(|| {
        format!("PostgreSQL refuses to run as root, and {USERS} knows no {USER} to drop to")
    })
}

/// Gives a folder to the server's account.
pub(super) fn give(folder: &Path, account: Option<Account>) -> anyhow::Result<()> {
    let Some(account) = account else {
        return Ok(());
    };
    chown(folder, Some(account.uid), Some(account.gid))
        .with_context(|| format!("giving {} to {USER}", folder.display()))?;
    ensure!(
        folder.parent().is_none_or(open_to_all),
        "PostgreSQL runs as {USER}, who cannot reach {}; set TMPDIR to a folder that all users \
         may enter",
        folder.display()
    );
    Ok(())
}

/// `cache`, or a folder in its stead where the server's account cannot enter
/// it, such as one below root's home.
pub(super) fn reachable(cache: PathBuf) -> anyhow::Result<PathBuf> {
    if server()?.is_none() || open_to_all(&cache) {
        return Ok(cache);
    }
    Ok(std::env::temp_dir().join("ordermesh-cache"))
}

/// Whether every user may enter this folder. Levels that do not exist yet will
/// be made with the usual mode, which allows it.
fn open_to_all(folder: &Path) -> bool {
    const ENTER_BY_OTHERS: u32 = 0o001;
    folder
        .ancestors()
        .filter_map(|level| level.metadata().ok())
        .all(|level| level.mode() & ENTER_BY_OTHERS != 0)
}

/// Reads `name:password:uid:gid:…` lines. macOS writes the ids of `nobody` as
/// negative numbers.
fn find(users: &str, name: &str) -> Option<Account> {
    let id = |field: &str| {
        let unsigned = field.parse().ok();
        unsigned.or_else(|| field.parse().ok().map(i32::cast_unsigned))
    };
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let mut ids = fields.skip(1).map_while(id);
        Some(Account {
            uid: ids.next()?,
            gid: ids.next()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let linux = "root:x:0:0::/root:/bin/sh\nnobody2:x:1:1::/:\nnobody:x:65534:65533::/:\n";
        let account = |uid, gid| Some(Account { uid, gid });
        assert_eq!(find(linux, "nobody"), account(65534, 65533));
        assert_eq!(
            find("nobody:*:-2:-2::/:\n", "nobody"),
            account(u32::MAX - 1, u32::MAX - 1)
        );
        assert_eq!(find("root:x:0:0::/root:/bin/sh\n", "nobody"), None);
    }
}
