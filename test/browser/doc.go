// Package browser tests the dashboard as its users meet it: Chromium drives the
// built binary, which is connected to the S3 emulator. `make browser` runs it;
// nothing of it needs a browser otherwise.
//
// The tests proper are the *.test.mjs files, on Playwright and Node's own test
// runner. They ask this side, over a control port, for a world of their own: a
// server on a new data directory and a storage whose content and faults they
// script. A browser's every request that is not for this machine goes to a proxy
// here, which refuses and remembers it.
package browser
