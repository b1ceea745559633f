package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

const testSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// goodConfig is as short as a configuration can be.
const goodConfig = `
database: {url: "postgres://u:hunter2@127.0.0.1:1/db"}
pay_token_key: 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
agent: {keystore: agent.json, password: hunter2}
marketplaces:
  - id: acme
    orchestrator: {url: "https://orchestrator.example"}
    webhook_secrets: [` + testSecret + `]
chains:
  - id: eip155:8453
    endpoints: [{name: a, url: "https://rpc.example/hunter2"}]
    finality: {tag: finalized}
    tokens: [{symbol: USDC, address: 0x833589fcd6edb6e08f4c7c32d4f71b54bda02913, decimals: 6}]
`

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settler.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// runSettler is the program with the arguments.
func runSettler(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, &streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	return code, stdout.String(), stderr.String()
}

func TestShortestConfigHasDefaults(t *testing.T) {
	t.Parallel()
	got, err := loadConfig(writeConfig(t, goodConfig), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Listen:      "127.0.0.1:8080",
		Database:    DatabaseConfig{URL: "postgres://u:hunter2@127.0.0.1:1/db", MaxConnections: 20},
		PayTokenKey: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		Agent:       AgentConfig{Keystore: "agent.json", Password: "hunter2", Provider: "settler", Role: "settlement"},
		Marketplaces: []MarketplaceConfig{{
			ID: "acme", Orchestrator: OrchestratorConfig{URL: "https://orchestrator.example"}, WebhookSecrets: []secret{testSecret},
			Deadline: 30 * time.Minute, Grace: 10 * time.Minute, Skew: time.Minute,
		}},
		Chains: []ChainConfig{{
			ID: "eip155:8453", Endpoints: []EndpointConfig{{Name: "a", URL: "https://rpc.example/hunter2"}},
			Finality: FinalityConfig{Tag: "finalized"}, PollInterval: 2 * time.Second,
			Tokens: []TokenConfig{{Symbol: "USDC", Address: "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913", Decimals: 6}},
		}},
		Log: LogConfig{Level: "info", Format: "json"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got.directURL() != string(got.Database.URL) {
		t.Error("database.direct_url does not default to database.url")
	}
}

// Each bad configuration gets all of its faults in one answer, word by word.
func TestBadConfigNamesEveryFault(t *testing.T) {
	t.Parallel()
	replaced := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(goodConfig) }
	tests := []struct {
		name, text string
		want       []string
	}{
		{"empty", "", []string{
			"database.url is required",
			"pay_token_key is required; `openssl rand -hex 32` makes one",
			"agent.keystore is required",
			"agent.password or agent.password_file is required",
			"marketplaces is required: at least one",
			"chains is required: at least one",
		}},
		{"not YAML", "listen: [", []string{"line 1: sequence end token ']' not found"}},
		{"not a mapping", "- a", []string{"line 1: the file is not a mapping of keys to values"}},
		{"two documents", goodConfig + "---\nlisten: a", []string{"line 15: a second document; the configuration is one"}},
		{"a key twice", "listen: a\nlisten: b", []string{`line 2: mapping key "listen" already defined at [1:1]`}},
		{"unknown keys", replaced("pay_token_key:", "pay_tokn_key:", "finality: {tag", "finality: {tga", "name: a,", "name: a, weight: 3,"), []string{
			"line 3: pay_tokn_key does not exist; did you mean pay_token_key?",
			"line 11: chains[0].endpoints[0].weight does not exist",
			"line 12: chains[0].finality.tga does not exist; did you mean chains[0].finality.tag?",
		}},
		{"values of the wrong kind", replaced("decimals: 6", "decimals: 300", "id: acme", "id: [acme]", "endpoints: [{", "endpoints: {a: {", `hunter2"}]`, `hunter2"}}`) +
			"    poll_interval: 2\nlog: info\n", []string{
			"line 6: marketplaces[0].id is not text",
			"line 11: chains[0].endpoints is not a list",
			"line 13: chains[0].tokens[0].decimals is not a whole number from 0 to 255",
			"line 14: chains[0].poll_interval is not a duration such as 30m or 2s",
			"line 15: log is not a mapping of keys to values",
		}},
		{"an alias", "listen: &x a\npublic_url: *x", []string{
			"line 1: listen uses an anchor, an alias or a tag; write the value out",
			"line 2: public_url uses an anchor, an alias or a tag; write the value out",
		}},
		{"another kind of chain", replaced("eip155:8453", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"), []string{
			`chains[0].id "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp": only EVM chains (eip155:N) are supported`,
		}},
		{"a name instead of a chain id", replaced("eip155:8453", "base"), []string{`chains[0].id "base" is not a CAIP-2 id, such as eip155:8453`}},
		{"mistyped address", replaced("0x833589fcd6edb6e08f4c7c32d4f71b54bda02913", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02914"), []string{
			`chains[0].tokens[0].address: address "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02914" has a wrong checksum: a digit or the case of a letter is mistyped`,
		}},
		{"short key", replaced("000102030405060708090a0b0c0d0e0f10111213141516171819", "00"), []string{
			"pay_token_key has 7 bytes, at least 32 are needed; `openssl rand -hex 32` makes them",
		}},
		{"everything else", `
listen: nowhere
public_url: ftp://a
database: {url: "postgres://u:hunter2@a b", direct_url: "hunter2 x", max_connections: 1}
pay_token_key: not base64 hunter2
agent: {keystore: a, password: hunter2, password_file: b, provider: "", role: r}
marketplaces:
  - {id: Acme!, orchestrator: {url: "https://u:hunter2@x"}, webhook_secrets: [whsec_hunter2], deadline: 0s, grace: -1s, skew: 1h, machines: [""]}
  - {id: b, orchestrator: {url: "https://x", api_key: "hunter2"}, webhook_secrets: []}
  - {id: b, orchestrator: {url: "https://x"}, webhook_secrets: [` + testSecret + `]}
chains:
  - {id: "eip155:1", aliases: ["a:b", base], endpoints: [], finality: {}, tokens: [], poll_interval: 1ms, explorer: x}
  - id: eip155:1
    aliases: [base]
    endpoints: [{url: "wss://hunter2"}, {name: a, url: "https://a"}, {name: a, url: "https://b"}]
    finality: {tag: final, depth: 0}
    tokens:
      - {symbol: A, native: true, address: "0x"}
      - {symbol: A, native: true}
      - {symbol: B, decimals: 78}
  - {id: "eip155:2", endpoints: [{name: a, url: "https://a"}], finality: {tag: safe, depth: 3}, tokens: [{symbol: E, native: true, decimals: 18}, {symbol: F, native: true, decimals: 18}]}
log: {level: loud, format: xml}
`, []string{
			`listen "nowhere" is not host:port`,
			"public_url is not an http or https URL without user, query and fragment",
			"database.url is not a Postgres connection string, such as postgres://user:password@host:5432/name",
			"database.direct_url is not a Postgres connection string, such as postgres://user:password@host:5432/name",
			"database.max_connections is 1, not 4 to 1000",
			"pay_token_key is neither hex nor base64",
			"agent.password and agent.password_file are both given",
			"agent.provider is required",
			`marketplaces[0].id "Acme!" is not 1 to 63 of a-z, 0-9, - and _`,
			"marketplaces[0].orchestrator: base URL must not carry a user, a query or a fragment",
			"marketplaces[0].webhook_secrets[0] is not base64 of at least 24 bytes, with or without whsec_ before it",
			"marketplaces[0].machines[0] is required",
			"marketplaces[0].deadline is 0s, at least 1s is needed",
			"marketplaces[0].grace is negative",
			"marketplaces[0].skew is 1h0m0s, not 0s to 15m",
			"marketplaces[1].webhook_secrets has 0 entries: one is needed, two while they are exchanged",
			"marketplaces[2].id: b is marketplaces[1].id already",
			`chains[0].aliases[0] "a:b" looks like a CAIP-2 id`,
			"chains[0].endpoints is required: at least one",
			"chains[0].finality is required: a tag (finalized, safe) or a depth of at least 1",
			"chains[0].poll_interval is 1ms, not 50ms to 1m",
			"chains[0].explorer is not an http or https URL without user, query and fragment",
			"chains[0].tokens is required: at least one",
			"chains[1].id: eip155:1 is chains[0].id already",
			"chains[1].aliases[0]: base is chains[0].aliases[1] already",
			"chains[1].endpoints[0].name is required",
			"chains[1].endpoints[0].url is not an http or https URL",
			"chains[1].endpoints[2].name: a is chains[1].endpoints[1].name already",
			`chains[1].finality.tag "final" is not finalized, safe or latest`,
			"chains[1].tokens[0] is native and has an address",
			"chains[1].tokens[1].symbol: A is chains[1].tokens[0].symbol already",
			"chains[1].tokens[1].decimals is required for a native coin",
			"chains[1].tokens[2].decimals is 78, at most 77",
			"chains[1].tokens[2].address is required, or native: true",
			"chains[2].finality has both a tag and a depth",
			"chains[2].tokens[1].native: the native coin is chains[2].tokens[0].native already",
			`log.level "loud" is not debug, info, warn or error`,
			`log.format "xml" is neither json nor text`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := writeConfig(t, tt.text)
			code, out, errOut := runSettler(t, "config", "check", "-c", path)
			want := "settler: configuration " + path + ":\n  " + strings.Join(tt.want, "\n  ") + "\n"
			if diff := cmp.Diff(want, errOut); code != 1 || out != "" || diff != "" {
				t.Errorf("exit code %d, output %q, -want +got\n%s", code, out, diff)
			}
			if strings.Contains(errOut, "hunter2") {
				t.Error("a secret is shown")
			}
		})
	}
}

func TestGoodConfigIsChecked(t *testing.T) {
	t.Parallel()
	code, out, errOut := runSettler(t, "config", "check", "--config", writeConfig(t, goodConfig))
	if want := "ok: 1 marketplace(s), 1 chain(s)\n"; code != 0 || out != want || errOut != "" {
		t.Errorf("exit code %d, %q, %q", code, out, errOut)
	}
}

func TestMissingFileSaysHowToStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none.yaml")
	code, _, errOut := runSettler(t, "serve", "-c", path)
	want := "settler: configuration: there is no file " + path + "; `settler config example` prints one to start from\n"
	if code != 1 || errOut != want {
		t.Errorf("exit code %d, %q", code, errOut)
	}
}

