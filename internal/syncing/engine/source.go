package engine

import "mooring/internal/provider"

// From makes a Source of an open connection.
func From(s *provider.Source) Source { return s }
