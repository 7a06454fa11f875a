//! Which answer a client has, and how new the next one has to be.
//!
//! An entity tag is `"<version>-<hash of the body>"`: the same answer has the same tag, and the version can
//! be read back, so that a client never sees an older set than the one it knows of, however far a replica
//! lags. What a push calls its `etag` is the version alone.

use http::HeaderValue;
use sha2::{Digest as _, Sha256};

use crate::entitlement::Version;

/// How many bytes of the hash are told: two answers of one version differ by chance.
const HASH_LEN: usize = 8;

/// The tag of an answer.
pub(super) struct Etag(String);

impl Etag {
    /// The tag of this body.
    pub(super) fn new(version: Version, body: &[u8]) -> Self {
        let digest = Sha256::digest(body);
        let start = digest.get(..HASH_LEN).unwrap_or_default();
        Self(format!("\"{version}-{}\"", hex::encode(start)))
    }

    /// Whether `If-None-Match` names it: weakly, since a proxy that compresses a body weakens its tag.
    pub(super) fn matches(&self, if_none_match: &str) -> bool {
        parse_tags(if_none_match).any(|tag| tag == "*" || tag == self.0)
    }

    /// As a header has it.
    pub(super) fn to_header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

/// The newest version that these tags name, if any does.
pub(super) fn newest_version(tags_or_versions: &str) -> Version {
    let version = |tag: &str| {
        let tag = tag.trim_matches('"');
        let digits = tag.split_once('-').map_or(tag, |(version, _)| version);
        digits.parse().ok().map(Version)
    };
    parse_tags(tags_or_versions).filter_map(version).max().unwrap_or_default()
}

/// The tags of a list, each without what says that it is weak. None of ours has a comma in it.
fn parse_tags(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).map(|tag| tag.strip_prefix("W/").unwrap_or(tag))
}
