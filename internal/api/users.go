package api

import (
	"net/http"

	"mooring/internal/access"
)

func userRoutes() []route {
	return tagged("Users",
		op(http.MethodPost, "/v1/organizations/users", "create_user", "Add a user, who then can be given keys", access.Admin, (*call).createUser),
		op(http.MethodGet, "/v1/organizations/users", "list_users", "List the users, newest first", access.Admin, (*call).listUsers),
	)
}

type userResponse struct {
	UserID     string `json:"user_id"`
	InternalID string `json:"internal_id"`
	Email      string `json:"email"`
	Name       string `json:"name"`
	CreatedAt  stamp  `json:"created_at"`
	UpdatedAt  stamp  `json:"updated_at"`
}

func userModel(u access.User) userResponse {
	return userResponse{string(u.ID), string(u.Org), u.Email, u.Name, at(u.CreatedAt), at(u.UpdatedAt)}
}

type userCreateRequest struct {
	Email string  `json:"email" maxLength:"254"`
	Name  *string `json:"name,omitempty" maxLength:"100"`
}

func (c *call) createUser(_ none, r userCreateRequest) (out userResponse, err error) {
	if err := c.covers(access.OfOrganization(c.org())); err != nil {
		return out, err
	}
	name := ""
	if r.Name != nil {
		name = *r.Name
	}
	u, err := c.Access.CreateUser(c.ctx(), c.org(), c.actor, r.Email, name)
	return userModel(u), err
}

type userListResponse struct {
	Results    []userResponse `json:"results"`
	Pagination pagination     `json:"pagination"`
}

func (c *call) listUsers(p paging, _ none) (out userListResponse, err error) {
	if err := c.covers(access.OfOrganization(c.org())); err != nil {
		return out, err
	}
	found, err := c.Store.Users().List(c.ctx(), c.org(), p.page())
	out = userListResponse{Results: make([]userResponse, len(found.Items)), Pagination: p.answer(found.Next, -1)}
	for i, u := range found.Items {
		out.Results[i] = userModel(u)
	}
	return out, err
}
