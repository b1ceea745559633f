package orchestration_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/settler-pay/settler/orchestration"
)

// TestAnnouncedCalls looks at what is sent by calls that no SDK has, and at what
// is made of either likely answer.
func TestAnnouncedCalls(t *testing.T) {
	t.Parallel()
	const tok = "TOKEN"
	data := map[string]any{"snake_key": 1}
	order := `{"id":"ord_1","machineId":"m","agentPairingId":"p","serviceId":"s","skillKey":"k","providerKey":"p","serviceType":"t",` +
		`"operation":"o","executionMode":"native","integrationStatus":"native","status":"cancelled","payment":{"defaultRail":"wallet","required":true},` +
		`"createdAt":"c","updatedAt":"u"}`
	policy := `{"item":{"id":"pol_1","name":"n","nativeOnly":false,"handoffAllowed":true,"createdAt":"c","updatedAt":"u"}}`
	type client = *orchestration.Client
	for _, test := range []struct {
		want   string // method, path, whether with the token, body
		answer string
		call   func(context.Context, client) (any, error)
		got    string // part of the answer, as Go prints it
	}{
		{"GET /policies/pol_1 false ", policy, func(ctx context.Context, c client) (any, error) { return c.GetPolicy(ctx, "pol_1") }, "pol_1"},
		{`POST /market/orders/ord_1/cancel true {"reason":"late"}`, `{"item":` + order + `}`, func(ctx context.Context, c client) (any, error) {
			return c.CancelMarketOrder(ctx, tok, "ord_1", orchestration.ReasonRequest{Reason: "late"})
		}, "cancelled"},
		{`POST /market/orders/ord_1/cancel true {}`, `{"order":` + order + `,"payment":null}`, func(ctx context.Context, c client) (any, error) {
			return c.CancelMarketOrder(ctx, tok, "ord_1", orchestration.ReasonRequest{})
		}, "cancelled"},
		{`POST /market/orders/ord_1/retry true {}`, `{"item":` + order + `}`, func(ctx context.Context, c client) (any, error) {
			return c.RetryMarketOrder(ctx, tok, "ord_1", orchestration.ReasonRequest{})
		}, "ord_1"},
		{
			"GET /market/orders/ord_1/events false ", `{"items":[{"id":"e1","orderId":"ord_1","type":"t","payload":{"a_b":1},"createdAt":"c"}]}`,
			func(ctx context.Context, c client) (any, error) { return c.ListMarketOrderEvents(ctx, "ord_1") }, "a_b",
		},
		{
			"GET /runs?limit=2&cursor=x false ", `{"items":[{"id":"run_1","status":"completed"}]}`,
			func(ctx context.Context, c client) (any, error) {
				return c.ListRuns(ctx, orchestration.Page{Limit: 2, Cursor: new("x")})
			}, "run_1",
		},
		{"GET /runs/run_1 false ", `{"item":{"id":"run_1","status":"failed"}}`, func(ctx context.Context, c client) (any, error) { return c.GetRun(ctx, "run_1") }, "failed"},
		{`POST /tasks true {"snake_key":1}`, `{"item":{"id":"task_1"}}`, func(ctx context.Context, c client) (any, error) { return c.CreateTask(ctx, tok, data) }, "task_1"},
		{`POST /tasks/task_1/discover true {}`, `{"id":"task_1"}`, func(ctx context.Context, c client) (any, error) { return c.DiscoverTask(ctx, tok, "task_1", nil) }, "task_1"},
		{`POST /tasks/task_1/resolve true {"snake_key":1}`, `{"id":"task_1"}`, func(ctx context.Context, c client) (any, error) { return c.ResolveTask(ctx, tok, "task_1", data) }, "task_1"},
		{`POST /tasks/task_1/execute true {"snake_key":1}`, `{"id":"task_1"}`, func(ctx context.Context, c client) (any, error) { return c.ExecuteTask(ctx, tok, "task_1", data) }, "task_1"},
		{"GET /tasks/task_1 false ", `{"item":{"id":"task_1"}}`, func(ctx context.Context, c client) (any, error) { return c.GetTask(ctx, "task_1") }, "task_1"},
		{"GET /tasks false ", `{"items":[{"id":"task_1"}]}`, func(ctx context.Context, c client) (any, error) { return c.ListTasks(ctx, orchestration.Page{}) }, "task_1"},
		{"GET /machines/m/graph false ", `{"item":{"nodes":["n1"]}}`, func(ctx context.Context, c client) (any, error) { return c.GetMachineGraph(ctx, "m") }, "n1"},
		{`POST /machines/m/graph/nodes false {"snake_key":1}`, `{"item":{"id":"n1"}}`, func(ctx context.Context, c client) (any, error) { return c.CreateGraphNode(ctx, "m", data) }, "n1"},
		{`PATCH /machines/m/graph/nodes/n1 false {"snake_key":1}`, `{"item":{"id":"n1"}}`, func(ctx context.Context, c client) (any, error) {
			return c.UpdateGraphNode(ctx, "m", "n1", data)
		}, "n1"},
		{"DELETE /machines/m/graph/nodes/n1 false ", "", func(ctx context.Context, c client) (any, error) { return "", c.DeleteGraphNode(ctx, "m", "n1") }, ""},
		{`POST /machines/m/graph/edges false {"snake_key":1}`, `{"item":{"id":"e1"}}`, func(ctx context.Context, c client) (any, error) { return c.CreateGraphEdge(ctx, "m", data) }, "e1"},
		{`PATCH /machines/m/graph/edges/e1 false {"snake_key":1}`, `{"item":{"id":"e1"}}`, func(ctx context.Context, c client) (any, error) {
			return c.UpdateGraphEdge(ctx, "m", "e1", data)
		}, "e1"},
		{"DELETE /machines/m/graph/edges/e1 false ", "", func(ctx context.Context, c client) (any, error) { return "", c.DeleteGraphEdge(ctx, "m", "e1") }, ""},
	} {
		t.Run(test.want, func(t *testing.T) {
			t.Parallel()
			var sent string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				sent = fmt.Sprintf("%s %s %t %s", r.Method, strings.TrimPrefix(r.RequestURI, "/api/v1"), r.Header.Get("X-Agent-Pairing-Token") == tok, body)
				if test.answer == "" {
					w.WriteHeader(http.StatusNoContent)
				}
				_, _ = io.WriteString(w, test.answer)
			}))
			t.Cleanup(server.Close)
			value, err := test.call(t.Context(), clientOf(t, server.URL))
			if sent != test.want {
				t.Errorf("sent %s", sent)
			}
			text, _ := json.Marshal(value)
			if err != nil || !strings.Contains(string(text), test.got) {
				t.Errorf("got %s, %v; want %s", text, err, test.got)
			}
		})
	}
	for _, rows := range []func(context.Context, client) int{
		func(ctx context.Context, c client) int { return count(t, c.AllRuns(ctx, orchestration.Page{})) },
		func(ctx context.Context, c client) int { return count(t, c.AllTasks(ctx, orchestration.Page{})) },
	} {
		if got := rows(t.Context(), answering(t, 200, `{"items":[{"id":"a","status":"s"},{"id":"b","status":"s"}]}`)); got != 2 {
			t.Errorf("%d rows, want 2", got)
		}
	}
}

