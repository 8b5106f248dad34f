// Package chaos proves that a sync survives its process: it kills workers with
// SIGKILL between any two steps of a run, and at any moment, starts others on
// what they left, and compares the outcome with the source. Nothing may be
// missing, nothing may have been processed twice, every ledger must balance.
//
// A worker is the test binary itself, started again as a child, with the real
// store, destination, adapter and engine; the storage is the S3 emulator in the
// parent. A seed decides all that happens to one sync:
//
//	go test ./test/chaos -run 'TestKilledWorkers/seed=17$' -v
//
// MOORING_TEST_SEEDS says how many seeds are run, from 0.
//
// TestCluster, which `make mongo` runs, has four workers share a database while
// they are killed and stopped (SIGSTOP) at random and the source changes.
// MOORING_TEST_CHAOS says for how long at least: 2m is the time with 20,000 objects.
// MOORING_TEST_SEED repeats a seed.
package chaos
