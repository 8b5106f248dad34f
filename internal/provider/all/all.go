// Package all names the adapters that Mooring has. Only cmd imports it.
package all

import (
	"mooring/internal/provider"
	"mooring/internal/provider/gdrive"
	"mooring/internal/provider/s3"
	"mooring/internal/provider/sharepoint"
	"mooring/internal/provider/snowflake"
)

// Adapters returns the adapter of each provider.
func Adapters() provider.Registry {
	return provider.Registry{
		"google_drive": gdrive.Open,
		"s3":           s3.Open,
		"sharepoint":   sharepoint.Open,
		"snowflake":    snowflake.Open,
		"tigris":       s3.Open,
	}
}
