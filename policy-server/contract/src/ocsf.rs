//! The record as OCSF API Activity (class 6003): a derived view.
