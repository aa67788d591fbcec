//! Passwords: argon2id, computed off the async threads.

use super::AuthError;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use std::sync::OnceLock;

pub(super) async fn hash(password: String) -> Result<String, AuthError> {
    computed(move || hash_now(&password)).await
}

/// Does the password belong to the hash? Without a hash (no such admin) the same work is done, so that
/// the time taken tells nothing.
pub(super) async fn matches(known: Option<String>, password: String) -> Result<bool, AuthError> {
    computed(move || {
        let hash = match &known {
            Some(hash) => hash.as_str(),
            None => nobody()?,
        };
        let parsed = PasswordHash::new(hash).map_err(|error| AuthError::Hashing(error.to_string()))?;
        let right = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
        Ok(right && known.is_some())
    })
    .await
}

fn hash_now(password: &str) -> Result<String, AuthError> {
    let hash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| AuthError::Hashing(error.to_string()))?;
    Ok(hash.to_string())
}

/// The hash of a password nobody has.
fn nobody() -> Result<&'static str, AuthError> {
    static HASH: OnceLock<String> = OnceLock::new();
    if let Some(hash) = HASH.get() {
        return Ok(hash);
    }
    let hash = hash_now("nobody has this password")?;
    Ok(HASH.get_or_init(|| hash))
}

async fn computed<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AuthError> + Send + 'static,
) -> Result<T, AuthError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| AuthError::Hashing(error.to_string()))?
}
