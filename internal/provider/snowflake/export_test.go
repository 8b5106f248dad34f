package snowflake

import "testing"

// BoundAnswers makes the bound of one answer smaller for a test.
func BoundAnswers(t testing.TB, n int64) {
	was := maxAnswer
	maxAnswer = n
	t.Cleanup(func() { maxAnswer = was })
}
