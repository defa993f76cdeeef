//! The files that pages are made of: scripts, styles, pictures.
//!
//! Invariant: a file's address changes when any file does, so a browser may keep
//! what it has for ever. Scripts name each other by relative paths, hence one
//! version for all.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::served::Body;

macro_rules! files {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../web/", $folder, $name)))),*]
    };
}

/// Ours.
const FILES: &[(&str, &[u8])] = files!["assets/":
    "api.js",
    "base.css",
    "cart.js",
    "chart.js",
    "connection.js",
    "console-dead-letters.js",
    "console-order.js",
    "console.css",
    "console.js",
    "copy.js",
    "dead-letters-list.js",
    "dead-letters.css",
    "dom.js",
    "figures.js",
    "flow.js",
    "format.js",
    "goods.svg",
    "icon.svg",
    "keyed.js",
    "live.js",
    "mails.js",
    "order-events.js",
    "order-summary.js",
    "order.css",
    "orders-list.js",
    "orders-table.js",
    "overview.css",
    "place.js",
    "rankings.js",
    "rate-table.js",
    "record.js",
    "records.js",
    "reference.css",
    "replay.js",
    "services.js",
    "shop.css",
    "shop.js",
    "sign-in.js",
    "sse.js",
    "status.js",
    "timeline.js",
    "token.js",
    "topology.js",
    "trace.js",
    "waterfall.js",
];

/// Others' works, each in a folder of its own with its version and its licence. Beside
/// ours they stand under `vendor/`, so that scripts import them by relative paths.
const VENDOR: &[(&str, &[u8])] = files!["":
    "vendor/uplot-1.6.32/LICENSE",
    "vendor/uplot-1.6.32/uPlot.esm.js",
    "vendor/uplot-1.6.32/uPlot.min.css",
];

/// All files, by name.
#[derive(Debug, Clone)]
pub(super) struct Assets(Arc<Files>);

#[derive(Debug)]
struct Files {
    version: String,
    bodies: BTreeMap<&'static str, Body>,
}

impl Assets {
    /// Those within the binary.
    pub(super) fn embedded() -> Self {
        let mut hash = Sha256::new();
        let mut bodies = BTreeMap::new();
        for (name, bytes) in FILES.iter().chain(VENDOR) {
            hash.update(name);
            hash.update(bytes);
            bodies.insert(*name, Body::new(Bytes::from_static(bytes)));
        }
        // Eight bytes tell versions apart; the rest would only be longer.
        let digest = hash.finalize();
        let first = u64::from_be_bytes(std::array::from_fn(|index| digest[index]));
        let version = format!("{first:016x}");
        Self(Arc::new(Files { version, bodies }))
    }

    /// Where they are, without a slash at the end.
    pub(super) fn root(&self) -> String {
        format!("/assets/{}", self.0.version)
    }

    /// A file. Of another version, as while gateways are being replaced, it is ours
    /// that is served, not to be kept.
    pub(super) fn answer(
        &self,
        version: &str,
        name: &str,
        request: &HeaderMap,
    ) -> Option<Response> {
        let body = self.0.bodies.get(name)?;
        let keep = if version == self.0.version {
            "public, max-age=31536000, immutable"
        } else {
            "no-store"
        };
        let file = body.answer(media_type(name), request);
        Some(([(header::CACHE_CONTROL, keep)], file).into_response())
    }
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        None => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_embedded() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/web/assets");
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let embedded: Vec<_> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, embedded);
    }

    #[test]
    fn everything_of_others_is_embedded_with_its_licence() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        let entries = |folder: std::path::PathBuf| {
            let files = std::fs::read_dir(folder).into_iter().flatten();
            files.map(|file| file.unwrap().path()).collect::<Vec<_>>()
        };
        let mut names = Vec::new();
        for work in entries(root.join("vendor")) {
            let files = entries(work.clone());
            let has_licence = files
                .iter()
                .any(|file| file.file_stem() == Some("LICENSE".as_ref()));
            assert!(has_licence, "{}", work.display());
            for file in files {
                let name = file.strip_prefix(&root).unwrap().to_str().unwrap();
                names.push(name.to_owned());
            }
        }
        names.sort();
        let embedded: Vec<_> = VENDOR.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, embedded);
    }

    #[test]
    fn only_the_current_version_may_be_kept() {
        let assets = Assets::embedded();
        let version = assets.0.version.clone();
        let kept = |version: &str| {
            let answer = assets
                .answer(version, "shop.js", &HeaderMap::new())
                .unwrap();
            answer.headers()[header::CACHE_CONTROL]
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert!(kept(&version).contains("immutable"));
        assert_eq!(kept("before"), "no-store");
        assert!(
            assets
                .answer(&version, "nothing.js", &HeaderMap::new())
                .is_none()
        );
    }
}
