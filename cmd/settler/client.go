package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
)

// maxAnswer bounds an answer of the API in bytes.
const maxAnswer = 64 << 20

// apiAccess are the flags of every command that speaks to a running settler.
type apiAccess struct {
	URL string `env:"SETTLER_API_URL" default:"http://127.0.0.1:8080" help:"Where settler serves its API."`
	Key string `env:"SETTLER_API_KEY" placeholder:"KEY" help:"An API key, or a token of the issuer; better in the environment, where ps does not show it."`
}

// apiFlags are those of a command that shows the answer.
type apiFlags struct {
	apiAccess

	Output string `short:"o" enum:"table,json" default:"table" help:"table, or json: the API's own answer."`
}

// call is one request to the API.
type call struct {
	method, path string
	query        url.Values
	body         any       // encoded as JSON
	raw          io.Reader // or as it is, of
	mediaType    string
	version      string // If-Match
	key          string // Idempotency-Key
}

// lostError is that of a call which may have been carried out all the same.
type lostError struct{ error }

func (e lostError) Unwrap() error { return e.error }

// send makes the call and returns the answer's body as it came. The error of a refusal holds the problem's code, words and
// broken rules; that of a write whose outcome is unknown says how to repeat it.
func (f apiAccess) send(ctx context.Context, c call) (answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	res, err := f.ask(ctx, c)
	if err == nil {
		defer func() { _ = res.Body.Close() }() // nothing is lost with it
		if answer, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer)); err != nil {
			err = lostError{fmt.Errorf("read answer: %w", err)}
		}
	}
	if _, lost := errors.AsType[lostError](err); lost && c.key != "" {
		err = fmt.Errorf("%w. It may have been done. The same command with --version %s --idempotency-key %s does it once at most, and tells", err, strings.Trim(c.version, `"`), c.key)
	}
	return answer, err
}

// ask is send for an answer of any size; the caller closes its body.
func (f apiAccess) ask(ctx context.Context, c call) (*http.Response, error) {
	if f.Key == "" {
		return nil, errors.New("no key: set SETTLER_API_KEY, or give --key")
	}
	address, err := url.Parse(f.URL)
	if err != nil || address.Host == "" {
		return nil, fmt.Errorf("--url %q is not a URL", f.URL)
	}
	address = address.JoinPath(c.path)
	address.RawQuery = c.query.Encode()
	body := c.raw
	if c.body != nil {
		text, err := json.Marshal(c.body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body, c.mediaType = bytes.NewReader(text), "application/json"
	}
	req, err := http.NewRequestWithContext(ctx, c.method, address.String(), body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer " + f.Key, "Content-Type": c.mediaType, "If-Match": c.version, "Idempotency-Key": c.key,
	} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		return nil, fmt.Errorf("ask %s: %w", address.Host, err)
	}
	if err != nil {
		return nil, lostError{fmt.Errorf("ask %s: %w", address.Host, err)}
	}
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }() // nothing is lost with it
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, lostError{fmt.Errorf("read answer: %w", err)}
	}
	err = refusal(res.StatusCode, answer)
	if res.StatusCode >= http.StatusInternalServerError {
		err = lostError{err}
	}
	return nil, err
}

// refusal puts a problem document into words.
func refusal(status int, answer []byte) error {
	var p struct {
		Code, Title, Detail string
		RequestID           string `json:"request_id"`
		Errors              []struct{ Location, Message string }
	}
	if err := json.Unmarshal(answer, &p); err != nil || p.Code == "" {
		return fmt.Errorf("the API answers %d", status)
	}
	text := p.Code + ": " + p.Title
	if p.Detail != "" && p.Detail != p.Title {
		text += ". " + p.Detail
	}
	for _, e := range p.Errors {
		text += fmt.Sprintf("\n  %s: %s", e.Location, e.Message)
	}
	return fmt.Errorf("%s (request %s)", text, p.RequestID)
}

// column is a column of a table: its head, and where its value stands in an item, with dots between the names.
type column struct{ head, path string }

// show writes the answer: as it is, or the items below list as a table, or, without list, one thing with a line for each column.
func (f apiFlags) show(std *streams, answer []byte, list string, columns ...column) error {
	if f.Output == "json" {
		_, err := fmt.Fprintln(std.Out, strings.TrimSpace(string(answer)))
		return err
	}
	var all any
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	if err := decoder.Decode(&all); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	table := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	if list == "" {
		for _, c := range columns {
			if text := cell(all, c.path); text != "" {
				_, _ = fmt.Fprintf(table, "%s\t%s\n", c.head, text) // Flush reports what went wrong
			}
		}
		return table.Flush()
	}
	var line []string
	for _, c := range columns {
		line = append(line, strings.ToUpper(c.head))
	}
	_, _ = fmt.Fprintln(table, strings.Join(line, "\t"))
	items, _ := at(all, list).([]any)
	for _, item := range items {
		line = line[:0]
		for _, c := range columns {
			line = append(line, cell(item, c.path))
		}
		_, _ = fmt.Fprintln(table, strings.Join(line, "\t"))
	}
	if next := cell(all, "next_cursor"); next != "" {
		_, _ = fmt.Fprintf(table, "\nmore with --cursor %s\n", next)
	}
	return table.Flush()
}

// at is the value at the path, nil for none.
func at(value any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

// cell is the value at the path for people. Control characters, which others may have written, do not reach the terminal.
func cell(value any, path string) string {
	switch v := at(value, path).(type) {
	case nil:
		return ""
	case []any:
		texts := make([]string, len(v))
		for i, each := range v {
			texts[i] = plainCell(fmt.Sprint(each))
		}
		return strings.Join(texts, ",")
	default:
		return plainCell(fmt.Sprint(v))
	}
}

func plainCell(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

// paymentPath is the place of a payment in the API.
func paymentPath(id string) string { return "/v1/payments/" + url.PathEscape(id) }

// versionOf asks for the payment's version, as If-Match wants it.
func (f apiAccess) versionOf(ctx context.Context, id string) (string, error) {
	answer, err := f.send(ctx, call{method: http.MethodGet, path: paymentPath(id)})
	if err != nil {
		return "", err
	}
	var p struct{ Version int64 }
	if err := json.Unmarshal(answer, &p); err != nil {
		return "", fmt.Errorf("read payment: %w", err)
	}
	return fmt.Sprintf("%q", fmt.Sprint(p.Version)), nil
}

// newKey is an Idempotency-Key that nobody else has.
func newKey() string { return uuid.NewString() }
