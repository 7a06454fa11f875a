//! Bulk jobs: changes that concern many subscriptions or customers and run in batches.
//!
//! | file                 | what starts the job                                     |
//! |----------------------|---------------------------------------------------------|
//! | [`apply_features`]   | `POST /v1/products/{product}/features/apply`            |
//! | [`policy_changes`]   | a deployment with another policy for uncertain statuses |

mod apply_features;
mod policy_changes;
mod subscribers;
