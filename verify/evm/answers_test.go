package evm

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// answerResult answers the question about first with result.
func answerResult(method, first string, result any) func(http.ResponseWriter, question) bool {
	return func(w http.ResponseWriter, q question) bool {
		if q.Method != method || q.text(0) != first {
			return false
		}
		return json.NewEncoder(w).Encode(fields{"jsonrpc": "2.0", "id": q.ID, "result": result}) == nil
	}
}

func answerNull(method, first string) func(http.ResponseWriter, question) bool {
	return answerResult(method, first, nil)
}

// answerRaw answers every question with that method with a body as it is, but for ID, which becomes the question's.
func answerRaw(method string, status int, body string) func(http.ResponseWriter, question) bool {
	return func(w http.ResponseWriter, q question) bool {
		if q.Method != method {
			return false
		}
		w.WriteHeader(status)
		_, err := io.WriteString(w, strings.ReplaceAll(body, "ID", string(q.ID)))
		return err == nil
	}
}
