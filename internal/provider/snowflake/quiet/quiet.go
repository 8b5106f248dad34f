// Package quiet is imported for its effect: it turns off what the Snowflake
// driver does beside its work when a program is built without
// -tags minicore_disabled. Packages are initialised in the order of their paths
// once what they import is: this one needs os alone, the driver needs net/http,
// so this one comes first.
package quiet

import "os"

var _ = off("SF_DISABLE_MINICORE", "SNOWFLAKE_DISABLE_PLATFORM_DETECTION")

// off sets each variable: no native library is unpacked and loaded, and no
// address of a cloud's metadata service is probed.
func off(names ...string) error {
	for _, n := range names {
		if err := os.Setenv(n, "true"); err != nil {
			return err
		}
	}
	return nil
}
