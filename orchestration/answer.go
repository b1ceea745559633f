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
	got, err := maybeItem[T](a)
	if err == nil && got == nil {
		err = shapeError("item", "is null")
	}
	if err != nil {
		return value, err
	}
	return *got, nil
}

// maybeItem reads {"item": object or null}.
func maybeItem[T any](a answer) (*T, error) {
	envelope, err := bare[struct {
		Item json.RawMessage `json:"item" wire:"required"`
	}](a)
	if err != nil || envelope.Item == nil {
		return nil, err
	}
	var value T
	return &value, decodeValid(envelope.Item, &value, "item")
}

// list reads {"items": array, "nextCursor": string or null}.
func list[T any](a answer) (List[T], error) {
	envelope, err := bare[struct {
		Items      json.RawMessage `json:"items" wire:"required"`
		NextCursor *string         `json:"nextCursor"`
	}](a)
	if err != nil {
		return List[T]{}, err
	}
	if envelope.Items == nil {
		return List[T]{}, shapeError("items", "is null")
	}
	page := List[T]{NextCursor: envelope.NextCursor}
	return page, decodeValid(envelope.Items, &page.Items, "items")
}

// bare reads an answer without an envelope.
func bare[T any](a answer) (T, error) {
	var value T
	if a.status == http.StatusNoContent {
		return value, shapeError("", "is missing (204)")
	}
	if !json.Valid(a.body) {
		return value, &APIError{Code: CodeBadResponse, Status: a.status, Message: "the answer is not JSON"}
	}
	return value, decodeValid(a.body, &value, "")
}

// nothing takes any answer below 400 whatever its body.
func nothing(answer) (struct{}, error) { return struct{}{}, nil }

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
	if json.Unmarshal(body, &said) != nil || said.Code == nil || *said.Code == "" || said.Message == nil {
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
	safe, err := json.Marshal(c.hideValue(r, value))
	if err != nil {
		return nil // impossible: the value came from JSON
	}
	return safe
}

func (c *Client) hideValue(r request, value any) any {
	switch value := value.(type) {
	case string:
		return c.hide(r, value)
	case []any:
		for i := range value {
			value[i] = c.hideValue(r, value[i])
		}
	case map[string]any:
		for key := range value {
			if secretKey(key) {
				value[key] = redacted
			} else {
				value[key] = c.hideValue(r, value[key])
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
