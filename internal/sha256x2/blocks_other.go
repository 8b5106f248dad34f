//go:build !amd64

package sha256x2

const supported = false

func blocks(_, _ *[8]uint32, _, _ *byte, _ int) { panic("not supported") }
