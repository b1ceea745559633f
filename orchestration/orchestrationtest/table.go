package orchestrationtest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"sort"
	"strconv"
)

// table keeps rows under ids in the order in which they came. The server's lock
// guards it. What changes goes into the journal's open batch.
type table[T any] struct {
	name    string
	journal *journal
	rows    map[string]*entry[T] // id → entry
	entries []*entry[T]          // by seq, those that are gone included
	last    uint64               // seq of the newest entry
	gone    int
}

type entry[T any] struct {
	seq  uint64
	id   string
	row  T
	gone bool
}

func newTable[T any](s *Server, name string) *table[T] {
	t := &table[T]{name: name, journal: s.journal, rows: map[string]*entry[T]{}}
	s.journal.tables[name] = t
	return t
}

// newCatalogue is a table of what the configuration says; nothing keeps it.
func newCatalogue[T any](rows []T, id func(T) string) *table[T] {
	t := &table[T]{journal: &journal{}, rows: map[string]*entry[T]{}}
	for _, row := range rows {
		t.put(id(row), row)
	}
	return t
}

func (t *table[T]) get(id string) (row T, ok bool) {
	e, ok := t.rows[id]
	if ok {
		row = e.row
	}
	return row, ok
}

func (t *table[T]) put(id string, row T) {
	e, ok := t.rows[id]
	if !ok {
		t.last++
		e = &entry[T]{seq: t.last, id: id}
		t.rows[id] = e
		t.entries = append(t.entries, e)
	}
	e.row = row
	t.journal.put(t.name, e.seq, id, row)
}

func (t *table[T]) drop(id string) {
	e, ok := t.rows[id]
	if !ok {
		return
	}
	delete(t.rows, id)
	e.gone = true
	if t.gone++; t.gone > 64 && t.gone > len(t.entries)/2 {
		t.entries = slices.DeleteFunc(t.entries, func(e *entry[T]) bool { return e.gone })
		t.gone = 0
	}
	t.journal.put(t.name, e.seq, id, nil)
}

// load is put or drop of a record of the journal.
func (t *table[T]) load(r record) error {
	if r.Row == nil {
		t.drop(r.ID)
		return nil
	}
	var row T
	if err := json.Unmarshal(r.Row, &row); err != nil {
		return err
	}
	t.last = max(t.last, r.Seq-1)
	t.put(r.ID, row)
	return nil
}

// dump yields the rows as records, oldest first.
func (t *table[T]) dump(yield func(seq uint64, id string, row any)) {
	for _, e := range t.entries {
		if !e.gone {
			yield(e.seq, e.id, e.row)
		}
	}
}

// all are the rows, oldest first, that keep accepts.
func (t *table[T]) all(keep func(T) bool) []T {
	rows := []T{}
	for _, e := range t.entries {
		if !e.gone && keep(e.row) {
			rows = append(rows, e.row)
		}
	}
	return rows
}

// cursor is what a list's cursor holds: base64url of its JSON. The entries after
// it are still to come, so it lives as long as the data.
type cursor struct {
	Version int    `json:"v"`
	After   uint64 `json:"after"`
}

// limitOf reads limit: 1..500, 100 when absent.
func limitOf(c *call) (int, error) {
	text := c.URL.Query().Get("limit")
	if text == "" {
		return 100, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > 500 {
		return 0, invalid("limit", "limit must be an integer between 1 and 500")
	}
	return limit, nil
}

// page answers the rows that keep accepts, as far as limit and cursor ask.
func page[T, W any](s *Server, c *call, t *table[T], keep func(T) bool, wire func(T) W) (answer, error) {
	limit, err := limitOf(c)
	if err != nil {
		return answer{}, err
	}
	at := cursor{Version: 1}
	started := c.URL.Query().Has("cursor")
	if started {
		text, err := base64.RawURLEncoding.DecodeString(c.URL.Query().Get("cursor"))
		if err != nil || json.Unmarshal(text, &at) != nil || at.Version != 1 {
			return answer{}, invalid("cursor", "cursor is not one of ours")
		}
	}
	items, next := []W{}, (*string)(nil)
	visit := func(e *entry[T]) (more bool) {
		if e.gone || !keep(e.row) {
			return true
		}
		if len(items) == limit {
			text, err := json.Marshal(at)
			if err != nil {
				return false // impossible: two numbers
			}
			encoded := base64.RawURLEncoding.EncodeToString(text)
			next = &encoded
			return false
		}
		at.After = e.seq
		items = append(items, wire(e.row))
		return true
	}
	if s.cfg.NewestFirst {
		end := len(t.entries)
		if started {
			end = sort.Search(end, func(i int) bool { return t.entries[i].seq >= at.After })
		}
		for i := end - 1; i >= 0 && visit(t.entries[i]); i-- {
		}
	} else {
		from := sort.Search(len(t.entries), func(i int) bool { return t.entries[i].seq > at.After })
		for i := from; i < len(t.entries) && visit(t.entries[i]); i++ {
		}
	}
	return answer{status: http.StatusOK, body: map[string]any{"items": items, "nextCursor": next}}, nil
}

// same is for lists that show rows as they are kept.
func same[T any](row T) T { return row }

// whole answers a list that has no cursor.
func whole[T any](rows []T) answer {
	return answer{status: http.StatusOK, body: map[string]any{"items": rows, "nextCursor": nil}}
}
