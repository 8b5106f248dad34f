package syncing

// Mapping is the contract's schema_mapping: target name to entry. nil maps the
// file to the blob property "content".
type Mapping struct {
	Entries map[string]MappingEntry `bson:"mappings"`
}

// MappingEntry says where one field or blob of an object comes from.
type MappingEntry struct {
	Target    string `bson:"target_type"` // "field" or "blob"
	Source    Source `bson:"source"`
	Transform string `bson:"transform,omitempty"` // "", lowercase, uppercase, trim, json_parse
	Required  bool   `bson:"required,omitempty"`  // an item without the value fails

	BlobType     string `bson:"blob_type,omitempty"` // auto, image, video, audio, text, pdf, excel
	BlobProperty string `bson:"blob_property,omitempty"`
	MIMEOverride string `bson:"mime_type_override,omitempty"`
}

// Source is one of the contract's mapping sources; Type says which fields count.
type Source struct {
	Type     string  `bson:"type"`              // tag, metadata, filename_regex, column, drive_property, folder_path, file, constant
	Key      string  `bson:"key,omitempty"`     // tag, metadata, drive_property
	Pattern  string  `bson:"pattern,omitempty"` // filename_regex
	Default  *string `bson:"default,omitempty"` // filename_regex
	Name     string  `bson:"name,omitempty"`    // column
	Segment  *int    `bson:"segment,omitempty"` // folder_path
	FullPath bool    `bson:"full_path,omitempty"`
	Value    any     `bson:"value,omitempty"` // constant
}
