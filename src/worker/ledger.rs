//! The way to a customer's ledger: messages to its Durable Object.

use ::http::header::UPGRADE;
use web_sys::{Headers, Request, RequestInit};
use worker::{Env, ObjectNamespace, Response, WebSocket};

use super::{
    messages::{CROWDED, Checked, Message, SERVED_BY},
    object,
};
use crate::{
    api::stream::LAST_EVENT_ID,
    entitlement::{Summary, Version},
    id::{Customer, LookupKey, Timestamp},
    json,
    ledger::Receipt,
    store::{Error, Found, Ledger, ServedBy, Until, record},
};

/// The binding in `wrangler.toml`.
const BINDING: &str = "CUSTOMERS";

/// The Durable Objects of all customers.
pub(super) struct DurableLedger {
    customers: ObjectNamespace,
}

impl DurableLedger {
    pub(super) fn open(env: &Env) -> worker::Result<Self> {
        Ok(Self { customers: env.durable_object(BINDING)? })
    }

    /// Has the set compared with the source's list, and tells whether it was another one.
    pub(super) async fn confirm(&self, customer: &Customer) -> Result<bool, Error> {
        let (_, body) = self.ask(customer, &Message::Confirm(customer.clone())).await?;
        json::read(&body).map(|Checked { drifted }| drifted).map_err(|error| unreadable(&error))
    }

    /// Listens to a customer, unless as many do as may. Changes after `since` are told first.
    pub(super) async fn listen(
        &self,
        customer: &Customer,
        since: Option<Version>,
    ) -> Result<Option<WebSocket>, Error> {
        let mut response =
            self.call(customer, since).await.map_err(|error| unreachable("ledger", &error))?;
        match response.status_code() {
            CROWDED => Ok(None),
            101 => match response.websocket() {
                Some(socket) => Ok(Some(socket)),
                None => Err(unreachable("ledger", &"it opens no WebSocket")),
            },
            _ => Err(unreachable("ledger", &response.text().await.unwrap_or_default())),
        }
    }

    async fn call(&self, customer: &Customer, since: Option<Version>) -> worker::Result<Response> {
        let headers = Headers::new()?;
        headers.set(UPGRADE.as_str(), "websocket")?;
        if let Some(since) = since {
            headers.set(LAST_EVENT_ID.as_str(), &since.to_string())?;
        }
        let init = RequestInit::new();
        init.set_headers_headers(&headers);
        let object = self.customers.id_from_name(&customer.key())?.get_stub()?;
        let request = Request::new_with_str_and_init(object::URL, &init)?;
        object.fetch_with_request(request.into()).await
    }

    /// Has an alarm set for what is owed.
    pub(super) async fn wake(&self, customer: &Customer) -> Result<(), Error> {
        self.ask(customer, &Message::Wake).await.map(drop)
    }

    /// The answer to a message that does not fail, and its body.
    async fn ask(
        &self,
        customer: &Customer,
        message: &Message,
    ) -> Result<(web_sys::Response, Vec<u8>), Error> {
        let (response, body) =
            self.send(customer, message).await.map_err(|error| unreachable("ledger", &error))?;
        let failed = |port| unreachable(port, &String::from_utf8_lossy(&body));
        match response.status() {
            200 | 404 => Ok((response, body)),
            502 => Err(failed("source")),
            _ => Err(failed("ledger")),
        }
    }

    async fn send(
        &self,
        customer: &Customer,
        message: &Message,
    ) -> worker::Result<(web_sys::Response, Vec<u8>)> {
        object::post(&self.customers, &customer.key(), serde_json::to_string(message)?).await
    }

    async fn look(&self, customer: &Customer, message: &Message) -> Result<Found, Error> {
        let (response, body) = self.ask(customer, message).await?;
        let served_by: ServedBy = response
            .headers()
            .get(SERVED_BY)
            .ok()
            .flatten()
            .and_then(|served_by| json::read(served_by.as_bytes()).ok())
            .unwrap_or(ServedBy::Ledger);
        let held = match response.status() {
            404 => None,
            _ => Some(record::read(&body).map_err(|error| unreadable(&error))?),
        };
        Ok(Found { held, served_by })
    }
}

impl Ledger for DurableLedger {
    // The object has a clock of its own.
    async fn apply(&self, summary: &Summary, _now: Timestamp) -> Result<Receipt, Error> {
        let message = Message::Apply(summary.clone());
        let (_, body) = self.ask(&summary.customer, &message).await?;
        json::read(&body).map_err(|error| unreadable(&error))
    }

    async fn find(&self, customer: &Customer, features: &[LookupKey]) -> Result<Found, Error> {
        let message = Message::Find { customer: customer.clone(), features: features.to_vec() };
        self.look(customer, &message).await
    }

    async fn sync(&self, customer: &Customer, until: Option<&Until>) -> Result<Found, Error> {
        let message = Message::Sync { customer: customer.clone(), until: until.cloned() };
        self.look(customer, &message).await
    }
}

fn unreachable(port: &'static str, cause: &impl ToString) -> Error {
    Error::Unreachable { port, cause: cause.to_string() }
}

fn unreadable(cause: &impl ToString) -> Error {
    Error::Unreadable { port: "ledger", cause: cause.to_string() }
}
