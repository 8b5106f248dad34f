package errs

// Fields gathers every bad field of a request, so that a user sees all of them
// at once. It holds a common path that is put before each field's own.
type Fields struct {
	at   []any
	list *[]Field
}

// NewFields starts a gathering at a path, for instance "body".
func NewFields(at ...any) Fields { return Fields{at: at, list: new([]Field)} }

// At returns a gathering at a deeper path that adds to the same list.
func (f Fields) At(path ...any) Fields {
	return Fields{at: append(append([]any(nil), f.at...), path...), list: f.list}
}

// Add notes that the field at path below the current one is bad.
func (f Fields) Add(typ, msg string, path ...any) {
	*f.list = append(*f.list, Field{Loc: f.At(path...).at, Msg: msg, Type: typ})
}

// Err returns an Invalid error that carries all gathered fields, or nil.
func (f Fields) Err(op string) error {
	if len(*f.list) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Op: op, Msg: "request is not valid", Fields: *f.list}
}
