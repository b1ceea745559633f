package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	escrowevm "github.com/settler-pay/settler/escrow/evm"
	"github.com/settler-pay/settler/settlement"
)

const testSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// goodConfig is as short as a configuration can be.
const goodConfig = `mode: development
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

// goodSigner is as short as a signer can be, after goodConfig.
const goodSigner = `signers:
  - name: operator
    kind: keystore
    address: 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266
    keystore: operator.json
    password: hunter2
    chains:
      - chain: eip155:8453
        tokens: [{token: USDC, per_payment: "1000", per_hour: "20000.50"}]
        payments_per_hour: 600
        max_fee_per_gas: "2.5"
        gas_reserve: "0.02"
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
		Mode:        "development",
		Listen:      "127.0.0.1:8080",
		Database:    DatabaseConfig{URL: "postgres://u:hunter2@127.0.0.1:1/db", MaxConnections: 20},
		PayTokenKey: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		Agent:       AgentConfig{Keystore: "agent.json", Password: "hunter2", Provider: "settler", Role: "settlement"},
		Marketplaces: []MarketplaceConfig{{
			ID: "acme", Orchestrator: OrchestratorConfig{URL: "https://orchestrator.example", RequestsPerSecond: 100}, WebhookSecrets: []secret{testSecret},
			Deadline: 30 * time.Minute, Grace: 10 * time.Minute, Skew: time.Minute, ListInterval: time.Second,
			Under: DifferenceConfig{Policy: "review"}, Over: DifferenceConfig{Policy: "review"}, Late: LateConfig{Policy: "review"}, OtherPayer: "review",
			Disputes: DisputesConfig{72 * time.Hour, 240 * time.Hour, 72 * time.Hour, 24 * time.Hour, "none"},
		}},
		Chains: []ChainConfig{{
			ID: "eip155:8453", Endpoints: []EndpointConfig{{Name: "a", URL: "https://rpc.example/hunter2"}},
			Finality: FinalityConfig{Tag: "finalized"}, PollInterval: 2 * time.Second,
			Escrow:  EscrowConfig{HoldFor: 336 * time.Hour, DisputeFor: 720 * time.Hour, HoldAtLeast: 24 * time.Hour, BumpAfter: time.Minute, UrgentWithin: 6 * time.Hour, Batch: 50},
			Refunds: RefundsConfig{BumpAfter: time.Minute, MaxUnitPrice: 1_000_000, GasReserve: "0.05"},
			Custody: CustodyConfig{MaxUnitPrice: 1_000_000, GasReserve: "0.1", HoldFor: 336 * time.Hour, PrecreatePerHour: 20, PrecreateReserve: "0.5"},
			Tokens:  []TokenConfig{{Symbol: "USDC", Address: "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913", Decimals: 6}},
		}},
		Admin: AdminConfig{ApprovalExpiry: 72 * time.Hour, SessionLifetime: 8 * time.Hour, EvidenceMaxBytes: 5 << 20},
		Log:   LogConfig{Level: "info", Format: "json"},
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
			"agent.keystore or agent.remote is required",
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
		{"another kind of chain", replaced("eip155:8453", "cosmos:cosmoshub-4"), []string{
			`chains[0].id "cosmos:cosmoshub-4": only EVM chains (eip155:N) and Solana are supported`,
		}},
		{"a cluster that does not exist", replaced("eip155:8453", "solana:mainet"), []string{
			`chains[0].id "solana:mainet" is not solana:, a name such as solana or solana:devnet, or the first 32 characters of a genesis hash`,
			`chains[0].tokens[0].address: address "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913" is hex, as other chains write it; here it is base58`,
		}},
		{"everything wrong on Solana", goodConfig[:strings.Index(goodConfig, "chains:")] + `chains:
  - id: solana:mainnet-beta
    endpoints: [{name: a, url: "wss://rpc.example"}]
    finality: {tag: confirmed}
    trust: proof:2
    zero_blooms: true
    tokens:
      - {symbol: USDC, address: EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v, decimals: 6, program: token2022}
      - {symbol: SOL, native: true, decimals: 18, program: token}
  - id: solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp
    aliases: [sol]
    endpoints: [{name: a, url: "https://rpc.example"}]
    finality: {depth: 32}
    tiers: [{token: SOL, up_to: 1, finality: {tag: safe}}]
    tokens: [{symbol: SOL, native: true, decimals: 9}]
  - id: eip155:8453
    endpoints: [{name: a, url: "https://rpc.example"}]
    tokens: [{symbol: USDC, address: 0x833589fcd6edb6e08f4c7c32d4f71b54bda02913, decimals: 6, program: token}]
`, []string{
			"chains[0].finality.tag: confirmed transactions may still vanish; it is for tiers",
			"chains[0].trust is proof:2, and no block of Solana binds what its transactions did: single or quorum:K",
			"chains[0].zero_blooms is for EVM chains",
			"chains[0].endpoints[0].url: a Solana endpoint is asked over http or https",
			"chains[0].tokens[1].decimals is 18; SOL has 9",
			"chains[0].trust is proof:2, and the endpoints are of 1 operator(s) only",
			`chains[0].tokens[0].program "token2022" is not token or token-2022`,
			"chains[0].tokens[1].program is for mints on Solana",
			"chains[1].id: solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp is chains[0].id already",
			"chains[1].finality is not the tag finalized or confirmed, which are Solana's",
			"chains[1].tiers[0].finality is not the tag finalized or confirmed, which are Solana's",
			"chains[2].tokens[0].program is for mints on Solana",
		}},
		{"a name instead of a chain id", replaced("eip155:8453", "base"), []string{`chains[0].id "base" is not a CAIP-2 id, such as eip155:8453`}},
		{"mistyped address", replaced("0x833589fcd6edb6e08f4c7c32d4f71b54bda02913", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02914"), []string{
			`chains[0].tokens[0].address: address "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02914" has a wrong checksum: a digit or the case of a letter is mistyped`,
		}},
		{"everything wrong with what is taken", replaced("    webhook_secrets", `    under: {policy: take, basis_points: 10001, units: "0"}
    over: {policy: wait, basis_points: -1, units: "1.5"}
    late: {policy: soon, within: -1s}
    other_payer: anybody
    webhook_secrets`), []string{
			`marketplaces[0].under.policy "take" is not review or accept or wait`,
			"marketplaces[0].under.basis_points is 10001, not 0 to 10000",
			`marketplaces[0].under.units "0" is not a number of base units above 0`,
			`marketplaces[0].over.policy "wait" is not review or accept`,
			"marketplaces[0].over.basis_points is -1, not 0 to 10000",
			`marketplaces[0].over.units "1.5" is not a number of base units above 0`,
			`marketplaces[0].late.policy "soon" is not review or accept`,
			"marketplaces[0].late.within is negative",
			`marketplaces[0].other_payer "anybody" is not review or accept`,
		}},
		{"limits that nothing takes, and policies without a limit", replaced("    webhook_secrets", `    under: {policy: accept}
    over: {basis_points: 1}
    late: {policy: accept}
    webhook_secrets`), []string{
			"marketplaces[0].under.policy is accept: basis_points or units must say how much less is taken",
			"marketplaces[0].over.policy is review, which takes no difference: basis_points and units are for the others",
			"marketplaces[0].late.within is 0s: with policy accept at least 1s is needed",
		}},
		{"late money that nothing takes", replaced("    webhook_secrets", "    late: {within: 1h}\n    webhook_secrets"), []string{
			"marketplaces[0].late.policy is review, which takes nothing late: within is for accept",
		}},
		{"two homes of the agent's key", replaced("agent: {", `agent: {remote: {url: "ftp://hunter2", address: "0x12", method: eth_signTransaction}, `), []string{
			"agent.keystore and agent.remote are both given",
			`agent.remote: the URL must be http or https and have a host; "0x12" is not an address; ` +
				`method "eth_signTransaction" is neither personal_sign nor eth_sign`,
		}},
		{"a password without its keystore", replaced("keystore: agent.json", `remote: {url: "https://s.example/hunter2"}`), []string{
			`agent.remote: "" is not an address`,
			"agent.password and agent.password_file are for agent.keystore, which is absent",
		}},
		{"a keystore without its password", replaced(", password: hunter2}", "}"), []string{"agent.password or agent.password_file is required"}},
		{"what the verifier refuses", replaced(`endpoints: [{name: a, url: "https://rpc.example/hunter2"}]
    finality: {tag: finalized}`, `endpoints: [{name: a, url: "https://rpc.example/hunter2"}, {name: b, url: "https://b.example"}]
    finality: {tag: latest}
    tiers: [{token: USDC, up_to: 5, trust: quorum:2}]`), []string{
			"chains[0]: tier 0: trust quorum:2 is more than the chain's own rule demands, single; " +
				"chain eip155:8453 (Base) may still replace its latest block: finality latest promises nothing there",
		}},
		{"short key", replaced("000102030405060708090a0b0c0d0e0f10111213141516171819", "00"), []string{
			"pay_token_key has 7 bytes, at least 32 are needed; `openssl rand -hex 32` makes them",
		}},
		{"passwords in a file of production, which is the default", strings.TrimPrefix(goodConfig, "mode: development\n") + goodSigner, []string{
			"agent.password stands in the file, which mode production refuses; it belongs into the environment or the file of agent.password_file",
			"signers[0].password stands in the file, which mode production refuses; it belongs into the environment or the file of signers[0].password_file",
		}},
		{"an unknown mode", replaced("mode: development", "mode: test"), []string{`mode "test" is neither development nor production`}},
		{"half a vault secret", goodConfig + "vault_secret: {file: secret.age}\n", []string{
			"vault_secret.password_file is required",
			"vault_secret.epoch is required; the first is 1",
		}},
		{"custody on an EVM chain", replaced("    finality: {tag: finalized}", "    finality: {tag: finalized}\n    custody: {tokens: [{token: USDC}]}"), []string{
			"chains[0].custody is for Solana: on EVM chains escrow is held in contracts",
		}},
		{"an earlier vault secret that is incomplete", goodConfig + "vault_secret: {file: f, password_file: p, epoch: 2}\nearlier_vault_secrets: [{file: g, epoch: 2}]\n", []string{
			"earlier_vault_secrets[0].password_file is required",
			"earlier_vault_secrets[0].epoch 2 stands there twice",
		}},
		{"custody without what it needs", replaced("mode: development", "mode: production", ", password: hunter2", ", password_file: p") + `  - id: solana:mainnet
    endpoints: [{name: a, url: "https://rpc.example", operator: one}, {name: b, url: "https://b.example", operator: one}]
    tokens: [{symbol: SOL, native: true, decimals: 9}]
    escrow: {signer: operator}
    custody:
      hold_for: 1m
      gas_reserve: much
      precreate_token_account: true
      precreate_per_hour: 201
      precreate_reserve: "-1"
      tokens: [{token: SOL, per_payment: "0", per_hour: "1.0000000001"}, {token: SOL, per_payment: "1", per_hour: "1"}, {token: USDC}]
`, []string{
			"chains[1].escrow is for EVM chains: on Solana escrow is held in custody",
			"chains[1].custody needs vault_secret, from which the wallets are derived",
			"chains[1].custody.payments_per_hour is required",
			"chains[1].custody.hold_for is 1m0s, at least 1h0m0s",
			`chains[1].custody.gas_reserve "much" is not an amount of SOL with at most 9 decimals`,
			`chains[1].custody.precreate_reserve "-1" is not an amount of SOL with at most 9 decimals`,
			"chains[1].custody.precreate_per_hour is 201, 1 to 200",
			`chains[1].custody.tokens[0].per_payment "0" is not an amount of SOL above 0 with at most 9 decimals`,
			`chains[1].custody.tokens[0].per_hour "1.0000000001" is not an amount of SOL above 0 with at most 9 decimals`,
			`chains[1].custody.tokens[1].token "SOL" stands there twice`,
			`chains[1].custody.tokens[2].token "USDC" is none of the chain's tokens`,
			"chains[1].custody needs endpoints of two operators: on the word of one alone nothing that has expired is signed again",
		}},
		{"refunds on Solana", goodConfig + `  - id: solana
    endpoints: [{name: a, url: "https://rpc.example"}]
    tokens: [{symbol: SOL, native: true, decimals: 9}]
    refunds: {signer: operator, key_file: k, bump_after: 1ms, gas_reserve: "-1", tokens: [{token: USDC}]}
`, []string{
			"chains[1].refunds.signer is for EVM chains: on Solana the wallet is key_file",
			"chains[1].refunds.password_file is required",
			"chains[1].refunds.payments_per_hour is required",
			"chains[1].refunds.bump_after is 1ms, at least 1s",
			`chains[1].refunds.gas_reserve "-1" is not an amount of SOL with at most 9 decimals`,
			`chains[1].refunds.tokens[0].token "USDC" is none of the chain's tokens`,
		}},
		{"signers without anything", goodConfig + "signers: [{}, {kind: keystore}, {kind: remote}, {kind: kms, chains: [{chain: base, methods: []}]}]\n", []string{
			"signers[0].name is required",
			"signers[0].address: address \"\" is not 0x and 40 hex digits",
			`signers[0].kind "" is not keystore, remote or kms`,
			"signers[0].chains is required: at least one",
			"signers[1].name is required",
			"signers[1].address: address \"\" is not 0x and 40 hex digits",
			"signers[1].keystore is required",
			"signers[1].password or signers[1].password_file is required",
			"signers[1].chains is required: at least one",
			"signers[2].name is required",
			"signers[2].address: address \"\" is not 0x and 40 hex digits",
			"signers[2].url is required",
			"signers[2].chains is required: at least one",
			"signers[3].name is required",
			"signers[3].address: address \"\" is not 0x and 40 hex digits",
			"signers[3].key_id is required",
			"signers[3].region is required",
			`signers[3].chains[0].chain "base" is none of the EVM chains`,
		}},
		{"everything wrong with signers", goodConfig + `  - id: solana
    aliases: [sol]
    endpoints: [{name: a, url: "https://rpc.example"}]
    tokens: [{symbol: SOL, native: true, decimals: 9}]
` + goodSigner + `  - name: operator
    kind: keystore
    address: 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266
    keystore: b.json
    password: hunter2
    password_file: c
    url: https://hunter2
    key_id: k
    region: r
    endpoint: e
    timeout: 1ms
    chains:
      - {chain: eip155:8453, methods: [pay, reclaim], payments_per_hour: 0}
      - chain: sol
      - chain: eip155:8453
        methods: []
        tokens: [{token: ETH}, {token: USDC, per_payment: "0.0000001", per_hour: "0"}, {token: USDC, per_payment: "1", per_hour: x}]
        max_fee_per_gas: 0.0000000001
        gas_reserve: -1
  - {name: r, kind: remote, address: 0x01, url: "ftp://hunter2", keystore: k, chains: [{chain: eip155:8453, methods: [freeze], payments_per_hour: 1, max_fee_per_gas: 1, gas_reserve: 1}]}
  - {name: k, kind: kms, address: "0x0000000000000000000000000000000000000001", key_id: k, region: r, endpoint: "ftp://x", url: "https://hunter2", chains: [{chain: eip155:8453, methods: [freeze], payments_per_hour: 1, max_fee_per_gas: 1, gas_reserve: 1}]}
`, []string{
			"signers[1].name: operator is signers[0].name already",
			"signers[1].url is for the kind remote",
			"signers[1].key_id is for the kind kms",
			"signers[1].region is for the kind kms",
			"signers[1].endpoint is for the kind kms",
			"signers[1].password and signers[1].password_file are both given",
			"signers[1].timeout is 1ms, not 1s to 10m",
			`signers[1].chains[0].methods[1] "reclaim" is not pay, payBatch, claim, freeze, returnOther, transfer`,
			"signers[1].chains[0].tokens is required: at least one",
			"signers[1].chains[0].payments_per_hour is required",
			"signers[1].chains[0].max_fee_per_gas is required",
			"signers[1].chains[0].gas_reserve is required",
			"signers[1].chains[0].chain: 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 on eip155:8453 is signers[0].chains[0].chain already",
			`signers[1].chains[1].chain "sol" is none of the EVM chains`,
			"signers[1].chains[2].methods is required: at least one",
			`signers[1].chains[2].tokens[0].token "ETH" is none of the chain's tokens`,
			`signers[1].chains[2].tokens[1].per_payment "0.0000001" is not an amount of USDC above 0 with at most 6 decimals`,
			`signers[1].chains[2].tokens[1].per_hour "0" is not an amount of USDC above 0 with at most 6 decimals`,
			`signers[1].chains[2].tokens[2].token "USDC" stands there twice`,
			`signers[1].chains[2].tokens[2].per_hour "x" is not an amount of USDC above 0 with at most 6 decimals`,
			"signers[1].chains[2].payments_per_hour is required",
			`signers[1].chains[2].max_fee_per_gas "0.0000000001" is not an amount of gwei above 0 with at most 9 decimals`,
			`signers[1].chains[2].gas_reserve "-1" is not an amount of native coins above 0 with at most 18 decimals`,
			"signers[1].chains[2].chain: 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 on eip155:8453 is signers[0].chains[0].chain already",
			`signers[2].address: address "0x01" is not 0x and 40 hex digits`,
			"signers[2].keystore is for the kind keystore",
			"signers[2].url: the URL must be http or https and have a host",
			"signers[3].url is for the kind remote",
			"signers[3].endpoint is not an http or https URL without user, query and fragment",
		}},
		{"everything else", `
listen: nowhere
public_url: ftp://a
database: {url: "postgres://u:hunter2@a b", direct_url: "hunter2 x", max_connections: 1}
pay_token_key: not base64 hunter2
agent: {keystore: a, password: hunter2, password_file: b, provider: "", role: r}
admin: {issuer: "https://hunter2@x", audience: a}
marketplaces:
  - {id: Acme!, orchestrator: {url: "https://u:hunter2@x"}, webhook_secrets: [whsec_hunter2], deadline: 0s, grace: -1s, skew: 1h, machines: [""]}
  - {id: b, orchestrator: {url: "https://x", api_key: "hunter2"}, webhook_secrets: []}
  - {id: b, orchestrator: {url: "https://x"}, webhook_secrets: [` + testSecret + `]}
chains:
  - {id: "eip155:1329", aliases: ["a:b", base], endpoints: [], finality: {}, tokens: [], poll_interval: 1ms, explorer: x}
  - id: eip155:1329
    aliases: [base]
    endpoints: [{url: "ftp://hunter2"}, {name: a, url: "https://a", websocket: "https://hunter2"}, {name: a, url: "https://b", headers: [hunter2], calls_per_second: 1000000}]
    finality: {tag: final, depth: 0}
    tokens:
      - {symbol: A, native: true, address: "0x"}
      - {symbol: A, native: true}
      - {symbol: B, decimals: 78}
      - {symbol: C, address: "0x0000000000000000000000000000000000000001", decimals: 2, approval_above: "1.005"}
  - id: eip155:2
    endpoints: [{name: a, url: "https://a", operator: one}, {name: b, url: "https://b", operator: one}]
    finality: {tag: safe, depth: 3}
    trust: quorum:2
    stall_after: -1s
    tiers:
      - {token: X, up_to: 1}
      - {token: E, up_to: 0, trust: double, finality: {tag: early}}
      - {token: E, up_to: 1.0000000000000000001, trust: proof:2}
    tokens:
      - {symbol: E, native: true, decimals: 18, received: true}
      - {symbol: F, native: true, decimals: 18, kind: odd}
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
			"chains[0].finality is required, nothing is shipped for this chain: a tag (finalized, safe) or a depth of at least 1",
			"chains[0].poll_interval is 1ms, not 50ms to 1m",
			"chains[0].explorer is not an http or https URL without user, query and fragment",
			"chains[0].tokens is required: at least one",
			"chains[1].id: eip155:1329 is chains[0].id already",
			"chains[1].aliases[0]: base is chains[0].aliases[1] already",
			"chains[1].endpoints[0].name is required",
			"chains[1].endpoints[0].url is not an http, https, ws or wss URL",
			"chains[1].endpoints[1].websocket is not a ws or wss URL",
			"chains[1].endpoints[2].name: a is chains[1].endpoints[1].name already",
			"chains[1].endpoints[2].headers[0] is not Name: value",
			"chains[1].endpoints[2].calls_per_second is 1000000, at most 100000",
			"chains[1].endpoints[1].websocket is for Solana; the URL of an EVM endpoint may be that of a WebSocket",
			`chains[1].finality.tag "final" is not finalized, safe or latest`,
			"chains[1].tokens[0] is native and has an address",
			"chains[1].tokens[1].symbol: A is chains[1].tokens[0].symbol already",
			"chains[1].tokens[1].decimals is required for a native coin",
			"chains[1].tokens[2].decimals is 78, at most 77",
			"chains[1].tokens[2].address is required, or native: true",
			`chains[1].tokens[3].approval_above "1.005" is not an amount of whole tokens with at most 2 decimals`,
			"chains[2].finality has both a tag and a depth",
			"chains[2].trust is quorum:2, and the endpoints are of 1 operator(s) only",
			"chains[2].stall_after is negative",
			"chains[2].tokens[0].received is for the kinds fee and rebasing",
			`chains[2].tokens[1].kind "odd" is not plain, fee, rebasing or refuse`,
			"chains[2].tokens[1].native: the native coin is chains[2].tokens[0].native already",
			`chains[2].tiers[0].token "X" is none of the chain's tokens`,
			`chains[2].tiers[1].up_to "0" is not an amount of E above 0 with at most 18 decimals`,
			`chains[2].tiers[1].finality.tag "early" is not finalized, safe or latest`,
			`chains[2].tiers[1].trust: "double" is not single, quorum:K or proof:K with K operators, at least 2`,
			`chains[2].tiers[2].up_to "1.0000000000000000001" is not an amount of E above 0 with at most 18 decimals`,
			"chains[2].tiers[2].trust is proof:2, and the endpoints are of 1 operator(s) only",
			"chains[2].tiers[2].trust demands a proof, which chains[2].trust does not",
			"admin.issuer is not an http or https URL without user, query and fragment",
			`log.level "loud" is not debug, info, warn or error`,
			`log.format "xml" is neither json nor text`,
			"agent.password stands in the file, which mode production refuses; it belongs into the environment or the file of agent.password_file",
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

func TestSignerPolicies(t *testing.T) {
	t.Parallel()
	cfg, err := loadConfig(writeConfig(t, goodConfig+goodSigner), []string{"SETTLER_SIGNERS_0_CHAINS_0_TOKENS_0_PER_HOUR=30000", "SETTLER_MODE=development"})
	if err != nil {
		t.Fatal(err)
	}
	got, faults := cfg.Signers[0].Chains[0].policy("signers[0].chains[0]", cfg.Chains[0])
	want := escrowevm.Policy{
		ChainID: 8453, Key: "signers[0].chains[0]", Methods: []string{"pay", "payBatch", "claim"}, PaymentsPerHour: 600, MaxFeePerGas: big.NewInt(2_500_000_000),
		Tokens: map[common.Address]escrowevm.TokenLimit{common.HexToAddress("0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"): {
			Key: "signers[0].chains[0].tokens[0]", PerPayment: settlement.NewAmount(1_000_000_000), PerHour: settlement.NewAmount(30_000_000_000),
		}},
	}
	if faults != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, faults, want)
	}
	if s := cfg.Signers[0]; s.Timeout != 30*time.Second {
		t.Errorf("timeout %s", s.Timeout)
	}
}

