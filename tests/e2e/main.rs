//! End-to-end tests: the two programs as they are built, driven from outside.

mod claude_code;
