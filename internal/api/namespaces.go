package api

import (
	"context"
	"net/http"

	"mooring/internal/access"
	"mooring/internal/store"
	"mooring/internal/surface"
)

func namespaceRoutes() []route {
	return tagged("Namespaces",
		op(http.MethodPost, "/v1/namespaces", "create_namespace", "Make a namespace", access.Admin, (*call).createNamespace),
		op(http.MethodGet, "/v1/namespaces", "list_namespaces", "List the namespaces, newest first", access.Read, (*call).listNamespaces),
	)
}

type namespaceResponse struct {
	NamespaceID   string `json:"namespace_id"`
	NamespaceName string `json:"namespace_name"`
	InternalID    string `json:"internal_id"`
	CreatedAt     stamp  `json:"created_at"`
	UpdatedAt     stamp  `json:"updated_at"`
}

func namespaceModel(n access.Namespace) namespaceResponse {
	return namespaceResponse{string(n.ID), n.Name, string(n.Org), at(n.CreatedAt), at(n.UpdatedAt)}
}

type namespaceCreateRequest struct {
	NamespaceName string `json:"namespace_name" alias:"name"`
}

func (c *call) createNamespace(_ none, r namespaceCreateRequest) (out namespaceResponse, err error) {
	if err := c.covers(access.OfNamespace(c.org(), "")); err != nil {
		return out, err
	}
	n, err := c.Access.CreateNamespace(c.ctx(), c.org(), c.actor, r.NamespaceName)
	return namespaceModel(n), err
}

type namespaceListResponse struct {
	Results    []namespaceResponse `json:"results"`
	Pagination pagination          `json:"pagination"`
	Total      int64               `json:"total"`
}

// namespacesCounted bounds a count: there are never so many.
const namespacesCounted = 100_000

func (c *call) listNamespaces(p paging, _ none) (out namespaceListResponse, err error) {
	found, total, err := surface.List(c.ctx(), c.who, p.page(), surface.Source[access.Namespace]{
		List: func(ctx context.Context, p store.Page) (store.List[access.Namespace], error) {
			return c.Store.Namespaces().List(ctx, c.org(), p)
		},
		Count: func(ctx context.Context) (int64, error) {
			l, err := all(ctx, namespacesCounted, func(ctx context.Context, p store.Page) (store.List[access.Namespace], error) {
				return c.Store.Namespaces().List(ctx, c.org(), p)
			})
			return int64(len(l)), err
		},
		Resource: func(n access.Namespace) access.Resource { return access.OfNamespace(c.org(), n.ID) },
		Position: func(n access.Namespace) surface.Position {
			return surface.Position{Created: n.CreatedAt, ID: string(n.ID)}
		},
	})
	out = namespaceListResponse{Results: make([]namespaceResponse, len(found.Items)), Pagination: p.answer(found.Next, total), Total: total}
	for i, n := range found.Items {
		out.Results[i] = namespaceModel(n)
	}
	return out, err
}