// In production a password comes from the environment or a file of its own, and one in the file is refused whatever
// overrides it.
func TestProductionTakesPasswordsFromElsewhere(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("mode: development", "mode: production", "password: hunter2", "keystore: a").Replace(goodConfig + goodSigner)
	text = strings.ReplaceAll(strings.ReplaceAll(text, "keystore: agent.json, keystore: a", "keystore: a"), "keystore: operator.json\n    keystore: a", "keystore: a")
	environ := []string{"SETTLER_AGENT_PASSWORD=hunter2", "SETTLER_SIGNERS_0_PASSWORD_FILE=/run/secrets/operator"}
	if _, err := loadConfig(writeConfig(t, text), environ); err != nil {
		t.Error(err)
	}
	_, err := loadConfig(writeConfig(t, goodConfig), append(environ[:1], "SETTLER_MODE=production"))
	if err == nil || !strings.Contains(err.Error(), "agent.password stands in the file") {
		t.Errorf("got %v", err)
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
		name := strings.NewReplacer("<i>", "0", "<j>", "0", "<k>", "0").Replace(key.Variable)
		value := map[string]string{"bool": "true", "uint8": "7", "uint32": "7", "uint64": "7", "int": "7", "int32": "7", "time.Duration": "7s"}[key.Type.String()]
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
	if got, err := passwordOf("", path); err != nil || got != " hunter2 " {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := passwordOf("", path+"x"); err == nil || !strings.Contains(err.Error(), "password_file") {
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
	cfg.Agent.Remote.URL = "https://signer.example/hunter2"
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
				walk(field.Type.Elem(), at+"[]", below+index+"_", map[string]string{"<i>": "<j>", "<j>": "<k>"}[index])
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

func TestEscrowFaults(t *testing.T) {
	t.Parallel()
	const arbiter = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
	for name, tt := range map[string]struct{ signer, escrow, want string }{
		"no such signer":         {"[pay, payBatch]", "{signer: other, arbiter: \"" + arbiter + "\"}", `chains[0].escrow.signer "other" is no signer that may call pay and payBatch`},
		"may not pay batches":    {"[pay]", "{signer: operator, arbiter: \"" + arbiter + "\"}", `chains[0].escrow.signer "operator" is no signer that may call pay and payBatch`},
		"no arbiter":             {"[pay, payBatch]", "{signer: operator}", "chains[0].escrow.arbiter"},
		"an arbiter alone":       {"[pay, payBatch]", "{arbiter: \"" + arbiter + "\"}", "chains[0].escrow.signer is required with an arbiter"},
		"held for a moment":      {"[pay, payBatch]", "{signer: operator, arbiter: \"" + arbiter + "\", hold_for: 1m, hold_at_least: 0s}", "chains[0].escrow.hold_for is 1m0s, at least 1h0m0s"},
		"held for too short":     {"[pay, payBatch]", "{signer: operator, arbiter: \"" + arbiter + "\", hold_for: 24h}", "chains[0].escrow.hold_at_least is 24h0m0s, and the money is held for 24h0m0s only"},
		"more than was measured": {"[pay, payBatch]", "{signer: operator, arbiter: \"" + arbiter + "\", batch: 51}", "chains[0].escrow.batch is 51, not 1 to 50"},
		"nothing wrong":          {"[pay, payBatch]", "{signer: operator, arbiter: \"" + arbiter + "\"}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(goodConfig, "    tokens:", "    escrow: "+tt.escrow+"\n    tokens:", 1)
			text += `
signers:
  - name: operator
    kind: remote
    address: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    url: http://127.0.0.1:1
    chains:
      - chain: eip155:8453
        methods: ` + tt.signer + `
        tokens: [{token: USDC, per_payment: "1", per_hour: "1"}]
        payments_per_hour: 1
        max_fee_per_gas: "1"
        gas_reserve: "1"
`
			_, err := loadConfig(writeConfig(t, text), nil)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// What is kept of a wallet for single marketplaces, and what cannot be.
func TestGasReservesOfTheConfiguration(t *testing.T) {
	t.Parallel()
	const signers = `
signers:
  - name: operator
    kind: remote
    address: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    url: http://127.0.0.1:1
    chains:
      - chain: eip155:8453
        tokens: [{token: USDC, per_payment: "1", per_hour: "1"}]
        payments_per_hour: 1
        max_fee_per_gas: "1"
        gas_reserve: "1"
`
	const chain = "marketplaces[0].gas_reserves[0].chain "
	for _, tt := range []struct{ reserves, want string }{
		{`{chain: eip155:8453, amount: "0.25"}`, ""},
		{`{chain: eip155:8453, amount: "1.000000000000000001"}`, "the gas_reserves of marketplaces for chains[0] are 1.000000000000000001 together, above the gas_reserve of 1 of the wallet that pays there"},
		{`{chain: eip155:8453, amount: "0"}`, `marketplaces[0].gas_reserves[0].amount "0" is not an amount of native coins above 0 with at most 18 decimals`},
		{`{chain: eip155:8453}`, `marketplaces[0].gas_reserves[0].amount "" is not an amount`},
		{`{amount: "0.1"}`, chain + `"" is none of the chains with escrow or custody`},
		{`{chain: eip155:1, amount: "0.1"}`, chain + `"eip155:1" is none of the chains with escrow or custody`},
		{`{chain: eip155:8453, amount: "0.1"}, {chain: eip155:8453, amount: "0.1"}`, "marketplaces[0].gas_reserves[1].chain"},
	} {
		text := strings.Replace(goodConfig, "    tokens:", "    escrow: {signer: operator, arbiter: \"0x70997970C51812dc3A010C7d01b50e0d17dc79C8\"}\n    tokens:", 1)
		text = strings.Replace(text, "    webhook_secrets", "    gas_reserves: ["+tt.reserves+"]\n    webhook_secrets", 1) + signers
		cfg, err := loadConfig(writeConfig(t, text), nil)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.reserves, err, tt.want)
		}
		if tt.want == "" && err == nil {
			if got := cfg.gasReserves(cfg.Chains[0])[cfg.Marketplaces[0].ID]; got.String() != "250000000000000000" {
				t.Errorf("%s is kept", got)
			}
			p := purse{units: nativeDecimals, text: "1", reserve: settlement.NewAmount(1e18), kept: cfg.gasReserves(cfg.Chains[0]), all: []string{"acme", "other"}}
			if low := p.low(settlement.NewAmount(25e16)); !strings.HasSuffix(low, "; what it has is kept for others than other, whose payouts wait") {
				t.Errorf("low says %q", low)
			}
			if low := p.low(settlement.NewAmount(25e16 + 1)); !strings.HasSuffix(low, "below the reserve of 1") {
				t.Errorf("low says %q", low)
			}
		}
	}
}

// What a marketplace takes, from the file and the environment.
func TestLeniencyOfTheConfiguration(t *testing.T) {
	t.Parallel()
	path := writeConfig(t, strings.Replace(goodConfig, "    webhook_secrets", `    under: {policy: wait, units: "10000"}
    over: {policy: accept}
    late: {policy: accept, within: 24h}
    webhook_secrets`, 1))
	cfg, err := loadConfig(path, []string{"SETTLER_MARKETPLACES_0_UNDER_BASIS_POINTS=50", "SETTLER_MARKETPLACES_0_OTHER_PAYER=accept"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := cfg.Marketplaces[0].leniency()
	want := settlement.Leniency{
		Under: settlement.Tolerance{BasisPoints: 50, Units: settlement.NewAmount(10_000)}, Over: settlement.Tolerance{Any: true},
		Parts: true, Late: 24 * time.Hour, AnyPayer: true,
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	cfg, err = loadConfig(writeConfig(t, goodConfig), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := cfg.Marketplaces[0].leniency(); err != nil || got != (settlement.Leniency{}) {
		t.Errorf("by default nothing is taken, got %+v, %v", got, err)
	}
}

// The wallet that direct payments are given back from may call transfer, has a key of its own, and a limit also for coin.
func TestRefundFaults(t *testing.T) {
	t.Parallel()
	const operator, wallet = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
	for name, tt := range map[string]struct{ refunds, address, methods, want string }{
		"nothing wrong":       {"{signer: wallet}", wallet, "[transfer]", ""},
		"no such signer":      {"{signer: other}", wallet, "[transfer]", `chains[0].refunds.signer "other" is no signer that may call transfer on this chain`},
		"may not transfer":    {"{signer: wallet}", wallet, "[freeze]", `chains[0].refunds.signer "wallet" is no signer that may call transfer`},
		"the key of escrow":   {"{signer: operator}", wallet, "[transfer]", `chains[0].refunds.signer "operator" has the key of the signer of its escrow: each needs a key of its own`},
		"the arbiter's key":   {"{signer: wallet}", "0x90F79bf6EB2c4f870365E785982E1f101E93b906", "[transfer]", `chains[0].refunds.signer "wallet" has the key of the arbiter`},
		"a wallet of Solana":  {"{key_file: k}", wallet, "[transfer]", "chains[0].refunds.key_file, password_file and tokens are for Solana"},
		"bumped all the time": {"{signer: wallet, bump_after: 1ms}", wallet, "[transfer]", "chains[0].refunds.bump_after is 1ms, at least 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(goodConfig, "    tokens: [", "    refunds: "+tt.refunds+"\n    escrow: {signer: operator, arbiter: \"0x90F79bf6EB2c4f870365E785982E1f101E93b906\"}\n    tokens: [{symbol: ETH, native: true, decimals: 18}, ", 1)
			text += "\nsigners:\n"
			for _, s := range [][3]string{{"operator", operator, "[pay, payBatch, transfer]"}, {"wallet", tt.address, tt.methods}} {
				text += fmt.Sprintf(`  - {name: %s, kind: remote, address: %q, url: "http://127.0.0.1:1", chains: [{chain: "eip155:8453", methods: %s, payments_per_hour: 1, max_fee_per_gas: "1",
      gas_reserve: "1", tokens: [{token: USDC, per_payment: "1", per_hour: "1"}, {token: ETH, per_payment: "0.5", per_hour: "1"}]}]}
`, s[0], s[1], s[2])
			}
			cfg, err := loadConfig(writeConfig(t, text), nil)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if tt.want != "" {
				return
			}
			if p, _ := cfg.Signers[1].Chains[0].policy("k", cfg.Chains[0]); p.Native == nil || p.Native.PerPayment.String() != "500000000000000000" || len(p.Tokens) != 1 {
				t.Errorf("policy %+v", p)
			}
		})
	}
}
