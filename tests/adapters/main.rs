//! Real libraries in processes of their own, which `.ci/run adapters` makes first: nothing here
//! runs without them, so these tests are run by name.

mod oracle;
