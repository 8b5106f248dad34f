// Package docs holds the pages for users and operators. Its tests hold what the
// pages say against the code.
package docs
