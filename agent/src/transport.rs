//! Landing soon (guard).
