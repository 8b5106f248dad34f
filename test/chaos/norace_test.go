//go:build unix && !race

package chaos

const seeds = 200
