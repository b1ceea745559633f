package orchestrationtest

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
)

// What follows is announced and has no client of the vendor's (contract, 3.6):
// paths and shapes are guesses where the documents are silent.

// task is what a machine wants done, apart from any order.
type task struct {
	ID        string                     `json:"id"`
	MachineID string                     `json:"machineId"`
	Status    string                     `json:"status"`
	Request   map[string]json.RawMessage `json:"request"`
	CreatedAt string                     `json:"createdAt"`
	UpdatedAt string                     `json:"updatedAt"`
}

func (s *Server) createTask(c *call) (answer, error) {
	var req map[string]json.RawMessage
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	var named struct {
		MachineID string `json:"machineId"`
	}
	if err := c.decode(&named); err != nil {
		return answer{}, err
	}
	machineID := cmp.Or(named.MachineID, c.token.MachineID)
	if err := s.actsAs(c, machineID, ""); err != nil {
		return answer{}, err
	}
	if _, err := s.activeMachine(machineID); err != nil {
		return answer{}, err
	}
	delete(req, "providerCredentials")
	row := task{ID: newID("task_"), MachineID: machineID, Status: "created", Request: req, CreatedAt: s.now(), UpdatedAt: s.now()}
	s.state.tasks.put(row.ID, row)
	s.note(c.token.PairingID, "task.created", "task", row.ID, machineID, nil)
	return item(http.StatusCreated, row), nil
}

func (s *Server) getTask(c *call) (answer, error) {
	row, ok := s.state.tasks.get(c.PathValue("task"))
	if !ok {
		return answer{}, notFound("task")
	}
	return item(http.StatusOK, row), nil
}

func (s *Server) listTasks(c *call) (answer, error) {
	machineID := c.URL.Query().Get("machineId")
	return page(s, c, s.state.tasks, func(t task) bool { return matches(machineID, t.MachineID) }, same)
}

// taskSteps lead from one status to the next, in this order.
var taskSteps = []struct{ name, status string }{{"", "created"}, {"discover", "discovered"}, {"resolve", "resolved"}, {"execute", "completed"}}

func (s *Server) advanceTask(c *call) (answer, error) {
	row, ok := s.state.tasks.get(c.PathValue("task"))
	at := 0
	for i, step := range taskSteps[1:] {
		if step.name == c.PathValue("step") {
			at = i + 1
		}
	}
	if !ok || at == 0 {
		return answer{}, notFound("task or step")
	}
	if err := s.actsAs(c, row.MachineID, ""); err != nil {
		return answer{}, err
	}
	if row.Status != taskSteps[at-1].status {
		return answer{}, invalid("status", "the task is "+row.Status)
	}
	row.Status, row.UpdatedAt = taskSteps[at].status, s.now()
	s.state.tasks.put(row.ID, row)
	s.note(c.token.PairingID, "task."+row.Status, "task", row.ID, row.MachineID, nil)
	return item(http.StatusOK, row), nil
}

// graphPart is a node or an edge of a machine's graph; edges have From and To.
type graphPart struct {
	ID        string                     `json:"id"`
	MachineID string                     `json:"machineId"`
	Type      string                     `json:"type"`
	Label     string                     `json:"label"`
	Status    string                     `json:"status"`
	From      string                     `json:"from,omitempty"`
	To        string                     `json:"to,omitempty"`
	Data      map[string]json.RawMessage `json:"data"`
	CreatedAt string                     `json:"createdAt"`
	UpdatedAt string                     `json:"updatedAt"`
}

func (s *Server) getGraph(c *call) (answer, error) {
	machine, err := s.machineOf(c)
	if err != nil {
		return answer{}, err
	}
	of := func(p graphPart) bool { return p.MachineID == machine.ID }
	return item(http.StatusOK, map[string]any{"machineId": machine.ID, "nodes": s.state.nodes.all(of), "edges": s.state.edges.all(of)}), nil
}

// change is what a create or an update of a graph part says; data is merged.
func (p graphPart) change(s *Server, c *call) (graphPart, error) {
	var req struct {
		Type   string                     `json:"type"`
		Label  string                     `json:"label"`
		Status string                     `json:"status"`
		From   string                     `json:"from"`
		To     string                     `json:"to"`
		Data   map[string]json.RawMessage `json:"data"`
	}
	if err := c.decode(&req); err != nil {
		return p, err
	}
	if !slices.Contains([]string{"", "draft", "active", "blocked", "degraded"}, req.Status) {
		return p, invalid("status", "status is not one of the graph")
	}
	p.Type, p.Label, p.Status = cmp.Or(req.Type, p.Type), cmp.Or(req.Label, p.Label), cmp.Or(req.Status, p.Status)
	p.From, p.To, p.UpdatedAt = cmp.Or(req.From, p.From), cmp.Or(req.To, p.To), s.now()
	data := map[string]json.RawMessage{}
	maps.Copy(data, p.Data)
	maps.Copy(data, req.Data)
	p.Data = data
	return p, nil
}

func (s *Server) createGraphPart(parts *table[graphPart]) handler {
	return func(c *call) (answer, error) {
		machine, err := s.machineOf(c)
		if err != nil {
			return answer{}, err
		}
		part, err := graphPart{ID: newID("graph_"), MachineID: machine.ID, Status: "draft", CreatedAt: s.now()}.change(s, c)
		if err != nil {
			return answer{}, err
		}
		parts.put(part.ID, part)
		return item(http.StatusCreated, part), nil
	}
}

func (s *Server) updateGraphPart(parts *table[graphPart]) handler {
	return func(c *call) (answer, error) {
		part, ok := parts.get(c.PathValue("id"))
		if !ok || part.MachineID != c.PathValue("machine") {
			return answer{}, notFound("part of the graph")
		}
		part, err := part.change(s, c)
		if err != nil {
			return answer{}, err
		}
		parts.put(part.ID, part)
		return item(http.StatusOK, part), nil
	}
}

func (s *Server) deleteGraphPart(parts *table[graphPart]) handler {
	return func(c *call) (answer, error) {
		part, ok := parts.get(c.PathValue("id"))
		if !ok || part.MachineID != c.PathValue("machine") {
			return answer{}, notFound("part of the graph")
		}
		parts.drop(part.ID)
		return answer{}, nil
	}
}
