//! OpenFeature's remote evaluation over lookup keys: a feature is a flag, and a customer its target.
//!
//! | file       | is                                                                               |
//! |------------|----------------------------------------------------------------------------------|
//! | `context`  | the request's body: about whom                                                   |
//! | `single`   | one flag, for a server: `POST /ofrep/v1/evaluate/flags/{key}`                    |
//! | `bulk`     | all flags, for a client that keeps them: `POST /ofrep/v1/evaluate/flags`         |
//! | `flag`     | a decision as a flag                                                             |
//! | `etag`     | which answer a client has, and how new the next one has to be                    |
//! | `notices`  | where a client hears of changes                                                  |
//!
//! OFREP 0.3.0, <https://github.com/open-feature/protocol>. What a client sends of its own, in its context
//! or in the query, is none of ours: it is passed over. A feature that the customer does not hold is an
//! explicit `false`, since a flag that is not found leaves the choice to the application's default, which
//! may be open. Failures are in `error`.

mod bulk;
mod context;
mod etag;
mod event_stream;
mod flag;
mod single;

pub(super) use self::{bulk::evaluate as evaluate_all, single::evaluate};
