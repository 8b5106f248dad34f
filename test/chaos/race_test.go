//go:build unix && race

package chaos

// usualSeeds are fewer where each step takes ten times as long.
const usualSeeds = 24
