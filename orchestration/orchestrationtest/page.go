package orchestrationtest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
)

// position is what a cursor holds: base64url of its JSON.
type position struct {
	Version int `json:"v"`
	Offset  int `json:"offset"`
}

// page answers the part of rows that limit (1..500, 100) and cursor ask for.
func page[T any](c *call, rows []T) (answer, error) {
	query, limit, at := c.URL.Query(), 100, position{Version: 1}
	if text := query.Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 500 {
			return answer{}, invalid("limit must be an integer between 1 and 500")
		}
	}
	if query.Has("cursor") {
		text, err := base64.RawURLEncoding.DecodeString(query.Get("cursor"))
		if err != nil || json.Unmarshal(text, &at) != nil || at.Version != 1 || at.Offset < 0 {
			return answer{}, invalid("cursor is not one of ours")
		}
	}
	from := min(at.Offset, len(rows))
	to := min(from+limit, len(rows))
	body := map[string]any{"items": append([]T{}, rows[from:to]...), "nextCursor": nil}
	if to < len(rows) {
		text, err := json.Marshal(position{1, to})
		if err != nil {
			return answer{}, err
		}
		body["nextCursor"] = base64.RawURLEncoding.EncodeToString(text)
	}
	return answer{status: http.StatusOK, body: body}, nil
}

// all are the rows in the order of insertion that keep accepts.
func (t *table[T]) all(keep func(T) bool) []T {
	rows := []T{}
	for _, id := range t.ids {
		if row := t.rows[id]; keep(row) {
			rows = append(rows, row)
		}
	}
	return rows
}
