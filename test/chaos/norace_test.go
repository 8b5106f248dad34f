//go:build unix && !race

package chaos

const usualSeeds = 80
