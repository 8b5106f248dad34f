package web

import "mooring/internal/syncing"

func syncSign(s syncing.Sync) sign {
	switch {
	case s.Paused || s.Status == syncing.Suspended:
		return sign{"off", "stop", "Paused"}
	case s.Status == syncing.Failed:
		return sign{"bad", "bad", "Failed"}
	case s.Status == syncing.Pending:
		return sign{"off", "wait", "Waiting for its first run"}
	case s.Status == syncing.Completed:
		return sign{"good", "good", "Completed"}
	case s.Failures > 0:
		return sign{"warn", "bad", "Failing"}
	}
	return sign{"good", "good", "Active"}
}
