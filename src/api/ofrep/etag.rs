//! Entity tags of bulk evaluations.
//!
//! A tag is `"<version>-<hash of the body>"`. Equal responses have equal tags, and the version can be
//! parsed again. A client therefore never receives an older set than the one that it knows, even if
//! the replica lags. The `etag` of a refetch notification is the version alone.

use http::HeaderValue;
use sha2::{Digest as _, Sha256};

use crate::entitlement::Version;

/// The length of the hash in a tag, in bytes. It only separates responses of the same version.
const HASH_LEN: usize = 8;

/// The entity tag of a response.
pub(super) struct Etag(String);

impl Etag {
    /// Creates the tag of a body.
    pub(super) fn new(version: Version, body: &[u8]) -> Self {
        let digest = Sha256::digest(body);
        let hash = digest.get(..HASH_LEN).unwrap_or_default();
        Self(format!("\"{version}-{}\"", hex::encode(hash)))
    }

    /// Whether `If-None-Match` contains the tag. The comparison is weak, because a proxy that
    /// compresses a body weakens its tag.
    pub(super) fn matches(&self, if_none_match: &str) -> bool {
        parse_tags(if_none_match).any(|tag| tag == "*" || tag == self.0)
    }

    /// The value of the header `ETag`.
    pub(super) fn to_header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

/// The newest version in a list of tags or versions; 0 if there is none.
pub(super) fn newest_version(tags_or_versions: &str) -> Version {
    let version = |tag: &str| {
        let tag = tag.trim_matches('"');
        let digits = tag.split_once('-').map_or(tag, |(version, _)| version);
        digits.parse().ok().map(Version)
    };
    parse_tags(tags_or_versions).filter_map(version).max().unwrap_or_default()
}

/// The tags of a list, without weakness markers. No tag of this deployment contains a comma.
fn parse_tags(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).map(|tag| tag.strip_prefix("W/").unwrap_or(tag))
}