func TestExamplePassesOnceItsPlaceholdersAreFilled(t *testing.T) {
	t.Parallel()
	code, example, _ := runSettler(t, "config", "example")
	if code != 0 {
		t.Fatalf("exit code %d", code)
	}
	_, err := loadConfig(writeConfig(t, example), nil)
	placeholders := regexp.MustCompile(`<[^>\n]+>`)
	if got, want := strings.Count(fmt.Sprint(err), "still holds the placeholder"), len(placeholders.FindAllString(example, -1)); got != want {
		t.Errorf("%d placeholders are refused, want %d:\n%v", got, want, err)
	}
	filled := example
	for placeholder, value := range map[string]string{
		"<postgres://settler:password@127.0.0.1:5432/settler>": "postgres://settler:password@127.0.0.1:5432/settler",
		"<64 hex digits>":                                            strings.Repeat("0f", 32),
		"<path of a file with the password>":                         "/run/secrets/agent",
		"<https://orchestrator.example>":                             "https://orchestrator.example",
		"<the platform key; remove this line when none is demanded>": "key",
		"<whsec_...>":           testSecret,
		"<https://rpc.example>": "https://rpc.example",
	} {
		if !strings.Contains(filled, placeholder) {
			t.Errorf("the example has no %s", placeholder)
		}
		filled = strings.ReplaceAll(filled, placeholder, value)
	}
	if _, err := loadConfig(writeConfig(t, filled), nil); err != nil {
		t.Error(err)
	}
}

