package sqlite

import (
	"database/sql/driver"
	"strings"
	"sync"

	sqlite "modernc.org/sqlite"
)

// registerFunctions adds fold(text) to SQLite, which knows the case of ASCII only.
var registerFunctions = sync.OnceValue(func() error {
	return sqlite.RegisterDeterministicScalarFunction("fold", 1,
		func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			s, _ := args[0].(string)
			return fold(s), nil
		})
})

// fold is the form in which text is searched without case.
func fold(s string) string { return strings.ToLower(s) }
