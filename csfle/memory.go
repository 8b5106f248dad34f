package csfle

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"mooring/internal/errs"
)

// MemoryVault is a KeyVault in memory, for tests and small tools: its keys,
// and with them everything sealed under them, are lost with the process. The
// zero MemoryVault is empty and ready for use. It must not be copied.
type MemoryVault struct {
	mu    sync.Mutex
	byID  map[KeyID]KeyDocument
	names map[string]KeyID
}

var _ KeyVault = (*MemoryVault)(nil)

// Get implements KeyVault.
func (m *MemoryVault) Get(ctx context.Context, id KeyID) (KeyDocument, error) {
	const op = "csfle.memory.get"
	if err := ended(ctx, op); err != nil {
		return KeyDocument{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	doc, ok := m.byID[id]
	if !ok {
		return KeyDocument{}, noKey(op, id.String())
	}
	return doc.Clone(), nil
}

// GetByAltName implements KeyVault.
func (m *MemoryVault) GetByAltName(ctx context.Context, name string) (KeyDocument, error) {
	const op = "csfle.memory.get"
	if err := ended(ctx, op); err != nil {
		return KeyDocument{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	id, ok := m.names[name]
	if !ok {
		return KeyDocument{}, noKey(op, name)
	}
	return m.byID[id].Clone(), nil
}

// Insert implements KeyVault.
func (m *MemoryVault) Insert(ctx context.Context, doc KeyDocument) error {
	const op = "csfle.memory.insert"
	if err := ended(ctx, op); err != nil {
		return err
	}
	name, err := doc.AltName()
	if err != nil {
		return err
	}
	stored, err := throughBSON(doc)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	_, idTaken := m.byID[doc.ID]
	_, nameTaken := m.names[name]
	if idTaken || nameTaken {
		return errs.New(errs.AlreadyExists, op, "a data key with this id or name exists")
	}
	if m.byID == nil {
		m.byID, m.names = map[KeyID]KeyDocument{}, map[string]KeyID{}
	}
	m.byID[doc.ID], m.names[name] = stored, doc.ID
	return nil
}

// Replace implements KeyVault.
func (m *MemoryVault) Replace(ctx context.Context, old []byte, doc KeyDocument) error {
	const op = "csfle.memory.replace"
	if err := ended(ctx, op); err != nil {
		return err
	}
	next, err := throughBSON(doc)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	stored, ok := m.byID[doc.ID]
	if !ok {
		return noKey(op, doc.ID.String())
	}
	if !bytes.Equal(stored.KeyMaterial, old) {
		return errs.New(errs.Conflict, op, "the data key was wrapped anew by somebody else")
	}
	stored.KeyMaterial, stored.MasterKey, stored.UpdateDate = next.KeyMaterial, next.MasterKey, next.UpdateDate
	m.byID[doc.ID] = stored
	return nil
}

// Delete implements KeyVault.
func (m *MemoryVault) Delete(ctx context.Context, id KeyID) error {
	const op = "csfle.memory.delete"
	if err := ended(ctx, op); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	doc, ok := m.byID[id]
	if !ok {
		return noKey(op, id.String())
	}
	delete(m.byID, id)
	delete(m.names, doc.AltNames[0])
	return nil
}

// List implements KeyVault.
func (m *MemoryVault) List(ctx context.Context, prefix, after string, limit int) ([]KeyDocument, error) {
	const op = "csfle.memory.list"
	if err := ended(ctx, op); err != nil {
		return nil, err
	}
	if limit < 1 {
		return nil, errs.New(errs.Invalid, op, "a page must hold at least one key")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var page []KeyDocument
	for name, id := range m.names {
		if strings.HasPrefix(name, prefix) && name > after {
			page = append(page, m.byID[id].Clone())
		}
	}
	slices.SortFunc(page, func(a, b KeyDocument) int { return cmp.Compare(a.AltNames[0], b.AltNames[0]) })
	return page[:min(limit, len(page))], nil
}

// throughBSON returns what a store would read back: checked, and cut to milliseconds.
func throughBSON(doc KeyDocument) (KeyDocument, error) {
	b, err := doc.MarshalBSON()
	if err != nil {
		return KeyDocument{}, err
	}
	return ParseKeyDocument(b)
}
