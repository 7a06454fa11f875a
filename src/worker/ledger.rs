//! The way to a customer's ledger: messages to its Durable Object.
//!
//! | message                      | answer                                                        |
//! |------------------------------|---------------------------------------------------------------|
//! | `POST`, a [`Summary`] as JSON | 200, a [`Receipt`] as JSON, once the effect is durable       |
//! | `GET`                        | 200, the record; 404 if nothing was ever heard of the customer |
//! | either                       | 500 and, as text, what failed                                 |

use worker::{Env, Method, ObjectNamespace, Request, RequestInit, Response};

use crate::{
    entitlement::{Entitlements, Summary},
    id::{Customer, Timestamp},
    store::{Error, Ledger, Receipt, record},
};

/// The binding in `wrangler.toml`.
const BINDING: &str = "CUSTOMERS";

/// An object is found by its name; the URL only has to be one.
const URL: &str = "https://customer/";

/// The Durable Objects of all customers.
pub(super) struct DurableLedger {
    customers: ObjectNamespace,
}

impl DurableLedger {
    pub(super) fn open(env: &Env) -> worker::Result<Self> {
        Ok(Self { customers: env.durable_object(BINDING)? })
    }

    /// The status and the body of an object's answer.
    async fn send(
        &self,
        customer: &Customer,
        request: worker::Result<Request>,
    ) -> worker::Result<(u16, Vec<u8>)> {
        let object = self.customers.id_from_name(&customer.key())?.get_stub()?;
        let mut response: Response = object.fetch_with_request(request?).await?;
        Ok((response.status_code(), response.bytes().await?))
    }
}

impl Ledger for DurableLedger {
    // The object has a clock of its own.
    async fn apply(&self, summary: &Summary, _now: Timestamp) -> Result<Receipt, Error> {
        let body = serde_json::to_string(summary).map_err(|error| unreachable(&error))?;
        let mut init = RequestInit::new();
        init.with_method(Method::Post).with_body(Some(body.into()));
        let request = Request::new_with_init(URL, &init);
        let answer = self.send(&summary.customer, request).await;
        match answer.map_err(|error| unreachable(&error))? {
            (200, body) => serde_json::from_slice(&body).map_err(|error| unreadable(&error)),
            (_, cause) => Err(unreachable(&String::from_utf8_lossy(&cause))),
        }
    }

    async fn load(&self, customer: &Customer) -> Result<Option<Entitlements>, Error> {
        let answer = self.send(customer, Request::new(URL, Method::Get)).await;
        match answer.map_err(|error| unreachable(&error))? {
            (200, body) => record::read(&body).map(Some).map_err(|error| unreadable(&error)),
            (404, _) => Ok(None),
            (_, cause) => Err(unreachable(&String::from_utf8_lossy(&cause))),
        }
    }
}

fn unreachable(cause: &impl ToString) -> Error {
    Error::Unreachable { port: "ledger", cause: cause.to_string() }
}

fn unreadable(cause: &impl ToString) -> Error {
    Error::Unreadable { port: "ledger", cause: cause.to_string() }
}
