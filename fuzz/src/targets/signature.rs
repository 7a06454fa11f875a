//! The `Stripe-Signature` header. Lines: now, header, body.
//!
//! In the header, `SIG0` and `SIG1` stand for the signatures of the body with the endpoint's secrets,
//! `SIG2` for one with another secret. `BIG0` is `SIG0` in upper case.

use entgate::{
    id::Timestamp,
    webhook::signature::{Error, MAX_HEADER_LEN, TOLERANCE},
};

use super::{
    hmac::hmac_sha256,
    lines::split_line,
    subject::{WEBHOOK_SECRETS, verify_signature},
};

pub(crate) fn run(input: &[u8]) {
    let Some((now, rest)) = split_line(input) else { return };
    let Some((header, body)) = split_line(rest) else { return };
    let Ok(now) = now.parse() else { return };
    let header = replace_markers(header, body);
    let expected = verify_naively(&header, body, now);
    assert_eq!(verify_signature(&header, body, Timestamp(now)), expected, "{header}");
}

fn replace_markers(header: &str, body: &[u8]) -> String {
    let signed_at = values(header, "t").first().copied().unwrap_or_default();
    let secrets = [WEBHOOK_SECRETS[0], WEBHOOK_SECRETS[1], "whsec_fuzz_other"];
    let mut replaced = header.to_owned();
    for (index, secret) in secrets.into_iter().enumerate() {
        for marker in [format!("SIG{index}"), format!("BIG{index}")] {
            if header.contains(&marker) {
                let signature = sign(secret, signed_at, body);
                let is_upper = marker.starts_with('B');
                let signature = if is_upper { signature.to_uppercase() } else { signature };
                replaced = replaced.replace(&marker, &signature);
            }
        }
    }
    replaced
}

fn sign(secret: &str, signed_at: &str, body: &[u8]) -> String {
    let payload = [signed_at.as_bytes(), b".", body].concat();
    hmac_sha256(secret.as_bytes(), &payload).map(|byte| format!("{byte:02x}")).concat()
}

/// The values of the elements with this name.
fn values<'a>(header: &'a str, name: &str) -> Vec<&'a str> {
    let elements = header.split(',').filter_map(|element| element.split_once('='));
    elements.filter(|(other, _)| *other == name).map(|(_, value)| value).collect()
}

fn verify_naively(header: &str, body: &[u8], now: i64) -> Result<(), Error> {
    let (timestamps, signatures) = (values(header, "t"), values(header, "v1"));
    let Some(signed_at) = timestamps.first() else { return Err(Error::Malformed) };
    let digits = signed_at.trim_start_matches('0');
    let is_number = !signed_at.is_empty() && signed_at.chars().all(|c| c.is_ascii_digit());
    // A number of more than 19 digits exceeds every timestamp.
    if header.len() > MAX_HEADER_LEN
        || timestamps.iter().any(|other| other != signed_at)
        || signatures.is_empty()
        || !is_number
        || digits.len() > 19
    {
        return Err(Error::Malformed);
    }
    let seconds: i128 = format!("0{digits}").parse().map_err(|_| Error::Malformed)?;
    let timestamp = i64::try_from(seconds).map(Timestamp).map_err(|_| Error::Malformed)?;
    let is_valid = |secret: &str| signatures.contains(&sign(secret, signed_at, body).as_str());
    if !WEBHOOK_SECRETS.into_iter().any(is_valid) {
        return Err(Error::Mismatch);
    }
    if (seconds - i128::from(now)).abs() > i128::from(TOLERANCE) {
        return Err(Error::Stale { signed_at: timestamp, now: Timestamp(now) });
    }
    Ok(())
}
