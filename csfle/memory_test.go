package csfle_test

import (
	"testing"

	"mooring/csfle"
	"mooring/csfle/vaulttest"
)

func TestMemoryVault(t *testing.T) {
	vaulttest.Run(t, func(*testing.T) csfle.KeyVault { return new(csfle.MemoryVault) })
}
