//! OpenFeature Remote Evaluation Protocol (OFREP): a feature is a flag, a customer is its target.
//!
//! | file           | content                                                                      |
//! |----------------|------------------------------------------------------------------------------|
//! | `context`      | the request's body, which names the customer                                 |
//! | `single`       | one flag, for servers: `POST /ofrep/v1/evaluate/flags/{key}`                 |
//! | `bulk`         | all flags, for clients with a cache: `POST /ofrep/v1/evaluate/flags`         |
//! | `flag`         | a decision as a flag                                                         |
//! | `etag`         | entity tags, and the version that a client has                               |
//! | `event_stream` | the URL of a client's refetch stream                                         |
//!
//! Unknown members of the context and unknown query parameters are ignored. A feature that the
//! customer does not have is an explicit `false`: for a missing flag, an application would use its own
//! default, which may grant the feature. Errors are in `api::error::evaluation`.
//!
//! Specification: OFREP 0.3.0, <https://github.com/open-feature/protocol>.

mod context;
mod flag;

mod single;

mod etag;
mod event_stream;

mod bulk;

pub(super) use self::{bulk::evaluate as evaluate_all, single::evaluate};
