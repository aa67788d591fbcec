//! Landing soon (steward).
