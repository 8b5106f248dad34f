// Package snowflake gives a second opinion on the adapter for Snowflake and on our
// emulator of it: the adapter reads the same rows from fakesnow, which has its own
// protocol server, its own SQL (translated to DuckDB) and results in Arrow, not
// JSON. What is compared and what can't be stands in docs/design/0006-snowflake.md.
// Its tests need the build tag interop and a Python that has fakesnow:
// `make interop`.
package snowflake
