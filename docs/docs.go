// Package docs holds Mooring's documentation, and the test that keeps it true.
package docs
