package api

// Answers that package dashboard reads, which asks in this process.
type (
	Caller     = callerBody
	Payment    = paymentBody
	Transfer   = transaction
	Dispute    = dispute
	Payments   = searchResult
	Queues     = queueCounts
	QueueCount = queueCount
	QueuePage  = queuePage
	QueueItem  = queueItem
	Acted      = acted
	Approval   = approval
	Approvals  = approvalPage
	Exhibit    = exhibit
	Halts      = haltList
	Halt       = halt
	Signers    = signerList
	Signer     = signer
)
