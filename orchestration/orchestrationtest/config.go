package orchestrationtest

import (
	"encoding/json"
	"log/slog"
	"time"

	"github.com/settler-pay/settler/orchestration"
)

// DevController is the address of the well-known development key (mnemonic
// "test test … junk", first account). It controls every identity unless
// Config.Controllers says otherwise.
const DevController = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"

// Config describes an acting orchestrator. The zero value works. Its JSON form
// is that of a seed file.
type Config struct {
	// RPC gives the endpoint that rpc proofs look at: CAIP-2 → URL. A chain that
	// is absent answers PAYMENT_RPC_REQUIRED.
	RPC map[string]string `json:"rpc"`
	// APIKey is demanded on platform calls. Defaults to none.
	APIKey string `json:"-"`
	// Controllers gives who may sign for an identity: did:peaq:… → addresses. An
	// empty list is an identity that the registry does not know. Defaults to
	// DevController for all.
	Controllers map[string][]string `json:"controllers"`
	// Now defaults to time.Now.
	Now func() time.Time `json:"-"`
	// SessionTTL is the life of a pairing token. Defaults to 24 h.
	SessionTTL time.Duration `json:"-"`
	// QuoteTTL is the life of a quote. Defaults to 5 min.
	QuoteTTL time.Duration `json:"-"`
	// ChallengeTTL is the life of a challenge. Defaults to 5 min.
	ChallengeTTL time.Duration `json:"-"`
	// Services are the market's offers, Listings those of the stream market.
	Services []Service `json:"services"`
	Listings []Listing `json:"listings"`
	// Machines exist from the start, unless the data directory has them already.
	Machines []orchestration.Machine `json:"machines"`
	// Webhook is told about orders. Defaults to nobody.
	Webhook Webhook `json:"-"`
	// Logger gets one line per request. Defaults to none.
	Logger *slog.Logger `json:"-"`
	Switches
}

// Switches turn what the contract leaves open, or says in two ways, to the other
// side. Their zero values are the likely ones; docs/divergences.md gives reasons.
type Switches struct {
	// KeyWithToken demands the API key on agent calls too.
	KeyWithToken bool `json:"keyWithToken"`
	// NoPairingAuth takes agent calls without a token, as a deployment without
	// PEAQOS_REQUIRE_AGENT_PAIRING_AUTH does.
	NoPairingAuth bool `json:"noPairingAuth"`
	// NoIdentityProof registers machines without identity and proof.
	NoIdentityProof bool `json:"noIdentityProof"`
	// RegistryDown answers PEAQOS_IDENTITY_UNAVAILABLE where an identity is looked up.
	RegistryDown bool `json:"registryDown"`
	// RefuseTypeWithoutBody refuses a request that declares JSON and has no body.
	RefuseTypeWithoutBody bool `json:"refuseTypeWithoutBody"`
	// OneSession makes a rotation end the tokens before it.
	OneSession bool `json:"oneSession"`
	// BuyerOnly refuses writes to an order by another pairing of its machine
	// (AGENT_POLICY_DENIED).
	BuyerOnly bool `json:"buyerOnly"`
	// AllowWins lets an allow list win over a deny list.
	AllowWins bool `json:"allowWins"`
	// EmptyAllowsNone reads an empty allow list as nothing instead of everything.
	EmptyAllowsNone bool `json:"emptyAllowsNone"`
	// RollingDay counts the daily limit over the last 24 h instead of the UTC day.
	RollingDay bool `json:"rollingDay"`
	// KeepRefundsSpent does not give a refunded order's price back to the limit.
	KeepRefundsSpent bool `json:"keepRefundsSpent"`
	// EnforceRails refuses an intent whose rail the service does not support.
	EnforceRails bool `json:"enforceRails"`
	// HonourAmount lets an intent's amount and currency win over the price.
	HonourAmount bool `json:"honourAmount"`
	// ChainsAsCAIP2 stores chain names that the vendor's buyer knows as CAIP-2.
	ChainsAsCAIP2 bool `json:"chainsAsCaip2"`
	// PaymentMissing404 answers 404 NOT_FOUND for an order without a payment
	// instead of {"item": null}.
	PaymentMissing404 bool `json:"paymentMissing404"`
	// ProofWithoutIntent takes a proof for an order that has no payment yet.
	ProofWithoutIntent bool `json:"proofWithoutIntent"`
	// RepeatProof answers the payment when its own transaction is proved again.
	RepeatProof bool `json:"repeatProof"`
	// OnceOnly refuses a transaction that another order was paid with.
	OnceOnly bool `json:"onceOnly"`
	// CompareProof compares a proof with the payment it is for.
	CompareProof bool `json:"compareProof"`
	// SolanaAsHash shows a Solana signature as transactionHash.
	SolanaAsHash bool `json:"solanaAsHash"`
	// LockAnyRail takes escrow locks of payments on other rails.
	LockAnyRail bool `json:"lockAnyRail"`
	// PayoutCode refuses a release or refund that comes too early. Defaults to
	// VALIDATION_ERROR.
	PayoutCode orchestration.Code `json:"payoutCode"`
	// RefundFrom are the payment statuses that a refund may start from. Defaults
	// to held, frozen and release_pending.
	RefundFrom []orchestration.PaymentStatus `json:"refundFrom"`
	// DisputeFrom are the order statuses that a dispute may start from. Defaults
	// to all that are not closed.
	DisputeFrom []orchestration.OrderStatus `json:"disputeFrom"`
	// Closed are the order statuses that refuse writes. Defaults to confirmed,
	// cancelled, failed and disputed.
	Closed []orchestration.OrderStatus `json:"closed"`
	// NoHandoffConfirm lets only delivered orders be confirmed.
	NoHandoffConfirm bool `json:"noHandoffConfirm"`
	// NewestFirst turns the order of lists.
	NewestFirst bool `json:"newestFirst"`
}

