package dir

import (
	"fmt"
	"strings"
	"testing"

	"mooring/internal/sink"
)

// A page of small files, as a sync writes it: each file is staged, then all are
// settled at once, then each is placed.
func BenchmarkPage(b *testing.B) {
	const files = 1000
	content := strings.Repeat("x", 4096)
	p := openPart(b, open(b, b.TempDir(), Options{}))
	s := asSink(p)
	for page := 0; b.Loop(); page++ {
		for i := range files {
			must(b, put(b, s, fmt.Sprintf("p%d-%d", page, i), content))
		}
		must(b, s.Settle(bg))
		for i := range files {
			must(b, s.Place(bg, fmt.Sprintf("p%d-%d", page, i), fmt.Sprintf("folder%d/sub/p%d-%d", i%10, page, i), 4096))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/files, "ns/file")
}

func BenchmarkStage(b *testing.B) {
	content := strings.Repeat("x", 4096)
	s := asSink(openPart(b, open(b, b.TempDir(), Options{})))
	for i := 0; b.Loop(); i++ {
		must(b, put(b, s, fmt.Sprint("s", i), content))
	}
}

func BenchmarkPlace(b *testing.B) {
	s := asSink(openPart(b, open(b, b.TempDir(), Options{})))
	must(b, put(b, s, "s", ""))
	must(b, s.Place(bg, "s", "folder/sub/f0", 0))
	for i := 0; b.Loop(); i++ {
		must(b, s.Rename(bg, fmt.Sprint("folder/sub/f", i), fmt.Sprint("folder/sub/f", i+1), 0))
	}
}

// A file is looked at alone, and together with others of its folder.
func BenchmarkStat(b *testing.B) {
	s := asSink(openPart(b, open(b, b.TempDir(), Options{})))
	const files = 64
	var names []string
	for i := range files {
		names = append(names, fmt.Sprint("folder/sub/f", i))
		must(b, put(b, s, "s", ""))
		must(b, s.Place(bg, "s", names[i], 0))
	}
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := s.Stat(bg, names[i%files]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("together", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := sink.Stats(bg, s, names); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/files, "ns/file")
	})
}
