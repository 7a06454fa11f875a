//! What is said to an object that there is one of, or one a mode: a message in JSON, and the answer.

use serde::Serialize;
use worker::{Method, ObjectNamespace, Request, RequestInit, Result};

use crate::id::Livemode;

/// An object is found by its name; the URL only has to be one.
const URL: &str = "https://object/";

/// The body of the answer to a message.
pub(super) async fn send(
    objects: &ObjectNamespace,
    name: &str,
    message: &impl Serialize,
) -> Result<Vec<u8>> {
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(serde_json::to_string(message)?.into()));
    let object = objects.id_from_name(name)?.get_stub()?;
    let mut response = object.fetch_with_request(Request::new_with_init(URL, &init)?).await?;
    let body = response.bytes().await?;
    match response.status_code() {
        200 => Ok(body),
        _ => Err(String::from_utf8_lossy(&body).into_owned().into()),
    }
}

/// The name of the object of one mode.
pub(super) fn of_mode(livemode: Livemode) -> &'static str {
    match livemode {
        Livemode::Test => "test",
        Livemode::Live => "live",
    }
}
