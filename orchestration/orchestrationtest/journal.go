package orchestrationtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// JournalName is the file in a data directory that holds the state: a line for
// each call that changed something, each line a JSON array of records.
const JournalName = "orchestrator.jsonl"

// record is one changed row. A row that is absent was dropped.
type record struct {
	Table string          `json:"t"`
	Seq   uint64          `json:"n"`
	ID    string          `json:"id"`
	Row   json.RawMessage `json:"row,omitempty"`
}

// loader is a table, whatever its rows.
type loader interface {
	load(record) error
	dump(func(seq uint64, id string, row any))
}

// journal makes state durable. A call's changes are one line, so a crash leaves
// all of them or none; the call is answered after its line is on disk. Without a
// file it keeps nothing.
type journal struct {
	tables map[string]loader // name → table
	file   *os.File          // nil in memory and while loading

	batch   []record      // of the call that holds the server's lock
	written atomic.Uint64 // lines

	syncing sync.Mutex // owns what follows
	synced  uint64     // lines on disk
	broken  error      // the first failure; nothing is written after it
}

func (j *journal) put(table string, seq uint64, id string, row any) {
	if j.file == nil {
		return
	}
	r := record{Table: table, Seq: seq, ID: id}
	if row != nil {
		text, err := json.Marshal(row)
		if err != nil {
			j.fail(fmt.Errorf("encode %s %s: %w", table, id, err))
			return
		}
		r.Row = text
	}
	j.batch = append(j.batch, r)
}

func (j *journal) fail(err error) {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if j.broken == nil {
		j.broken = err
	}
}

// close writes the batch as one line and returns its number, for sync. Caller
// holds the server's lock.
func (j *journal) close() uint64 {
	if len(j.batch) == 0 {
		return 0
	}
	line, err := json.Marshal(j.batch)
	j.batch = j.batch[:0]
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err != nil {
		j.fail(fmt.Errorf("write journal: %w", err))
	}
	return j.written.Add(1)
}

// sync returns once the line is on disk. Those who come while another waits for
// the disk share the next turn.
func (j *journal) sync(line uint64) error {
	if line == 0 {
		return nil
	}
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if j.broken == nil && j.synced < line {
		covered := j.written.Load()
		if err := j.file.Sync(); err != nil {
			j.broken = fmt.Errorf("sync journal: %w", err)
		}
		j.synced = covered
	}
	return j.broken
}

// open loads the directory's journal, writes what is left of it to a new file
// in its place, and keeps that open.
func (j *journal) open(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	path := filepath.Join(dir, JournalName)
	if err := j.read(path); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if err := j.rewrite(path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	j.file = file
	return nil
}

// read applies each line. A last line without its end was never answered: a
// crash cut it off.
func (j *journal) read(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	lines := bufio.NewReaderSize(file, 1<<16)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var batch []record
		if err := json.Unmarshal(line, &batch); err != nil {
			return fmt.Errorf("line %d: %w; nothing was changed, restore the file or remove it", number, err)
		}
		for _, r := range batch {
			t, ok := j.tables[r.Table]
			if !ok {
				return fmt.Errorf("line %d: no table %q: the file is of another version", number, r.Table)
			}
			if err := t.load(r); err != nil {
				return fmt.Errorf("line %d: %s %s: %w", number, r.Table, r.ID, err)
			}
		}
	}
}

// rewrite puts a file with the rows that there are in place of path. A crash
// leaves the old one or the new one.
func (j *journal) rewrite(path string) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), JournalName+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = file.Close() // the error says why; the file goes
			_ = os.Remove(file.Name())
		}
	}()
	var text bytes.Buffer
	for name, t := range j.tables {
		t.dump(func(seq uint64, id string, row any) {
			encoded, failed := json.Marshal(row)
			if failed == nil {
				encoded, failed = json.Marshal([]record{{name, seq, id, encoded}})
			}
			if failed != nil {
				err = failed
			}
			text.Write(append(encoded, '\n'))
		})
	}
	if err != nil {
		return err
	}
	if _, err = file.Write(text.Bytes()); err != nil {
		return err
	}
	if err = file.Sync(); err != nil {
		return err
	}
	if err = file.Close(); err != nil {
		return err
	}
	if err = os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename durable, where the system lets a directory be synced.
func syncDir(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	if err := file.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, os.ErrInvalid) && !errors.Is(err, os.ErrPermission) {
		return err
	}
	return nil
}

func (j *journal) end() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}
