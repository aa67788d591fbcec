//! One message on its way: its bytes, and what was read of them where somebody has read them, so that
//! nobody reads them again.

use crate::frame::Line;
use crate::malformed::Malformed;
use crate::message::Message;
use std::ops::Deref;

/// What is compared of it are its bytes.
#[derive(Debug, Clone)]
pub enum Payload {
    Read(Box<Message>),
    /// Written by us, changed since it was read, or no message at all.
    Bytes(Vec<u8>),
}

impl Payload {
    /// Reads it, where it can be read.
    #[must_use]
    pub fn read(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes).message().map_or_else(|(_, bytes)| Self::Bytes(bytes), Self::Read)
    }

    /// The message in it: as it was read, or read now.
    ///
    /// # Errors
    /// It is none. Its bytes come back.
    pub fn message(self) -> Result<Box<Message>, (Malformed, Vec<u8>)> {
        match self {
            Self::Read(message) => Ok(message),
            Self::Bytes(bytes) => Message::parse_or_return(bytes).map(Box::new),
        }
    }

    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Read(message) => message.bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Read(message) => message.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes()
    }
}

impl From<Message> for Payload {
    fn from(message: Message) -> Self {
        Self::Read(Box::new(message))
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Payload> for Line {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::Read(message) => Self::Read(message),
            Payload::Bytes(bytes) => Self::Whole(bytes),
        }
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Payload {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_what_came_byte_for_byte() {
        let text = br#" {"jsonrpc":"2.0","id":1.0,"x":1} "#.to_vec();
        assert!(
            matches!(Payload::read(text.clone()), Payload::Bytes(bytes) if bytes == text),
            "no id is 1.0"
        );
        let text = b" {\"jsonrpc\":\"2.0\",\r\"id\":1,\"method\":\"m\",\"x\":1.0} ".to_vec();
        let payload = Payload::read(text.clone());
        assert!(matches!(payload, Payload::Read(_)));
        assert_eq!((payload.bytes(), payload.len()), (text.as_slice(), text.len()));
        assert_eq!(payload, Payload::Bytes(text.clone()), "whether it was read makes no other message");
        assert!(matches!(Line::from(payload.clone()), Line::Read(_)));
        assert_eq!(payload.into_bytes(), text);
    }
}
