//go:build unix && race

package chaos

// seeds are fewer where each step takes ten times as long.
const seeds = 24