func TestEnvironmentOverridesEveryKey(t *testing.T) {
	t.Parallel()
	path := writeConfig(t, goodConfig)
	base, err := loadConfig(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Whatever the check says of these values, each must have arrived.
	for _, key := range configKeys() {
		name := strings.NewReplacer("<i>", "0", "<j>", "0").Replace(key.Variable)
		value := map[string]string{"bool": "true", "uint8": "7", "uint64": "7", "int32": "7", "time.Duration": "7s"}[key.Type.String()]
		if value == "" {
			value = "seven"
		}
		cfg := defaultConfig()
		if err := readEnvironment(cfg, []string{name + "=" + value}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		over := reflect.New(reflect.TypeFor[Config]()).Elem()
		over.Set(reflect.ValueOf(*base))
		if err := readEnvironment(over.Addr().Interface().(*Config), []string{name + "=" + value}); err != nil {
			t.Errorf("%s over a file: %v", name, err)
		}
		for _, got := range []reflect.Value{reflect.ValueOf(*cfg), over} {
			if text := valueAt(got, key.Path); text != value && text != "["+value+"]" {
				t.Errorf("%s=%s gives %s = %q", name, value, key.Path, text)
			}
		}
	}
}

// valueAt is the text of the value at a path like chains[].endpoints[].url, of first elements.
func valueAt(v reflect.Value, path string) string {
	for part := range strings.SplitSeq(path, ".") {
		name, isList := strings.CutSuffix(part, "[]")
		v = v.Field(fieldsOf(v.Type())[name])
		if isList {
			v = v.Index(0)
		}
	}
	switch v.Kind() {
	case reflect.String: // past the redaction
		return v.String()
	case reflect.Slice:
		return fmt.Sprintf("[%s]", v.Index(0).String())
	default:
		return fmt.Sprint(v.Interface())
	}
}

func TestEnvironmentAddsElementsWithTheirDefaults(t *testing.T) {
	t.Parallel()
	cfg, err := loadConfig(writeConfig(t, goodConfig), []string{
		"SETTLER_MARKETPLACES_1_ID=other", "SETTLER_MARKETPLACES_1_ORCHESTRATOR_URL=https://o.example", "SETTLER_MARKETPLACES_1_GRACE=0s",
		"SETTLER_MARKETPLACES_1_WEBHOOK_SECRETS=" + testSecret + "," + testSecret,
		"SETTLER_CHAINS_0_ENDPOINTS_1_NAME=b", "SETTLER_CHAINS_0_ENDPOINTS_1_URL=https://b.example", "SETTLER_LISTEN=",
	})
	if err != nil {
		t.Fatal(err)
	}
	if m := cfg.Marketplaces[1]; m.Deadline != 30*time.Minute || m.Grace != 0 || len(m.WebhookSecrets) != 2 {
		t.Errorf("the second marketplace is %+v", m)
	}
	if e := cfg.Chains[0].Endpoints; len(e) != 2 || e[0].Name != "a" || e[1].URL != "https://b.example" {
		t.Errorf("the endpoints are %+v", e)
	}
	if cfg.Listen != "127.0.0.1:8080" {
		t.Errorf("an empty variable set listen to %q", cfg.Listen)
	}
}

func TestEnvironmentFaults(t *testing.T) {
	t.Parallel()
	_, err := loadConfig(writeConfig(t, goodConfig), []string{
		"SETTLER_CHAINS_0_FINALITY_DEPHT=3", "SETTLER_CHAINS_0_FINALITY_DEPTH=hunter2", "SETTLER_DATABASE_MAX_CONNECTIONS=many",
		"SETTLER_CHAINS_2_ID=eip155:1", "SETTLER_MARKETPLACES_0_GRACE=10", "SETTLER_CHAINS_0_TOKENS_0_NATIVE=maybe",
		// Not ours to judge: the flag's own, and what Kubernetes sets for a service of this name.
		"SETTLER_CONFIG=x", "SETTLER_SERVICE_HOST=10.0.0.1", "SETTLER_SERVICE_PORT_HTTP=80", "SETTLER_PORT=tcp://10.0.0.1:80",
		"SETTLER_PORT_80_TCP=tcp://10.0.0.1:80", "SETTLER_PORT_80_TCP_ADDR=10.0.0.1", "SETTLER_TEST_DATABASE_URL=x", "OTHER=x",
	})
	_, got, _ := strings.Cut(fmt.Sprint(err), "\n")
	want := `  environment variable SETTLER_CHAINS_0_FINALITY_DEPHT belongs to no key; did you mean SETTLER_CHAINS_0_FINALITY_DEPTH?
  environment variable SETTLER_CHAINS_2_ID belongs to no key; did you mean SETTLER_CHAINS_0_ID?
  environment variable SETTLER_DATABASE_MAX_CONNECTIONS is not a whole number
  environment variable SETTLER_MARKETPLACES_0_GRACE is not a duration such as 30m or 2s
  environment variable SETTLER_CHAINS_0_FINALITY_DEPTH is not a whole number
  environment variable SETTLER_CHAINS_0_TOKENS_0_NATIVE is not true or false`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestEnvironmentNamesTheFile(t *testing.T) {
	t.Setenv("SETTLER_CONFIG", writeConfig(t, goodConfig))
	t.Setenv("SETTLER_LOG_LEVEL", "loud")
	code, _, errOut := runSettler(t, "config", "check")
	if want := "\n  log.level \"loud\" is not debug, info, warn or error\n"; code != 1 || !strings.HasSuffix(errOut, want) {
		t.Errorf("exit code %d\n%s", code, errOut)
	}
}

// The working directory of tests has no settler.yaml.
func TestEnvironmentAloneIsEnough(t *testing.T) {
	t.Parallel()
	cfg, err := loadConfig("", []string{
		"SETTLER_DATABASE_URL=postgres://u:hunter2@127.0.0.1:1/db", "SETTLER_PAY_TOKEN_KEY=" + strings.Repeat("0f", 32),
		"SETTLER_AGENT_KEYSTORE=agent.json", "SETTLER_AGENT_PASSWORD_FILE=/run/secrets/agent",
		"SETTLER_MARKETPLACES_0_ID=acme", "SETTLER_MARKETPLACES_0_ORCHESTRATOR_URL=https://orchestrator.example",
		"SETTLER_MARKETPLACES_0_WEBHOOK_SECRETS=" + testSecret, "SETTLER_CHAINS_0_ID=eip155:8453", "SETTLER_CHAINS_0_FINALITY_DEPTH=12",
		"SETTLER_CHAINS_0_ENDPOINTS_0_NAME=a", "SETTLER_CHAINS_0_ENDPOINTS_0_URL=https://rpc.example",
		"SETTLER_CHAINS_0_TOKENS_0_SYMBOL=ETH", "SETTLER_CHAINS_0_TOKENS_0_NATIVE=true", "SETTLER_CHAINS_0_TOKENS_0_DECIMALS=18",
	})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Chains[0].PollInterval != 2*time.Second || cfg.Marketplaces[0].Skew != time.Minute {
		t.Errorf("elements have no defaults: %+v", cfg)
	}
}

func TestPasswordFileLosesItsLastLineBreak(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(" hunter2 \r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := (AgentConfig{PasswordFile: path}).password(); err != nil || got != " hunter2 " {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := (AgentConfig{PasswordFile: path + "x"}).password(); err == nil || !strings.Contains(err.Error(), "agent.password_file") {
		t.Errorf("got %v, want an error that names the key", err)
	}
}

func TestPayTokenKeyForms(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		strings.Repeat("0f", 32), strings.Repeat("Ab3/", 11), strings.Repeat("Ab-_", 11), strings.Repeat("AAAA", 10) + "AAAA" + "AA==",
	} {
		if _, err := (&Config{PayTokenKey: secret(text)}).payTokenKey(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	t.Parallel()
	cfg, err := loadConfig(writeConfig(t, goodConfig), []string{"SETTLER_MARKETPLACES_0_ORCHESTRATOR_API_KEY=hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		shown = append(shown, fmt.Sprintf(verb, cfg.Database), fmt.Sprintf(verb, cfg.Marketplaces), fmt.Sprintf(verb, cfg.Chains), fmt.Sprintf(verb, cfg.Agent))
	}
	asJSON, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(io.Writer(&log), nil)).Info("configuration", "cfg", cfg, "key", cfg.PayTokenKey)
	slog.New(slog.NewTextHandler(io.Writer(&log), nil)).Info("configuration", "cfg", cfg, "key", cfg.PayTokenKey)
	for _, text := range append(shown, string(asJSON), string(asYAML), log.String()) {
		for _, hidden := range []string{"hunter2", "0001020304", testSecret, fmt.Sprintf("%x", "hunter2")} {
			if strings.Contains(text, hidden) {
				t.Errorf("%s is shown in\n%s", hidden, text)
			}
		}
	}
	if !strings.Contains(string(asYAML), "[REDACTED]") {
		t.Errorf("YAML says nothing in place of secrets:\n%s", asYAML)
	}
}

// configKey is one key of the configuration that has a value of its own.
type configKey struct {
	Path     string // chains[].endpoints[].url
	Variable string // SETTLER_CHAINS_<i>_ENDPOINTS_<j>_URL
	Type     reflect.Type
}

// configKeys are all keys, read from the struct.
func configKeys() []configKey {
	var keys []configKey
	var walk func(t reflect.Type, path, prefix, index string)
	walk = func(t reflect.Type, path, prefix, index string) {
		for i := range t.NumField() {
			field := t.Field(i)
			at, below := under(path, field.Tag.Get("yaml")), prefix+field.Tag.Get("envPrefix")
			switch {
			case field.Type.Kind() == reflect.Struct:
				walk(field.Type, at, below, index)
			case field.Type.Kind() == reflect.Slice && field.Type.Elem().Kind() == reflect.Struct:
				walk(field.Type.Elem(), at+"[]", below+index+"_", "<j>")
			default:
				keys = append(keys, configKey{at, prefix + field.Tag.Get("env"), field.Type})
			}
		}
	}
	walk(reflect.TypeFor[Config](), "", envPrefix, "<i>")
	return keys
}

func TestDocumentationNamesEveryKey(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `([^`]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		documented[row[1]+" "+row[2]] = true
	}
	for _, key := range configKeys() {
		if row := key.Path + " " + key.Variable; !documented[row] {
			t.Errorf("docs/configuration.md has no row | `%s` | `%s` |", key.Path, key.Variable)
		} else {
			delete(documented, row)
		}
	}
	for row := range documented {
		t.Errorf("docs/configuration.md describes %s, which does not exist", row)
	}
}

func FuzzReadYAML(f *testing.F) {
	f.Add(goodConfig)
	f.Add("? a\n: b\n")
	f.Add("log: |\n  text\nlisten: !!str 1\nchains: [{}, null, 0x]\n")
	f.Fuzz(func(t *testing.T, text string) {
		cfg := defaultConfig()
		if err := readYAML(cfg, []byte(text)); err == nil {
			_ = cfg.Check() // whatever was read can be judged
		}
	})
}
