//! The header by which a receiver knows that an alert is ours and is fresh:
//! `Portreeve-Signature: t=UNIX_SECONDS,v1=HEX(HMAC-SHA-256(secret, "UNIX_SECONDS.BODY"))`.

use aws_lc_rs::hmac;
use std::fmt::Write as _;

pub const HEADER: &str = "Portreeve-Signature";

#[must_use]
pub fn sign(secret: &str, unix_seconds: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{unix_seconds}.{body}").as_bytes());
    let mut header = format!("t={unix_seconds},v1=");
    for byte in tag.as_ref() {
        let _ = write!(header, "{byte:02x}");
    }
    header
}

#[cfg(test)]
mod tests {
    use super::sign;

    #[test]
    fn signature_is_the_hmac_that_any_other_tool_computes() {
        // printf '1700000000.{"code":"device-dark"}' | openssl dgst -sha256 -hmac whsec
        assert_eq!(
            sign("whsec", 1_700_000_000, r#"{"code":"device-dark"}"#),
            "t=1700000000,v1=07471414c1fc7c0f28514e6b8cb0c6e3f143a47af893f9141760274a6b3154de"
        );
    }
}
