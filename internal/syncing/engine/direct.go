package engine

func (sh *shard) direct(ps *pages, first page) error { return nil }