func count[T any](t *testing.T, rows func(func(T, error) bool)) int {
	t.Helper()
	n := 0
	for _, err := range rows {
		if err != nil {
			t.Error(err)
		}
		n++
	}
	return n
}

// needsNothing are the methods that may be called with empty arguments.
var needsNothing = []string{
	"As", "String", "Format", "ListMachines", "AllMachines", "ListSkills", "AllSkills", "ListMarketServices", "AllMarketServices",
	"ListPolicies", "ListAuditEvents", "ListRuns", "AllRuns", "ListTasks", "AllTasks", "CheckHealth", "GetReadiness",
	"ListPaymentRails", "ListDeliveryTransports",
}

// TestNothingIsSentWithoutWhatIsNeeded calls every method with nothing.
func TestNothingIsSentWithoutWhatIsNeeded(t *testing.T) {
	t.Parallel()
	var sent atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { sent.Add(1) }))
	t.Cleanup(server.Close)
	client := reflect.ValueOf(clientOf(t, server.URL))
	free := map[string]bool{}
	for _, name := range needsNothing {
		free[name] = true
	}
	for method, value := range client.Methods() {
		if free[method.Name] {
			continue
		}
		in := []reflect.Value{reflect.ValueOf(t.Context())}
		for i := 1; i < value.Type().NumIn(); i++ {
			in = append(in, reflect.Zero(value.Type().In(i)))
		}
		out := value.Call(in)
		var err error
		if last := out[len(out)-1]; last.Kind() == reflect.Func {
			for _, failed := range last.Seq2() {
				err, _ = failed.Interface().(error)
			}
		} else {
			err, _ = last.Interface().(error)
		}
		if _, ok := errors.AsType[*orchestration.ValidationError](err); !ok || orchestration.OutcomeOf(err) != orchestration.NotActed {
			t.Errorf("%s: got %v, want a refusal", method.Name, err)
		}
	}
	if sent.Load() != 0 {
		t.Errorf("%d requests were sent", sent.Load())
	}
}

// TestEveryWriteSaysHowToReadBack reads the documentation of the client.
func TestEveryWriteSaysHowToReadBack(t *testing.T) {
	t.Parallel()
	names, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	writes := 0
	for _, name := range names {
		if !strings.HasSuffix(name.Name(), ".go") || strings.HasSuffix(name.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(gotoken.NewFileSet(), name.Name(), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			method, ok := declaration.(*ast.FuncDecl)
			if !ok || method.Recv == nil || !method.Name.IsExported() {
				continue
			}
			uses := false
			ast.Inspect(method, func(n ast.Node) bool {
				if named, ok := n.(*ast.Ident); ok && named.Name == "write" {
					uses = true
				}
				return true
			})
			if !uses {
				continue
			}
			writes++
			if !strings.Contains(method.Doc.Text(), "After an Unknown outcome") {
				t.Errorf("%s does not say how to read back", method.Name.Name)
			}
		}
	}
	if writes < 40 {
		t.Errorf("%d writes found, want at least 40", writes)
	}
}
