package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// dispute is what is contested about a payment.
type dispute struct {
	Number       int         `json:"number" doc:"Counts the payment's disputes." example:"1"`
	Opener       string      `json:"opener" enum:"webhook,orchestrator,person,arbiter" doc:"Where it comes from; arbiter: the vault was frozen on the chain." example:"webhook"`
	Reason       string      `json:"reason" doc:"What is complained about; unstated where the orchestrator does not say." example:"not_delivered"`
	Party        string      `json:"party" enum:"payer,payee,operator" doc:"Who complains." example:"payer"`
	Default      string      `json:"default" enum:"none,release,refund" doc:"What becomes of the money when nobody decides in time." example:"none"`
	OpenedAt     time.Time   `json:"opened_at"`
	RespondBy    time.Time   `json:"respond_by" doc:"Until when the other party is to answer."`
	AnsweredAt   *time.Time  `json:"answered_at,omitempty" doc:"When it first did."`
	DecideBy     time.Time   `json:"decide_by" doc:"Until when it is to be decided; begins anew with an appeal."`
	Decision     *award      `json:"decision,omitempty" doc:"Absent until it is decided, and again after an appeal."`
	AppealedAt   *time.Time  `json:"appealed_at,omitempty" doc:"When a party appealed; there is one appeal."`
	PlatformTold bool        `json:"platform_told" doc:"The orchestrator knows of it, or will not hear of it; the history says which."`
	ClosedAt     *time.Time  `json:"closed_at,omitempty" doc:"When it ended."`
	Outcome      string      `json:"outcome" enum:",dropped,released,refunded,split,closed,review,too_late" doc:"How it ended; empty before. too_late: the money had left, or was on its way, when it was opened." example:""`
	Statements   []statement `json:"statements" nullable:"false" doc:"What the parties have said and handed in, oldest first."`
}

// award is a decision.
type award struct {
	ToPayee     string    `json:"to_payee" doc:"Base units." example:"1500000"`
	ToPayer     string    `json:"to_payer" doc:"Base units." example:"0"`
	DecidedAt   time.Time `json:"decided_at"`
	EffectiveAt time.Time `json:"effective_at" doc:"When it moves the money, unless somebody appeals before."`
}

// statement is what a party says.
type statement struct {
	Version  int64     `json:"version" doc:"The payment's version after it." example:"7"`
	Party    string    `json:"party" enum:"payer,payee,operator" example:"payee"`
	Text     string    `json:"text"`
	By       string    `json:"by" doc:"Who wrote it down."`
	At       time.Time `json:"at"`
	Evidence *exhibit  `json:"evidence,omitempty" doc:"Absent for words alone."`
}

// exhibit is a piece of evidence.
type exhibit struct {
	SHA256    string `json:"sha256" doc:"In hex." example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	Size      int64  `json:"size" doc:"Bytes." example:"48213"`
	MediaType string `json:"media_type" example:"image/png"`
	URL       string `json:"url" doc:"Where the bytes are; empty where they are here, at .../evidence/{sha256}." example:""`
}

// evidencePointer is a document that is kept elsewhere, as it is handed in.
type evidencePointer struct {
	SHA256    string `json:"sha256" minLength:"64" maxLength:"64" doc:"In hex." example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	Size      int64  `json:"size" minimum:"1" doc:"Bytes." example:"1073741824"`
	MediaType string `json:"media_type" maxLength:"100" doc:"One that evidence may have." example:"video/mp4"`
	URL       string `json:"url" maxLength:"2000" doc:"https, where the bytes are. settler does not fetch them." example:"https://files.example/case/4711.mp4"`
}

func (e evidencePointer) evidence() (*settlement.DisputeEvidence, error) {
	out := &settlement.DisputeEvidence{Size: e.Size, URL: e.URL, MediaType: mediaType(e.MediaType)}
	raw, err := hex.DecodeString(e.SHA256)
	if err != nil || copy(out.SHA256[:], raw) != len(out.SHA256) {
		return nil, invalid("body.evidence.sha256", "must be 64 hex digits")
	}
	if u, err := url.Parse(e.URL); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, invalid("body.evidence.url", "must be an https URL without a password")
	}
	if _, ok := mediaTypes[out.MediaType]; !ok {
		return nil, invalid("body.evidence.media_type", "must be one of those that evidence may have")
	}
	return out, nil
}

