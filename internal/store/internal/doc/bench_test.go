package doc_test

import (
	"testing"

	"mooring/internal/connection"
	"mooring/internal/store/internal/doc"
)

// BenchmarkDecode reads a connection by a plan and by the driver.
func BenchmarkDecode(b *testing.B) {
	d := sample(b, &connection.Connection{})
	for name, decode := range map[string]func([]byte, any) error{"plan": doc.Decode, "driver": doc.ByDriver} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := decode(d, new(connection.Connection)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
