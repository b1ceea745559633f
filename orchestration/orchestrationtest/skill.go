package orchestrationtest

import "net/http"

// skill is what the catalogue says of a service's skill.
func (v Service) skill() map[string]any {
	mode, status := v.modes()
	return map[string]any{
		"key": v.skillKey(), "providerKey": v.providerKey(), "label": v.Name, "description": v.Name, "direction": "machine-consumes",
		"scope": "ecosystem", "source": "partner", "listedBy": "sandbox", "kind": "runtime", "authType": "none", "authState": "unconfigured",
		"accessMode": "public", "distribution": "peaq-native", "maturity": "production", "executionMode": mode, "integrationStatus": status,
		"requiresHumanEnablement": false, "serviceTypes": []string{v.ServiceType}, "operations": []string{v.operation()},
		"requiredEnv": []string{}, "handoff": v.handoff(),
	}
}

// skillConfig is how a skill is configured. Credentials are not kept.
type skillConfig struct {
	SkillKey       string         `json:"skillKey"`
	ProviderKey    string         `json:"providerKey"`
	Enabled        bool           `json:"enabled"`
	HasCredentials bool           `json:"hasCredentials"`
	Settings       map[string]any `json:"settings"`
	UpdatedAt      string         `json:"updatedAt"`
}

func (s *Server) skillOf(c *call) (Service, error) {
	service, ok := s.skills.get(c.PathValue("skill"))
	if !ok {
		return service, notFound("skill")
	}
	return service, nil
}

func (s *Server) getSkill(c *call) (answer, error) {
	service, err := s.skillOf(c)
	return item(http.StatusOK, service.skill()), err
}

func (s *Server) getSkillManifest(c *call) (answer, error) {
	service, err := s.skillOf(c)
	return item(http.StatusOK, map[string]any{
		"key": service.skillKey(), "providerKey": service.providerKey(), "label": service.Name, "summary": service.Name,
		"inputs":  []any{map[string]any{"key": "input", "type": "object", "required": false, "description": "What the operation takes."}},
		"outputs": []any{map[string]any{"key": "result", "type": "object", "description": "What the provider gives."}},
	}), err
}

func (s *Server) listSkills(c *call) (answer, error) {
	query := c.URL.Query()
	return page(s, c, s.skills, func(v Service) bool {
		return matches(query.Get("scope"), "ecosystem") && matches(query.Get("direction"), "machine-consumes") && matches(query.Get("source"), "partner")
	}, Service.skill)
}

func (s *Server) updateSkillConfig(c *call) (answer, error) {
	var req struct {
		Enabled     *bool             `json:"enabled"`
		Credentials map[string]string `json:"credentials"`
		Settings    map[string]any    `json:"settings"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	service, err := s.skillOf(c)
	if err != nil {
		return answer{}, err
	}
	row, ok := s.state.skills.get(service.skillKey())
	if !ok {
		row = skillConfig{SkillKey: service.skillKey(), ProviderKey: service.providerKey(), Settings: map[string]any{}}
	}
	for name, value := range req.Settings {
		switch value.(type) {
		case string, float64, bool:
		default:
			return answer{}, invalid("settings."+name, "a setting is text, a number or a boolean")
		}
	}
	if req.Enabled != nil {
		row.Enabled = *req.Enabled
	}
	row.HasCredentials = row.HasCredentials || len(req.Credentials) > 0
	if req.Settings != nil {
		row.Settings = req.Settings
	}
	row.UpdatedAt = s.now()
	s.state.skills.put(row.SkillKey, row)
	s.note("platform", "skill.configured", "skill", row.SkillKey, "", nil)
	return item(http.StatusOK, row), nil
}