// mediaTypes is what evidence may be → what its first bytes look like (WHATWG MIME sniffing, as net/http has it).
var mediaTypes = map[string]string{
	"image/png": "image/png", "image/jpeg": "image/jpeg", "image/gif": "image/gif", "image/webp": "image/webp", "application/pdf": "application/pdf",
	"application/zip": "application/zip", "video/mp4": "video/mp4", "text/plain": "text/plain", "text/csv": "text/plain", "message/rfc822": "text/plain",
	"application/json": "text/plain",
}

// mediaType is the type without its parameters; empty for none.
func mediaType(text string) string {
	t, _, err := mime.ParseMediaType(text)
	if err != nil {
		return ""
	}
	return t
}

type evidenceInput struct {
	PaymentID      string `path:"payment_id" maxLength:"64" doc:"Our id of the payment." example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
	Party          party  `query:"party" required:"true" doc:"Who hands it in."`
	Reason         reason `query:"reason" required:"true" minLength:"1" maxLength:"1000" doc:"What it shows." example:"The parcel as it arrived"`
	ContentType    string `header:"Content-Type" doc:"What it is: a PNG, JPEG, GIF or WebP image, PDF, ZIP, MP4, or text (plain, CSV, JSON, mail). The bytes must look like it." example:"image/png"`
	IfMatch        string `header:"If-Match" maxLength:"64" doc:"The version of the payment that was looked at, as its ETag says it." example:"\"4\""`
	IdempotencyKey string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"255" doc:"Chosen by the caller. The same key with the same request is answered alike and acts once." example:"5f0c1f0e-2d5b-4b8a-9c57-6a1f3e8d7b20"`
	RawBody        []byte `contentType:"application/octet-stream"`
}

type evidenceOutput struct {
	Status int
	Body   exhibit
}

type contentInput struct {
	PaymentID string `path:"payment_id" maxLength:"64" doc:"Our id of the payment." example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
	SHA256    string `path:"sha256" maxLength:"64" doc:"In hex." example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
}

type contentOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition" doc:"Always attachment: evidence is somebody else's file."`
	Body        []byte
}

func (s *server) registerEvidence() {
	register(s, s.secured(huma.Operation{
		OperationID: "add-evidence", Method: http.MethodPost, Path: "/v1/admin/payments/{payment_id}/evidence", Tags: []string{"Admin"},
		Summary: "Hand in evidence in a dispute", Description: "The body is the document itself. It is kept for ever, under its SHA-256.",
		DefaultStatus: http.StatusCreated, MaxBodyBytes: int64(s.cfg.EvidenceMaxBytes), BodyReadTimeout: time.Minute,
	}, scopeOperate), []Code{
		RequestMalformed, NotFound, RequestTimeout, StateConflict, BodyTooLarge, MediaTypeUnsupported, ValidationFailed, IdempotencyKeyReused,
		VersionRequired, VersionChanged,
	}, s.handleAddEvidence)
	register(s, s.secured(huma.Operation{
		OperationID: "get-evidence", Method: http.MethodGet, Path: "/v1/admin/payments/{payment_id}/evidence/{sha256}", Tags: []string{"Admin"},
		Summary: "Evidence in a dispute", Description: "The document itself, in the media type that it was handed in with.",
	}, scopeRead), []Code{NotFound, ValidationFailed}, s.handleGetEvidence)
}

