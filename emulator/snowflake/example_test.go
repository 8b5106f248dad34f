package snowflake_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	driver "github.com/snowflakedb/gosnowflake"

	"mooring/emulator/snowflake"
)

// The session ends in the middle of a day, and the driver renews it.
func Example() {
	srv, err := snowflake.New(snowflake.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	srv.User("alice", "secret")
	srv.Warehouse("WH")
	table := srv.Table("SHOP.PUBLIC.ORDERS", []snowflake.Column{
		{Name: "ID", Type: snowflake.Number},
		{Name: "NOTE", Type: snowflake.Varchar, Nullable: true},
	})
	table.Insert(snowflake.Row{1, "first"}, snowflake.Row{2, nil})
	srv.Inject(snowflake.Fault{Match: snowflake.OnSQL("SELECT ID*"), Nth: 1, Action: snowflake.Expire()})

	db := sql.OpenDB(driver.NewConnector(driver.SnowflakeDriver{}, driver.Config{
		Account: "ORG-ACCT", User: "alice", Password: "secret", Warehouse: "WH",
		Protocol: "http", Host: srv.Host(), Port: srv.Port(), DisableTelemetry: true, //nolint:staticcheck // as long as it works
	}))
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(context.Background(), `SELECT ID, NOTE FROM SHOP.PUBLIC.ORDERS WHERE ID > ? ORDER BY ID`, "0")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id int
		var note sql.NullString
		if err := rows.Scan(&id, &note); err != nil {
			log.Fatal(err)
		}
		fmt.Println(id, note.String, note.Valid)
	}
	if err := rows.Err(); err != nil {
		log.Fatal(err)
	}
	for _, r := range srv.Requests() {
		fmt.Println(r.Operation, r.Status, r.Code, r.Faults)
	}
	// Output:
	// 1 first true
	// 2  false
	// Login 200  []
	// Query 200 390112 [Expire]
	// Renew 200  []
	// Query 200  []
}
