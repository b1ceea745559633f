package orchestration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// item reads {"item": object}.
func item[T any](a answer) (T, error) {
	var value T
	text, err := a.member("item")
	if err == nil && string(text) == "null" {
		err = shapeError("item", "is null")
	}
	if err == nil {
		err = decodeValid(text, &value, "item")
	}
	return value, err
}

// maybeItem reads {"item": object or null}.
func maybeItem[T any](a answer) (*T, error) {
	text, err := a.member("item")
	if err != nil || string(text) == "null" {
		return nil, err
	}
	value := new(T)
	return value, decodeValid(text, value, "item")
}

// list reads {"items": array, "nextCursor": string or null}.
func list[T any](a answer) (List[T], error) {
	text, err := a.member("items")
	if err == nil && string(text) == "null" {
		err = shapeError("items", "is null")
	}
	if err != nil {
		return List[T]{}, err
	}
	// Two steps, so that the cursor of a page is read before its items.
	var end struct {
		NextCursor *string `json:"nextCursor"`
	}
	if err := decodeValid(a.body, &end, ""); err != nil {
		return List[T]{}, err
	}
	page := List[T]{NextCursor: end.NextCursor}
	return page, decodeValid(text, &page.Items, "items")
}

// items reads a list that has no pages.
func items[T any](a answer) ([]T, error) {
	page, err := list[T](a)
	return page.Items, err
}

// bare reads an answer without an envelope.
func bare[T any](a answer) (T, error) {
	var value T
	err := a.valid()
	if err == nil {
		err = decodeValid(a.body, &value, "")
	}
	return value, err
}

// valid reports whether there is JSON to decode.
func (a answer) valid() error {
	if a.status == http.StatusNoContent {
		return shapeError("", "is missing (204)")
	}
	if !json.Valid(a.body) {
		return &APIError{Code: CodeBadResponse, Status: a.status, Message: "the answer is not JSON"}
	}
	if string(a.body) == "null" {
		return &APIError{Code: CodeBadResponse, Status: a.status, Message: "the answer is null"}
	}
	return nil
}

// member is the text of one member of the answer's envelope.
func (a answer) member(name string) ([]byte, error) {
	if err := a.valid(); err != nil {
		return nil, err
	}
	if a.body[0] != '{' {
		return nil, shapeError("", "is not an object")
	}
	for each := members(a.body); each.next(); {
		if unquote(each.name) == name {
			return each.value, nil
		}
	}
	return nil, shapeError(name, "is missing")
}

// nothing takes 204, or any JSON: a page of somebody in between is no success.
func nothing(a answer) (struct{}, error) {
	if a.status == http.StatusNoContent {
		return struct{}{}, nil
	}
	return struct{}{}, a.valid()
}

// shapeError says what is wrong with an answer, and where: "item.id: missing".
func shapeError(path, problem string) *APIError {
	if path == "" {
		path = "answer"
	}
	return &APIError{Code: CodeInvalidResponseShape, Message: path + ": " + problem}
}

// refusal is the error of an answer that is not a success: the envelope
// {"error": {code, message, details?}}, the flat {code, message}, or anything
// else as CodeBadResponse.
func (c *Client) refusal(r request, res *http.Response, text []byte) *APIError {
	bad := &APIError{
		Code: CodeBadResponse, Status: res.StatusCode, op: r.op(),
		RequestID: oneLine(res.Header.Get("X-Request-Id"), 100),
	}
	switch {
	case len(text) > maxAnswer:
		bad.Message = fmt.Sprintf("the answer is longer than %d MiB", maxAnswer>>20)
		return bad
	case res.StatusCode < 400:
		bad.Message = "redirects are not followed"
		return bad
	}
	bad.Message = "the answer is not an error envelope"
	var envelope struct {
		Error json.RawMessage `json:"error"`
	}
	body := text
	if json.Unmarshal(text, &envelope) == nil && envelope.Error != nil {
		body = envelope.Error
	}
	var said struct {
		Code    *string         `json:"code"`
		Message *string         `json:"message"`
		Details json.RawMessage `json:"details"`
	}
	if json.Unmarshal(body, &said) != nil || said.Code == nil || said.Message == nil {
		return bad
	}
	bad.Code = Code(oneLine(c.hide(r, *said.Code), 100))
	bad.Message = oneLine(c.hide(r, *said.Message), 500)
	if !bytes.Equal(said.Details, []byte("null")) {
		bad.Details = c.hideDetails(r, said.Details)
	}
	return bad
}

// hide takes our own secrets, which a careless server may repeat, and peaqos-p2p
// addresses, which give access, out of text.
func (c *Client) hide(r request, text string) string {
	for _, secret := range []Secret{c.key, r.token} {
		if secret != "" {
			text = strings.ReplaceAll(text, string(secret), redacted)
		}
	}
	const scheme = "peaqos-p2p://"
	for from := 0; ; {
		at := strings.Index(text[from:], scheme)
		if at < 0 {
			return text
		}
		end := from + at + len(scheme)
		if length := strings.IndexAny(text[end:], " \t\r\n"); length >= 0 {
			end += length
		} else {
			end = len(text)
		}
		text = text[:from+at] + redacted + text[end:]
		from += at + len(redacted)
	}
}

// hideDetails does the same at any depth of JSON, and hides whole values whose
// key sounds like a secret.
func (c *Client) hideDetails(r request, details json.RawMessage) json.RawMessage {
	if len(details) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(details))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return nil // impossible: details were decoded from valid JSON
	}
	safe, err := json.Marshal(c.hideValue(r, "", value))
	if err != nil {
		return nil // impossible: the value came from JSON
	}
	return safe
}

func (c *Client) hideValue(r request, inside string, value any) any {
	switch value := value.(type) {
	case string:
		return c.hide(r, value)
	case []any:
		for i := range value {
			value[i] = c.hideValue(r, inside, value[i])
		}
	case map[string]any:
		for key := range value {
			if secretKey(key) || inside == "connect" && key == "url" {
				value[key] = redacted
			} else {
				value[key] = c.hideValue(r, key, value[key])
			}
		}
	}
	return value
}

// secretKey is the SDK's rule (contract, 11.2) less the keys of token addresses,
// which it hides by accident.
func secretKey(key string) bool {
	key = strings.ToLower(strings.ReplaceAll(key, "_", ""))
	switch key {
	case "tokenaddress", "tokenmint", "tokendecimals", "providerkey", "skillkey", "skillkeys":
		return false
	}
	for _, word := range []string{"token", "key", "secret", "password", "credential", "auth"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}

// oneLine makes text of a server fit for a log: no control characters, bounded
// length in bytes.
func oneLine(text string, limit int) string {
	text = strings.Map(func(char rune) rune {
		if char < ' ' || char == 0x7f {
			return ' '
		}
		return char
	}, text)
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}