func (s *server) handleAddEvidence(ctx context.Context, in *evidenceInput) (*evidenceOutput, error) {
	id, err := settlement.ParsePaymentID(in.PaymentID)
	if err != nil {
		return nil, problem(NotFound, "")
	}
	version, err := versionOf(in.IfMatch)
	if err != nil {
		return nil, err
	}
	f := &settlement.DisputeEvidence{SHA256: sha256.Sum256(in.RawBody), Size: int64(len(in.RawBody)), MediaType: mediaType(in.ContentType), Content: in.RawBody}
	looks, known := mediaTypes[f.MediaType]
	switch {
	case !known:
		return nil, problem(MediaTypeUnsupported, "Evidence is an image (PNG, JPEG, GIF, WebP), PDF, ZIP, MP4, or text (text/plain, text/csv, application/json, message/rfc822). Put others into a ZIP.")
	case mediaType(http.DetectContentType(in.RawBody)) != looks:
		return nil, invalid("header.Content-Type", fmt.Sprintf("says %s, and the bytes look like %s", f.MediaType, http.DetectContentType(in.RawBody)))
	}
	request := sha256.Sum256(fmt.Appendf(nil, "evidence\x00%s\x00%d\x00%x\x00%s\x00%s\x00%s", id, version, f.SHA256, f.MediaType, in.Party, in.Reason))
	status, body, err := once(ctx, s, in.IdempotencyKey, request, func() (int, *exhibit, error) {
		_, err := s.cfg.Runner.Act(ctx, jobs.Action{
			Kind: jobs.ActStatement, Payment: id, Version: version, By: by(ctx), Reason: string(in.Reason), Key: in.IdempotencyKey,
			Dispute: settlement.DisputeStep{Party: settlement.Party(in.Party), Evidence: f},
		}, false)
		return http.StatusCreated, exhibitOf(f), err
	})
	if err != nil {
		return nil, err
	}
	return &evidenceOutput{status, *body}, nil
}

func (s *server) handleGetEvidence(ctx context.Context, in *contentInput) (*contentOutput, error) {
	id, err := settlement.ParsePaymentID(in.PaymentID)
	var hash [sha256.Size]byte
	raw, hexErr := hex.DecodeString(in.SHA256)
	if err != nil || hexErr != nil || copy(hash[:], raw) != len(hash) {
		return nil, problem(NotFound, "")
	}
	if _, err := s.visible(ctx, id); err != nil {
		return nil, err
	}
	mediaType, content, err := store.EvidenceContent(ctx, s.cfg.Pool, id, hash)
	if err != nil {
		return nil, err
	}
	return &contentOutput{mediaType, `attachment; filename="` + hex.EncodeToString(hash[:8]) + `"`, content}, nil
}

func exhibitOf(f *settlement.DisputeEvidence) *exhibit {
	if f == nil {
		return nil
	}
	return &exhibit{hex.EncodeToString(f.SHA256[:]), f.Size, f.MediaType, f.URL}
}

func disputesOf(disputes []settlement.Dispute, statements []store.Statement, records []store.Record) []dispute {
	out := make([]dispute, 0, len(disputes))
	for _, d := range disputes {
		b := dispute{
			Number: d.Number, Opener: string(d.Opener), Reason: string(d.Reason), Party: string(d.Party), Default: string(d.Default), OpenedAt: d.OpenedAt,
			RespondBy: d.RespondBy, AnsweredAt: orAbsent(d.AnsweredAt), DecideBy: d.DecideBy, AppealedAt: orAbsent(d.AppealedAt), PlatformTold: d.Told,
			ClosedAt: orAbsent(d.ClosedAt), Outcome: string(d.Outcome), Statements: []statement{},
		}
		if d.Award != nil {
			b.Decision = &award{d.Award.ToPayee.String(), d.Award.ToPayer.String(), d.DecidedAt, d.EffectiveAt}
		}
		for _, said := range statements {
			if said.Dispute == d.Number {
				b.Statements = append(b.Statements, statementOf(said, records))
			}
		}
		out = append(out, b)
	}
	return out
}

func statementOf(said store.Statement, records []store.Record) statement {
	b := statement{Version: said.Version, Party: string(said.Party), Evidence: exhibitOf(said.Evidence)}
	for _, r := range records {
		if r.Version != said.Version {
			continue
		}
		// The words come after what the history says of the evidence.
		_, b.Text, _ = strings.Cut(r.Detail, ": ")
		b.At = r.At
		if r.Decision != nil {
			b.By = r.Decision.Name
		}
	}
	return b
}

// orAbsent is nil for a time that has not come.
func orAbsent(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
