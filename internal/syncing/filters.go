package syncing

import "time"

// Filters are the contract's FileFilters; all rules that are set must pass.
type Filters struct {
	Include        []string   `bson:"include_patterns,omitempty"` // globs on the bare name or the path below source_path
	Exclude        []string   `bson:"exclude_patterns,omitempty"`
	MinSize        *int64     `bson:"min_size_bytes,omitempty"` // inclusive
	MaxSize        *int64     `bson:"max_size_bytes,omitempty"` // inclusive
	ModifiedAfter  *time.Time `bson:"modified_after,omitempty"`
	ModifiedBefore *time.Time `bson:"modified_before,omitempty"`
	MIMETypes      []string   `bson:"mime_types,omitempty"` // exact or "type/*"
	Extensions     []string   `bson:"extensions,omitempty"` // with or without dot, compared without case; echoed as sent
}
