package orchestrationtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
)

// auditEvent is one thing that happened to the state.
type auditEvent struct {
	ID           string         `json:"id"`
	Actor        string         `json:"actor"`
	Type         string         `json:"type"`
	ResourceType string         `json:"resourceType"`
	ResourceID   string         `json:"resourceId"`
	MachineID    string         `json:"machineId,omitempty"`
	Payload      map[string]any `json:"payload"`
	CreatedAt    string         `json:"createdAt"`
}

// note keeps what happened. Caller holds s.mu.
func (s *Server) note(actor, kind, resourceType, resourceID, machineID string, payload map[string]any) {
	id := newID("audit_")
	if payload == nil {
		payload = map[string]any{}
	}
	s.state.audit.put(id, auditEvent{
		ID: id, Actor: cmp.Or(actor, "platform"), Type: kind, ResourceType: resourceType, ResourceID: resourceID, MachineID: machineID,
		Payload: payload, CreatedAt: s.now(),
	})
}

// listAuditEvents shows the newest first.
func (s *Server) listAuditEvents(c *call) (answer, error) {
	limit, err := limitOf(c)
	if err != nil {
		return answer{}, err
	}
	query, found, events := c.URL.Query(), []auditEvent{}, s.state.audit.entries
	for i := len(events) - 1; i >= 0 && len(found) < limit; i-- {
		event := events[i].row
		if matches(query.Get("machineId"), event.MachineID) && matches(query.Get("resourceType"), event.ResourceType) {
			found = append(found, event)
		}
	}
	return whole(found), nil
}

// listOrderEvents is announced, not in the SDK (contract, 3.6).
func (s *Server) listOrderEvents(c *call) (answer, error) {
	id := c.PathValue("order")
	if _, ok := s.state.orders.get(id); !ok {
		return answer{}, notFound("order")
	}
	type orderEvent struct {
		ID        string         `json:"id"`
		OrderID   string         `json:"orderId"`
		Type      string         `json:"type"`
		Payload   map[string]any `json:"payload"`
		CreatedAt string         `json:"createdAt"`
	}
	return page(s, c, s.state.audit, func(e auditEvent) bool { return e.ResourceType == "market_order" && e.ResourceID == id },
		func(e auditEvent) orderEvent { return orderEvent{e.ID, id, e.Type, e.Payload, e.CreatedAt} })
}

func (s *Server) health(*call) (answer, error) {
	return answer{status: http.StatusOK, body: map[string]bool{"ok": true}}, nil
}

func (s *Server) readiness(*call) (answer, error) {
	status, check := "ready", map[string]any{"name": "machine-registry", "status": "pass"}
	if s.cfg.RegistryDown {
		status, check = "not_ready", map[string]any{"name": "machine-registry", "status": "fail", "message": "does not answer"}
	}
	return answer{status: http.StatusOK, body: map[string]any{"status": status, "checks": []any{check}}}, nil
}

// policy is a policy of the platform. It is kept and not applied: the contract
// does not say to what.
type policy struct {
	ID                   string     `json:"id"`
	Name                 string     `json:"name"`
	NativeOnly           bool       `json:"nativeOnly"`
	HandoffAllowed       bool       `json:"handoffAllowed"`
	AllowedSkillKeys     []string   `json:"allowedSkillKeys"`
	DeniedSkillKeys      []string   `json:"deniedSkillKeys"`
	RegionRules          []string   `json:"regionRules"`
	RequiredCapabilities []string   `json:"requiredCapabilities"`
	BudgetCap            *budgetCap `json:"budgetCap"`
	CreatedAt            string     `json:"createdAt"`
	UpdatedAt            string     `json:"updatedAt"`
}

// budgetCap has an amount that is a number or numeric text.
type budgetCap struct {
	Currency string          `json:"currency"`
	Amount   json.RawMessage `json:"amount"`
}

// savePolicy changes what the body names. Caller holds s.mu.
func (s *Server) savePolicy(c *call, row policy, event string) (policy, error) {
	id, created := row.ID, row.CreatedAt
	// A copy: decoding fills lists in place, and the row's may be on their way out.
	before, err := json.Marshal(row)
	if err != nil {
		return row, err
	}
	row = policy{}
	if err := json.Unmarshal(before, &row); err != nil {
		return row, err
	}
	if err := c.decode(&row); err != nil {
		return row, err
	}
	row.ID, row.CreatedAt, row.UpdatedAt = id, created, s.now()
	if err := required("name", row.Name); err != nil {
		return row, err
	}
	if row.BudgetCap != nil {
		if _, ok := decimal(strings.Trim(string(bytes.TrimSpace(row.BudgetCap.Amount)), `"`)); !ok {
			return row, invalid("budgetCap.amount", "budgetCap.amount is not an amount")
		}
	}
	s.state.policies.put(row.ID, row)
	s.note("platform", event, "policy", row.ID, "", nil)
	return row, nil
}

func (s *Server) createPolicy(c *call) (answer, error) {
	empty := []string{}
	row, err := s.savePolicy(c, policy{
		ID: newID("pol_"), HandoffAllowed: true, AllowedSkillKeys: empty, DeniedSkillKeys: empty, RegionRules: empty,
		RequiredCapabilities: empty, CreatedAt: s.now(),
	}, "policy.created")
	return item(http.StatusCreated, row), err
}

func (s *Server) updatePolicy(c *call) (answer, error) {
	row, ok := s.state.policies.get(c.PathValue("policy"))
	if !ok {
		return answer{}, notFound("policy")
	}
	row, err := s.savePolicy(c, row, "policy.updated")
	return item(http.StatusOK, row), err
}

func (s *Server) getPolicy(c *call) (answer, error) {
	row, ok := s.state.policies.get(c.PathValue("policy"))
	if !ok {
		return answer{}, notFound("policy")
	}
	return item(http.StatusOK, row), nil
}

func (s *Server) listPolicies(*call) (answer, error) {
	return whole(s.state.policies.all(func(policy) bool { return true })), nil
}