// Service is one offer with its price.
type Service struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	ServiceType string `json:"serviceType"`
	// SkillKey, ProviderKey and Operation default to ID, "test", "run".
	SkillKey    string `json:"skillKey"`
	ProviderKey string `json:"providerKey"`
	Operation   string `json:"operation"`
	// Price is in major units of Currency; "" is no price: the payment's amount
	// is then null.
	Price    json.Number `json:"price"`
	Currency string      `json:"currency"`
	// External makes execute answer a handoff instead of an outcome.
	External bool `json:"external"`
	// Result is what executing gives. Defaults to {"done":true}.
	Result json.RawMessage `json:"result"`
	// Fails makes executing end in a failed outcome with this message.
	Fails string `json:"fails"`
	// Payment is copied to quotes and orders.
	Payment orchestration.RailRecommendation `json:"payment"`
	// EscrowAddress goes into an escrow intent's rail unless the request has one.
	EscrowAddress string `json:"escrowAddress"`
	// TokenDecimals and RawAmount go into an intent's rail metadata unless the
	// request has them. Defaults to neither.
	TokenDecimals *int   `json:"tokenDecimals"`
	RawAmount     string `json:"rawAmount"`
	// X402 is what the provider asks for with 402; it goes into the intent's
	// metadata. Without it an x402 intent holds a challenge that cannot be paid.
	X402 *Requirements `json:"x402"`
}

// Requirements are one entry of an x402 challenge (contract, 10.3). Amount is in
// base units.
type Requirements struct {
	Scheme            string `json:"scheme"`
	Network           string `json:"network"`
	Asset             string `json:"asset"`
	PayTo             string `json:"payTo"`
	Amount            string `json:"amount"`
	MaxTimeoutSeconds int    `json:"maxTimeoutSeconds"`
	Extra             struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"extra"`
}

// Listing is one offer of the stream market. Amount is in major units of Token.
type Listing struct {
	ID           string `json:"id"`
	MachineID    string `json:"machineId"`
	Amount       string `json:"amount"`
	Token        string `json:"token"`
	TokenAddress string `json:"tokenAddress"`
	Chain        string `json:"chain"`
	PayTo        string `json:"payTo"`
}
