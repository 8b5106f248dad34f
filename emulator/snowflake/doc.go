// Package snowflake is an in-process emulator of Snowflake as its Go driver sees
// it: the wire protocol (login with password or key pair, queries, results in
// chunks, renewal of sessions, long queries, abort) over tables in memory. It is
// for tests, like net/http/httptest.
//
// What distinguishes it from a server that merely answers:
//
//   - Passwords, and the fingerprint, signature, times, issuer and subject of a
//     JWT are verified; roles see and read only what they were granted.
//   - It executes the statements below and refuses every other one, so that a
//     client can't rely on what nobody looked at.
//   - It says which statements would have needed a warehouse. See
//     WarehouseStatements.
//   - Faults are scripted: the second query meets an expired session, the third
//     chunk is cut short. See Inject.
//   - A table of a million rows is a function: nothing of it is kept. See
//     Table.Generate.
//
// # Statements
//
// Metadata, which needs no warehouse:
//
//	ALTER SESSION SET name = value [[,] name = value ...]
//	USE { DATABASE | SCHEMA | WAREHOUSE | ROLE } name
//	SHOW DATABASES [LIKE 'pattern'] [STARTS WITH 'text'] [LIMIT n [FROM 'name']]
//	SHOW SCHEMAS [LIKE 'pattern'] [IN DATABASE name] [STARTS WITH 'text'] [LIMIT n [FROM 'name']]
//	SHOW { TABLES | VIEWS | OBJECTS } [LIKE 'pattern'] [IN { SCHEMA | DATABASE } name] [STARTS WITH 'text'] [LIMIT n [FROM 'name']]
//	SHOW COLUMNS IN { TABLE | VIEW } name
//	{ DESCRIBE | DESC } { TABLE | VIEW } name
//	SELECT expression [, ...]                        (no FROM)
//
// Reading, which needs one:
//
//	SELECT item [, ...] FROM name [AT (TIMESTAMP => expression)]
//	  [WHERE condition] [ORDER BY expression [ASC | DESC] [NULLS { FIRST | LAST }] [, ...]] [LIMIT n]
//
// An item is an expression [[AS] name], or * alone. Expressions are columns,
// literals ('text', numbers, TRUE, FALSE, NULL), binds (?), =, <>, !=, <, <=, >,
// >=, IS [NOT] NULL, [NOT] IN (list), AND, OR, NOT, parentheses, CAST(x AS type), x::type
// and these functions:
//
//	TO_TIMESTAMP_NTZ, TO_TIMESTAMP_LTZ, TO_TIMESTAMP_TZ, TO_DATE, TO_TIME,
//	TO_NUMBER(x [, precision, scale]), TO_DECIMAL, TO_DOUBLE, TO_DECFLOAT, TO_BOOLEAN,
//	TO_BINARY(text [, 'HEX']), TO_CHAR and TO_VARCHAR(x [, format]), TO_JSON,
//	PARSE_JSON, ST_ASGEOJSON, HASH, SHA2(text [, 256]), LENGTH, OCTET_LENGTH, COALESCE, NVL,
//	CONCAT, REPLACE, COLLATE(text, '')
//	COUNT(*), COUNT(x), COUNT_IF, MIN, MAX          (beside them no columns: there is no GROUP BY)
//	CURRENT_VERSION, CURRENT_ACCOUNT, CURRENT_USER, CURRENT_ROLE, CURRENT_DATABASE, CURRENT_SCHEMA,
//	CURRENT_WAREHOUSE, CURRENT_SESSION, CURRENT_TIMESTAMP
//	SYSTEM$LAST_CHANGE_COMMIT_TIME('name')
//
// SHOW gives names in order, after the name of FROM, and 10,000 rows at most.
// Identifiers fold to upper case unless they are quoted. Comparisons follow
// Snowflake: a text beside a typed value is read as that type, TIMESTAMP_NTZ
// beside another timestamp is taken in the session's time zone, text is compared
// by bytes, and NULL sorts last in ascending order.
package snowflake
