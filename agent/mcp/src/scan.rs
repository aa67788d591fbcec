//! One strict pass over the bytes before anything else looks at them.
