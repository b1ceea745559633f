package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

const composeFile = "../../docker-compose.yml"

// loadCompose reads docker-compose.yml as an engine would, with the given variables.
func loadCompose(t *testing.T, env types.Mapping, profiles ...string) (*types.Project, error) {
	t.Helper()
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: "../..", ConfigFiles: []types.ConfigFile{{Filename: composeFile}}, Environment: env,
	}, loader.WithProfiles(profiles))
}

func TestComposeFileStartsWithoutAnEngineSayingNo(t *testing.T) {
	t.Parallel()
	project, err := loadCompose(t, types.Mapping{"POSTGRES_PASSWORD": "pw"}, "dev")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(slices.Values(project.ServiceNames())), []string{"chain", "migrate", "postgres", "settler"}; !slices.Equal(got, want) {
		t.Fatalf("services %v, want %v", got, want)
	}
	for name, of := range project.Services {
		if of.Build == nil && !strings.Contains(of.Image, ":") {
			t.Errorf("%s: image %q has no version", name, of.Image)
		}
		for _, port := range of.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %d is open to the network", name, port.Target)
			}
		}
	}

	postgres := project.Services["postgres"]
	if postgres.HealthCheck == nil || len(postgres.HealthCheck.Test) == 0 {
		t.Error("postgres has no health check")
	}
	if len(postgres.Volumes) != 1 || postgres.Volumes[0].Type != types.VolumeTypeVolume || postgres.Volumes[0].Target != "/var/lib/postgresql" {
		t.Errorf("postgres keeps its data in %+v, want one volume", postgres.Volumes)
	}

	settler := project.Services["settler"]
	for dependency, condition := range map[string]string{
		"postgres": types.ServiceConditionHealthy, "migrate": types.ServiceConditionCompletedSuccessfully,
	} {
		if got := settler.DependsOn[dependency].Condition; got != condition {
			t.Errorf("settler waits for %s until %q, want %q", dependency, got, condition)
		}
	}
	if got := project.Services["chain"].Profiles; !slices.Equal(got, []string{"dev"}) {
		t.Errorf("the chain is in profiles %v, want dev alone", got)
	}
}

func TestComposeFileWithoutAProfileHasNoChain(t *testing.T) {
	t.Parallel()
	project, err := loadCompose(t, types.Mapping{"POSTGRES_PASSWORD": "pw"})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := project.Services["chain"]; ok {
		t.Error("the development chain starts in production")
	}
}

func TestComposeFileWithoutAPasswordIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := loadCompose(t, types.Mapping{}); err == nil || !strings.Contains(err.Error(), "POSTGRES_PASSWORD") {
		t.Errorf("got %v, want an error that names POSTGRES_PASSWORD", err)
	}
}

// What the containers are told must mean something to the program: every variable is a key, and with an example
// configuration and the files of the secrets the whole is valid up to those files.
func TestComposeFileSpeaksOurConfiguration(t *testing.T) {
	t.Parallel()
	project, err := loadCompose(t, types.Mapping{"POSTGRES_PASSWORD": "pw"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"settler", "migrate"} {
		of := project.Services[name]
		var environ []string
		for key, value := range of.Environment {
			environ = append(environ, fmt.Sprintf("%s=%s", key, *value))
		}
		cfg := defaultConfig()
		if err := readEnvironment(cfg, environ); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, want := string(cfg.Database.URL), "postgres://settler:pw@postgres:5432/settler"; got != want {
			t.Errorf("%s: database %q, want %q", name, got, want)
		}
		if cfg.Listen != "0.0.0.0:8080" {
			t.Errorf("%s listens on %q, which its published port does not reach", name, cfg.Listen)
		}
		if got := *of.Environment["SETTLER_CONFIG"]; len(of.Configs) != 1 || of.Configs[0].Target != got {
			t.Errorf("%s: SETTLER_CONFIG is %q, mounted is %+v", name, got, of.Configs)
		}
		for _, path := range []string{cfg.Agent.Keystore, cfg.Agent.PasswordFile} {
			if secret := strings.TrimPrefix(path, "/run/secrets/"); !slices.ContainsFunc(of.Secrets, func(s types.ServiceSecretConfig) bool { return s.Source == secret }) {
				t.Errorf("%s: no secret is mounted at %s", name, path)
			}
		}
	}
}

func TestImageRunsWithoutRoot(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, found := strings.Cut(string(text), "\nFROM scratch\n")
	if !found || !strings.Contains(last, "\nUSER 65532:65532\n") {
		t.Error("the last stage is not `FROM scratch` with user 65532")
	}
	if !strings.Contains(string(text), "CGO_ENABLED=0 go build") {
		t.Error("the binary is not built static, and scratch has no C library")
	}
}
