package web

// section is an entry of the navigation.
type section struct {
	Name, Path, Label string
	Need              string // the permission without which it is not offered
	On                bool
}

var allSections = []section{
	{Name: "connections", Path: "/connections", Label: "Connections", Need: "read"},
	{Name: "buckets", Path: "/buckets", Label: "Buckets", Need: "read"},
	{Name: "audit", Path: "/audit", Label: "Audit", Need: "admin"},
	{Name: "keys", Path: "/keys", Label: "Keys", Need: "admin"},
	{Name: "webhooks", Path: "/webhooks", Label: "Webhooks", Need: "admin"},
	{Name: "settings", Path: "/settings", Label: "Settings", Need: "admin"},
	{Name: "sessions", Path: "/sessions", Label: "Sessions", Need: "read"},
}

// sections are those that the visitor may open.
func sections(f frame) (out []section) {
	for _, s := range allSections {
		if f.Can(s.Need) {
			s.On = s.Name == f.Section
			out = append(out, s)
		}
	}
	return out
}
