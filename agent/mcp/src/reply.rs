//! Messages of our own: error answers and the one notification we send.
