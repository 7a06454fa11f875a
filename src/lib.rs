//! entgate answers one question: may this customer use this feature?
//!
//! The way of one event, in reading order:
//!
//! | module          | what it is                                                                  |
//! |-----------------|-----------------------------------------------------------------------------|
//! | `text`          | what stands in a text, eight bytes at a time                                |
//! | [`json`]        | JSON of our own, read without a parser for each type                        |
//! | [`id`]          | what names things: customers, lookup keys, moments, the two modes           |
//! | [`entitlement`] | the noun and the question: a set, and [`entitlement::check()`]              |
//! | [`policy`]      | what the operator has decided that a subscription of the catalog grants      |
//! | [`listing`]     | Stripe's list of entitlements, in JSON                                      |
//! | [`client`]      | what a client keeps of what the edge has said, and the question asked of that |
//! | [`token`]       | signed words about one customer: who may ask, and what was answered         |
//! | [`webhook`]     | in: a signed event of Stripe is verified and parsed                         |
//! | [`ledger`]      | what is held + what came in → what changes, and what is owed since          |
//! | [`source`]      | the list, read at Stripe                                                    |
//! | [`catalog`]     | the source, where entgate is it: what is sold, who bought it, what that grants |
//! | [`store`]       | the ports behind which sets are kept, and how one is found                  |
//! | [`api`]         | HTTP over any store: the route table                                        |
//! | `hot`           | the shell of what is asked most, a module of its own                        |
//! | `worker`        | the Cloudflare Workers shell: bindings, Durable Object, KV, cron, clock     |
//! | `browser`       | the npm shell: the same question, asked in a browser                        |
//!
//! Imports go one way, from the bottom of this table to its top. All but the three shells is pure:
//! time, randomness, secrets and stores are handed in. The shells stand behind the features `hot`,
//! `worker` and `browser`, which add nothing else. The feature `catalog`, on by default, is all that
//! entgate is as its own source: without it the source is Stripe, and the catalog's routes are none.

pub mod json;

pub mod id;

pub mod entitlement;

pub mod policy;

pub mod entitlement_list;

pub mod gate;

pub mod token;

pub mod webhook;

pub mod ledger;

pub mod source;

#[cfg(feature = "catalog")]
pub mod catalog;

pub mod store;

pub mod api;

#[cfg(feature = "fast-path")]
pub mod fast_path;

#[cfg(feature = "worker")]
pub mod worker;

#[cfg(feature = "browser")]
pub mod browser;
