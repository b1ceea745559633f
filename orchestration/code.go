package orchestration

// Code is the code of an error answer: an open set. It is an error, so that
// errors.Is(err, CodeOrderClosed) works on any error of this package.
type Code string

func (c Code) Error() string { return string(c) }

// Codes of the contract, section 11.4. All but CodeEndpointUnreachable are in
// the vendor's SDK; CodePaymentNotMined and CodePaymentTransferNotFound are
// missing in the older document.
const (
	CodeAuthRequired                 Code = "AUTH_REQUIRED"
	CodeAuthInvalid                  Code = "AUTH_INVALID"
	CodeAgentAuthRequired            Code = "AGENT_AUTH_REQUIRED"
	CodeAgentAuthInvalid             Code = "AGENT_AUTH_INVALID"
	CodeAgentAuthExpired             Code = "AGENT_AUTH_EXPIRED"
	CodeValidation                   Code = "VALIDATION_ERROR"
	CodeNotFound                     Code = "NOT_FOUND"
	CodeMachineNotActive             Code = "MACHINE_NOT_ACTIVE"
	CodeMachineNotActivated          Code = "MACHINE_NOT_ACTIVATED"
	CodeMachineIdentityExists        Code = "MACHINE_IDENTITY_EXISTS"
	CodeMachineIdentityImmutable     Code = "MACHINE_IDENTITY_IMMUTABLE"
	CodeMachineIdentityProofRequired Code = "MACHINE_IDENTITY_PROOF_REQUIRED"
	CodeMachineIdentityProofInvalid  Code = "MACHINE_IDENTITY_PROOF_INVALID"
	CodeMachineIdentityProofExpired  Code = "MACHINE_IDENTITY_PROOF_EXPIRED"
	CodeIdentityUnavailable          Code = "PEAQOS_IDENTITY_UNAVAILABLE"
	CodeAgentPairingProofRequired    Code = "AGENT_PAIRING_PROOF_REQUIRED"
	CodeAgentPairingProofInvalid     Code = "AGENT_PAIRING_PROOF_INVALID"
	CodeAgentPairingProofExpired     Code = "AGENT_PAIRING_PROOF_EXPIRED"
	CodeAgentPairingUnavailable      Code = "AGENT_PAIRING_UNAVAILABLE"
	CodeAgentPairingRequired         Code = "AGENT_PAIRING_REQUIRED"
	CodeAgentPairingInactive         Code = "AGENT_PAIRING_INACTIVE"
	CodeAgentPolicyDenied            Code = "AGENT_POLICY_DENIED"
	CodeAgentSpendLimitExceeded      Code = "AGENT_SPEND_LIMIT_EXCEEDED"
	CodeAgentDailyLimitExceeded      Code = "AGENT_DAILY_LIMIT_EXCEEDED"
	CodeQuoteExpired                 Code = "QUOTE_EXPIRED"
	CodeOrderClosed                  Code = "ORDER_CLOSED"
	CodeOrderNotDelivered            Code = "ORDER_NOT_DELIVERED"
	CodePaymentRequired              Code = "PAYMENT_REQUIRED"
	CodePaymentRPCRequired           Code = "PAYMENT_RPC_REQUIRED"
	CodePaymentRPCError              Code = "PAYMENT_RPC_ERROR"
	CodePaymentNotMined              Code = "PAYMENT_NOT_MINED"
	CodePaymentTxFailed              Code = "PAYMENT_TX_FAILED"
	CodePaymentTransferNotFound      Code = "PAYMENT_TRANSFER_NOT_FOUND"
	CodeExecutionUnsupported         Code = "EXECUTION_UNSUPPORTED"
	CodeEndpointUnreachable          Code = "ENDPOINT_UNREACHABLE"
	CodeStreamDeliveryNotReady       Code = "STREAM_DELIVERY_NOT_READY"

	// CodeBadResponse is ours, as in the SDK: the body is not what an answer of
	// that status looks like (empty, not JSON, no error envelope, a redirect).
	CodeBadResponse Code = "BAD_RESPONSE"
	// CodeInvalidResponseShape is ours, as in the SDK: JSON that lacks what the
	// call needs. The message names the path.
	CodeInvalidResponseShape Code = "INVALID_RESPONSE_SHAPE"
)
