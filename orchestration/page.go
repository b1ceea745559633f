package orchestration

import (
	"context"
	"fmt"
	"iter"
	"strconv"
)

// Page asks for one page of a list. The zero value is the first page of the
// server's default length (100).
type Page struct {
	// Limit is 1..500; 0 leaves it to the server.
	Limit int
	// Cursor is NextCursor of the page before; nil for the first page.
	Cursor *string
}

// List is one page. NextCursor is nil on the last one; an empty string is a
// cursor like any other.
type List[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"nextCursor"`
}

// param is one query parameter; they are sent in order.
type param struct{ name, value string }

// params are the query parameters of a page, after the filters of its list.
func (p Page) params() []param {
	var query []param
	if p.Limit != 0 {
		query = append(query, param{"limit", strconv.Itoa(p.Limit)})
	}
	if p.Cursor != nil {
		query = append(query, param{"cursor", *p.Cursor})
	}
	return query
}

// all walks the pages of a list from page on, one request at a time. Empty
// pages are passed over. A cursor that was followed before would never end: it is
// an error. After an error the walk is over.
func all[T any](ctx context.Context, page Page, fetch func(context.Context, Page) (List[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		page := page
		followed := map[string]bool{}
		if page.Cursor != nil {
			followed[*page.Cursor] = true
		}
		var none T
		for {
			list, err := fetch(ctx, page)
			if err != nil {
				yield(none, err)
				return
			}
			for _, each := range list.Items {
				if !yield(each, nil) {
					return
				}
			}
			if list.NextCursor == nil {
				return
			}
			page.Cursor = list.NextCursor
			if followed[*page.Cursor] {
				yield(none, &APIError{
					Code: CodeInvalidResponseShape, op: "list",
					Message: fmt.Sprintf("nextCursor: is %q, which was followed before", oneLine(*page.Cursor, 100)),
				})
				return
			}
			followed[*page.Cursor] = true
		}
	}
}
