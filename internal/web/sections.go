package web

// section is an entry of the navigation.
type section struct {
	Name, Path, Label string
	Need              string // the permission without which it is not offered
	On                bool
}

var allSections = []section{
	{Name: "connections", Path: "/connections", Label: "Connections", Need: "read"},
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
