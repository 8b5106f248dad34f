// Package exact holds the tests that an incremental sync is exact: over each
// provider's emulator, whatever happens at the source and whatever fails on the
// way, the bucket then holds what a full walk of the source finds.
package exact
